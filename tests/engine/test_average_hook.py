"""Weights that are averaged over the last steps: what is chosen, kept, handed on and resumed."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.average_hook import AverageHook
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.hooks import PhaseHook
from tests.conftest import AVDIFF, PROTOGAN, SMALL_AVDIFF, SMALL_PROTOGAN

AVERAGE = ('curriculum.average_epochs=1', 'curriculum.num_draws=1', 'curriculum.references=[]')


@pytest.fixture(scope='module')
def trained(tmp_path_factory, tiny_configs):
    """A run of both stages: its config, and of the last layer's weight what each phase begins with and its steps."""
    cfg = copy.deepcopy(tiny_configs(AVDIFF, (*SMALL_AVDIFF, *AVERAGE)))
    cfg.work_dir = str(tmp_path_factory.mktemp('averaged'))
    begun: dict[str, torch.Tensor] = {}
    steps: dict[str, list[torch.Tensor]] = {}
    before_train, after_train_iter = PhaseHook.before_train, PhaseHook.after_train_iter

    def copied(runner):
        return runner.plain_model.head.fc.weight.detach().cpu().clone()

    def note_start(self, runner):
        before_train(self, runner)
        begun[self.meta['phase']] = copied(runner)

    def note_step(self, runner, batch_idx, data_batch=None, outputs=None):
        after_train_iter(self, runner, batch_idx, data_batch, outputs)
        steps.setdefault(self.meta['phase'], []).append(copied(runner))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhaseHook, 'before_train', note_start)
        patch.setattr(PhaseHook, 'after_train_iter', note_step)
        CurriculumRunner(cfg).train()
    return SimpleNamespace(cfg=cfg, folder=Path(cfg.work_dir), begun=begun, steps=steps)


@pytest.fixture(scope='module')
def whole(trained, tmp_path_factory, tiny_configs):
    """The folders of a stage 1 that nothing stopped, by config."""
    cfg = copy.deepcopy(tiny_configs(PROTOGAN, (*AVERAGE, *SMALL_PROTOGAN)))
    cfg.work_dir = str(tmp_path_factory.mktemp('whole'))
    CurriculumRunner(cfg, stage=1).train()
    return {AVDIFF: trained.folder, PROTOGAN: Path(cfg.work_dir)}


def weight(path, key='state_dict', name='head.fc.weight'):
    return load_checkpoint(path)[key][name]


def test_a_checkpoint_has_the_average_of_the_steps_and_beside_it_the_weights_that_train(trained):
    steps, path = trained.steps['stage1_base'], trained.folder / 'stage1_base/last.pth'
    expected = torch.zeros_like(steps[0])
    for n, value in enumerate(steps):
        expected = expected.lerp(value, max(1 / (1 + n), 1 / (1 + 3)))  # Three steps an epoch.
    assert torch.allclose(weight(path), expected, atol=1e-6)
    last = weight(path, 'ema_state_dict', 'module.head.fc.weight')
    assert torch.equal(last, steps[-1]) and not torch.allclose(last, expected)


def test_statistics_of_batch_norm_are_those_of_the_last_step(trained):
    content = load_checkpoint(trained.folder / 'stage1_base/last.pth')
    variances = [key for key in content['state_dict'] if key.endswith('running_var')]
    assert variances
    for key in variances:
        assert torch.equal(content['state_dict'][key], content['ema_state_dict'][f'module.{key}'])


def test_validation_chooses_among_averages_and_its_choice_is_kept(trained, tmp_path):
    chosen = json.loads((trained.folder / 'curriculum.json').read_text())['phases']['stage1_full']['metrics']
    best = trained.folder / 'stage1_full/best.pth'
    found = evaluate_checkpoint(trained.cfg, best, split='val', draw=None, work_dir=tmp_path)
    assert {k: found.metrics[k] for k in chosen} == chosen


@pytest.mark.parametrize('stage', [1, 2])
def test_the_full_substage_begins_with_the_average_of_the_base_substage(trained, stage):
    start, phase = {1: ('best', 'stage1_full'), 2: ('last', 'stage2_full_draw0')}[stage]
    assert torch.equal(trained.begun[phase], weight(trained.folder / f'stage{stage}_base/{start}.pth'))


def test_a_generator_with_its_own_optimizers_goes_on_with_their_moments(whole):
    state = load_checkpoint(whole[PROTOGAN] / 'stage1_full/last.pth')['state_dict']
    (moments,) = (value for key, value in state.items() if key.endswith('_extra_state'))
    assert all(optimizer['state'] for optimizer in moments.values())


@pytest.mark.parametrize(('config', 'small'), [(AVDIFF, SMALL_AVDIFF), (PROTOGAN, SMALL_PROTOGAN)])
def test_a_resumed_run_goes_on_with_the_weights_and_their_average(
    whole, tiny_config, tmp_path, monkeypatch, config, small
):
    cut, stopped = tiny_config(tmp_path, *AVERAGE, *small, config=config), []

    def stop(self, runner, batch_idx, data_batch=None):
        if self.meta['phase'] == 'stage1_full' and runner.epoch == 1 and batch_idx == 1 and not stopped:
            stopped.append(1)
            raise KeyboardInterrupt

    monkeypatch.setattr(PhaseHook, 'before_train_iter', stop)
    with pytest.raises(KeyboardInterrupt):
        CurriculumRunner(cut, stage=1).train()
    CurriculumRunner(cut, stage=1, resume=True).train()
    one, other = (load_checkpoint(folder / 'stage1_full/last.pth') for folder in (whole[config], tmp_path))
    for key in ('state_dict', 'ema_state_dict'):
        tensors = {name: value for name, value in one[key].items() if isinstance(value, torch.Tensor)}
        assert all(torch.equal(value, other[key][name]) for name, value in tensors.items())


def test_the_average_spans_the_epochs_that_are_asked_for(small_avdiff, tmp_path, monkeypatch):
    momenta = []
    before_run = AverageHook.before_run

    def note(self, runner):
        before_run(self, runner)
        momenta.append(self.ema_model.momentum)

    monkeypatch.setattr(AverageHook, 'before_run', note)
    CurriculumRunner(small_avdiff(tmp_path, *AVERAGE, 'curriculum.average_epochs=2'), stage=1).train()
    assert momenta == [1 / (1 + 2 * 3), 1 / (1 + 2 * 6)]
