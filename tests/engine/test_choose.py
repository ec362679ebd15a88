"""Settings that a config leaves to validation."""

import copy
import json
from functools import cache
from pathlib import Path

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.hooks import PhaseHook
from tests.conftest import AVDIFF, SMALL_AVDIFF

SHORT = (
    'curriculum.num_draws=1',
    'curriculum.references=[]',
    'curriculum.base.max_epochs=1',
    'curriculum.full.max_epochs=2',
)
NORMS = ('z_score', None)
CHOICE = 'curriculum.choices=[[' + ','.join(f"{{'data_preprocessor.norm.audio': {norm!r}}}" for norm in NORMS) + ']]'
STAGE_ONE = ('stage1_base', 'stage1_full')


def phases_trained(monkeypatch):
    """Count the epochs that train, by phase."""
    trained = []
    before = PhaseHook.before_train_epoch

    def note(self, runner):
        before(self, runner)
        trained.append(self.meta['phase'])

    monkeypatch.setattr(PhaseHook, 'before_train_epoch', note)
    return trained


def as_plain(meta):
    return json.loads(json.dumps({k: v for k, v in meta.items() if k not in ('config', 'choices')}))


@pytest.fixture(scope='module')
def trained(tmp_path_factory, tiny_configs):
    """A function that trains stage 1 with some settings, each once; returns the folder and its state."""

    @cache
    def train(*options):
        cfg = copy.deepcopy(tiny_configs(AVDIFF, (*SMALL_AVDIFF, *SHORT, *options)))
        cfg.work_dir = str(tmp_path_factory.mktemp('chosen') / 'run')
        CurriculumRunner(cfg, stage=1).train()
        return Path(cfg.work_dir), json.loads((Path(cfg.work_dir) / 'curriculum.json').read_text())

    return train


@pytest.fixture
def chosen(trained):
    """A run that made a choice; returns the folder, its state and the norm chosen."""
    folder, state = trained(CHOICE)
    return folder, state, state['choices'][0]['chosen']['data_preprocessor.norm.audio']


def test_the_best_alternative_on_validation_is_chosen(chosen, trained):
    _, state, norm = chosen
    scores = [one['score'] for one in state['choices'][0]['scores']]
    assert norm == NORMS[scores.index(max(scores))]
    assert len(set(scores)) > 1 or torch.cuda.is_available()  # These few videos may score alike on a GPU.
    for other, score in zip(NORMS, scores, strict=True):  # As if each were the config's only value.
        _, found = trained(f'data_preprocessor.norm.audio={other}')
        assert found['phases']['stage1_full']['metrics']['AUSUC'] == score


def test_what_was_chosen_is_as_if_trained_in_place(chosen, trained):
    folder, state, norm = chosen
    there, plain = trained(f'data_preprocessor.norm.audio={norm}')
    assert state['phases'] == plain['phases']
    for name in (f'{phase}/{file}.pth' for phase in STAGE_ONE for file in ('best', 'last')):
        one, other = load_checkpoint(folder / name), load_checkpoint(there / name)
        assert all(torch.equal(value, other['state_dict'][key]) for key, value in one['state_dict'].items())
        assert as_plain(one['meta']) == as_plain(other['meta']) and one['meta']['splits']
        assert one['meta']['choices'] == [{'data_preprocessor.norm.audio': norm}]
        config = json.dumps(one['meta']['config']).replace(str(folder), str(there))
        assert json.loads(config) == json.loads(json.dumps(other['meta']['config']))
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == list(STAGE_ONE)


def test_stage_one_of_the_choice_is_not_trained_again(small_avdiff, tmp_path, monkeypatch):
    trained = phases_trained(monkeypatch)
    CurriculumRunner(small_avdiff(tmp_path, *SHORT, CHOICE)).train()
    assert (trained.count('stage1_base'), trained.count('stage1_full')) == (2 * 1, 2 * 2)
    assert trained[-1] == 'stage2_full_draw0'


@pytest.mark.parametrize('trial', [0, 1])
def test_a_run_that_was_stopped_in_a_trial_makes_the_same_choice(chosen, small_avdiff, tmp_path, monkeypatch, trial):
    _, state, _ = chosen
    begun = []
    before = PhaseHook.before_train_epoch

    def stop(self, runner):
        before(self, runner)
        begun.append(1)
        if self.meta['phase'] == 'stage1_full' and len(begun) == 3 * trial + 2:  # An epoch of base, two of full.
            raise KeyboardInterrupt

    monkeypatch.setattr(PhaseHook, 'before_train_epoch', stop)
    cfg = small_avdiff(tmp_path / 'cut', *SHORT, CHOICE)
    with pytest.raises(KeyboardInterrupt):
        CurriculumRunner(cfg, stage=1).train()
    assert json.loads((tmp_path / 'cut' / 'curriculum.json').read_text())['choices'] == []
    CurriculumRunner(cfg, stage=1, resume=True).train()
    again = json.loads((tmp_path / 'cut' / 'curriculum.json').read_text())
    assert (again['choices'], again['phases']) == (state['choices'], state['phases'])
    assert sorted(path.name for path in (tmp_path / 'cut').iterdir() if path.is_dir()) == list(STAGE_ONE)


def test_a_stop_between_the_folders_and_the_state_repeats_the_choice(chosen, small_avdiff, tmp_path, monkeypatch):
    _, state, _ = chosen
    write = CurriculumState.write

    def stop(self):
        if self.choices:
            raise KeyboardInterrupt
        write(self)

    cfg = small_avdiff(tmp_path / 'cut', *SHORT, CHOICE)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CurriculumState, 'write', stop)
        CurriculumRunner(cfg, stage=1).train()
    assert (tmp_path / 'cut' / 'stage1_full').is_dir()
    CurriculumRunner(cfg, stage=1, resume=True).train()
    again = json.loads((tmp_path / 'cut' / 'curriculum.json').read_text())
    assert (again['choices'], again['phases']) == (state['choices'], state['phases'])


def test_a_choice_may_name_a_modality_that_the_model_lacks(small_avdiff, tmp_path):
    alternatives = [{f'data_preprocessor.norm.{m}': norm for m in ('audio', 'visual')} for norm in NORMS]
    cfg = small_avdiff(tmp_path, *SHORT, f'curriculum.choices={[alternatives]}', 'model.fusion.pattern=full')
    del cfg.model.encoders['visual']
    cfg.model.embedding.use_modality = False
    cfg.model.fusion.switch_after = 0
    CurriculumRunner(cfg, stage=1).train()
    state = load_checkpoint(tmp_path / 'stage1_full/last.pth')['state_dict']
    assert not [key for key in state if 'visual' in key]
