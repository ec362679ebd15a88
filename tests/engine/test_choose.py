"""Settings that a config leaves to validation."""

import copy
import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.choose import choose
from avzoo.engine.curriculum.plan import plan_phases
from avzoo.engine.curriculum.progress import Place, Progress
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.hooks import PhaseHook
from avzoo.utils.tables import clock
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


def test_the_log_says_what_is_tried_and_what_was_chosen(chosen):
    folder, state, norm = chosen
    log = (folder / 'curriculum.log').read_text()
    lines = [line.partition(' - INFO - ')[2] for line in log.splitlines() if 'choice 1/1' in line]
    for i, one in enumerate(NORMS, 1):
        name = f'choice 1/1 alternative {i}/2'
        assert lines[0] == f'{name}: data_preprocessor.norm.audio={one}'
        starts = [f'{name}  {start} ' for start in ('[1/2] stage1_base', *2 * ['[2/2] stage1_full'])]
        assert all(line.startswith(start) for line, start in zip(lines[1:4], starts, strict=True))
        score = state['choices'][0]['scores'][i - 1]['score']
        assert lines[4] == f'choice 1/1  data_preprocessor.norm.audio={one}: validation AUSUC {score:.2f}'
        lines = lines[5:]
    best = max(one['score'] for one in state['choices'][0]['scores'])
    assert lines == [f'choice 1/1  validation chose data_preprocessor.norm.audio={norm}: AUSUC {best:.2f}']


@pytest.mark.parametrize(
    ('choices', 'draws', 'jobs', 'base', 'full'),
    [
        ([2], 3, 1, [2, 1], [2 + 6, 6]),  # A trial, then stage 2 with its base sub-stage and three draws.
        ([2], 3, 2, [2, 1], [2 + 4, 4]),
        ([2, 3], 1, 1, [5, 4, 3, 2, 1], [10, 8, 6, 4, 2]),
        ([2, 1], 1, 1, [3, 2], [6, 4]),  # Where nothing is tried for the last choice, stage 1 is to come.
        ([1, 2], 1, 1, [2, 1], [4, 2]),
    ],
)
def test_a_trial_counts_all_that_comes_after_it(small_avdiff, tmp_path, choices, draws, jobs, base, full):
    cfg = small_avdiff(tmp_path, *SHORT, 'train_dataloader.batch_sampler.num_batches=3')
    cfg.curriculum.choices = [[{'model.synthetic_weight': float(n)} for n in range(size)] for size in choices]
    places = []

    def trial(cfg, chosen, place):
        places.append(place)
        for name in STAGE_ONE:
            (tmp_path / name).mkdir(parents=True)
        return {name: dict(metrics=dict(AUSUC=1.0)) for name in STAGE_ONE}

    state = CurriculumState(tmp_path, {}, processes=1)
    choose(cfg, tmp_path, state, trial, plan_phases(range(draws)), jobs)
    later = [(place.later['base'], place.later['full']) for place in places]
    assert later == [(3 * b, 6 * f) for b, f in zip(base, full, strict=True)]
    # Stage 1 of an earlier choice is not that of the last one's only alternative.
    kept = list(STAGE_ONE) if choices[-1] > 1 else []
    assert sorted(state.phases) == sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == kept


def test_scores_that_differ_by_rounding_alone_leave_the_first(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, *SHORT)
    cfg.curriculum.choices = [[{'model.synthetic_weight': float(n)} for n in range(4)]]
    scores = iter([50.0, 60.0 - 1e-12, 60.0 + 1e-12, 60.0])

    def trial(cfg, chosen, place):
        for name in STAGE_ONE:
            (tmp_path / name).mkdir(parents=True)
        score = next(scores)
        return {name: dict(metrics=dict(AUSUC=score)) for name in STAGE_ONE}

    state = CurriculumState(tmp_path, {}, processes=1)
    assert choose(cfg, tmp_path, state, trial).model.synthetic_weight == 1.0


def test_the_time_left_in_a_trial_is_that_of_the_whole_run(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, *SHORT, 'train_dataloader.batch_sampler.num_batches=3')
    phases, pace = plan_phases((), 1), dict(base=1.0, full=2.0)
    progress = Progress(cfg, phases, {}, place=Place('a trial', dict(base=600, full=30)), pace=pace)
    progress.begin(phases[0], 0)
    # One step of three, two epochs of the next phase, and what comes after the trial.
    assert progress._clock(SimpleNamespace(max_iters=3, iter=2)) == clock(1 + 2 * 2 * 6 + 600 + 2 * 30)


def test_the_pace_is_that_of_the_steps_since_the_phase_began(small_avdiff, tmp_path, monkeypatch):
    cfg = small_avdiff(tmp_path, *SHORT, 'train_dataloader.batch_sampler.num_batches=3')
    phases, pace, lines, now = plan_phases((), 1), {}, [], [100.0]
    monkeypatch.setattr('avzoo.engine.curriculum.progress.time.monotonic', lambda: now[0])
    monkeypatch.setattr('avzoo.engine.curriculum.progress.log_line', lines.append)
    progress = Progress(cfg, phases, {}, pace=pace)
    progress.begin(phases[0], 2)  # Two steps were done before an interruption.
    now[0] += 30
    progress.report(SimpleNamespace(iter=5, max_iters=6, max_epochs=2), [dict(loss=1.0, lr=1e-3)], None)
    assert pace == dict(base=10.0)
    assert lines == [f'[1/2] stage1_base       epoch  1/2  loss 1.0000  lr 1.0e-03  left {clock(10 + 2 * 6 * 10)}']


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
