"""Weights that are averaged over the last steps: what is chosen, kept, handed on and resumed."""

import json

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.average_hook import AverageHook
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.hooks import PhaseHook

AVERAGE = ('curriculum.average_epochs=1', 'curriculum.num_draws=1', 'curriculum.references=[]')


@pytest.fixture
def steps(monkeypatch):
    """The weight of the last layer after each step, by phase."""
    seen: dict[str, list[torch.Tensor]] = {}

    def note(self, runner, batch_idx, data_batch=None, outputs=None):
        original(self, runner, batch_idx, data_batch, outputs)
        seen.setdefault(self.meta['phase'], []).append(runner.plain_model.head.fc.weight.detach().cpu().clone())

    original = PhaseHook.after_train_iter
    monkeypatch.setattr(PhaseHook, 'after_train_iter', note)
    return seen


def weight(path, key='state_dict', name='head.fc.weight'):
    return load_checkpoint(path)[key][name]


def test_a_checkpoint_has_the_average_of_the_steps_and_beside_it_the_weights_that_train(small_avdiff, tmp_path, steps):
    CurriculumRunner(small_avdiff(tmp_path, *AVERAGE), stage=1).train()
    expected = torch.zeros_like(steps['stage1_base'][0])
    for n, value in enumerate(steps['stage1_base']):
        expected = expected.lerp(value, max(1 / (1 + n), 1 / (1 + 3)))  # Three steps an epoch.
    assert torch.allclose(weight(tmp_path / 'stage1_base/last.pth'), expected, atol=1e-6)
    trained = weight(tmp_path / 'stage1_base/last.pth', 'ema_state_dict', 'module.head.fc.weight')
    assert torch.equal(trained, steps['stage1_base'][-1]) and not torch.allclose(trained, expected)


def test_statistics_of_batch_norm_are_those_of_the_last_step(small_avdiff, tmp_path):
    CurriculumRunner(small_avdiff(tmp_path, *AVERAGE), stage=1).train()
    content = load_checkpoint(tmp_path / 'stage1_base/last.pth')
    variances = [key for key in content['state_dict'] if key.endswith('running_var')]
    assert variances
    for key in variances:
        assert torch.equal(content['state_dict'][key], content['ema_state_dict'][f'module.{key}'])


def test_validation_chooses_among_averages_and_its_choice_is_kept(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, *AVERAGE)
    CurriculumRunner(cfg, stage=1).train()
    chosen = json.loads((tmp_path / 'curriculum.json').read_text())['phases']['stage1_full']['metrics']
    found = evaluate_checkpoint(cfg, tmp_path / 'stage1_full/best.pth', split='val', draw=None, work_dir=tmp_path)
    assert {k: found.metrics[k] for k in chosen} == chosen


@pytest.mark.parametrize('stage', [1, 2])
def test_the_full_substage_begins_with_the_average_of_the_base_substage(small_avdiff, tmp_path, monkeypatch, stage):
    begun = {}
    before_train = PhaseHook.before_train

    def note(self, runner):
        before_train(self, runner)
        begun[self.meta['phase']] = runner.plain_model.head.fc.weight.detach().cpu().clone()

    monkeypatch.setattr(PhaseHook, 'before_train', note)
    CurriculumRunner(small_avdiff(tmp_path, *AVERAGE)).train()
    start, phase = {1: ('best', 'stage1_full'), 2: ('last', 'stage2_full_draw0')}[stage]
    assert torch.equal(begun[phase], weight(tmp_path / f'stage{stage}_base/{start}.pth'))


def test_a_generator_with_its_own_optimizers_goes_on_with_their_moments(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path, *AVERAGE, config='protogan/protogan_custom_5shot.py')
    CurriculumRunner(cfg, stage=1).train()
    state = load_checkpoint(tmp_path / 'stage1_full/last.pth')['state_dict']
    (moments,) = (value for key, value in state.items() if key.endswith('_extra_state'))
    assert all(optimizer['state'] for optimizer in moments.values())


@pytest.mark.parametrize('config', ['avdiff/avdiff_custom_5shot.py', 'protogan/protogan_custom_5shot.py'])
def test_a_resumed_run_goes_on_with_the_weights_and_their_average(tiny_config, tmp_path, monkeypatch, config):
    options = AVERAGE
    whole, cut = (tiny_config(tmp_path / name, *options, config=config) for name in ('whole', 'cut'))
    CurriculumRunner(whole, stage=1).train()
    stopped = []

    def stop(self, runner, batch_idx, data_batch=None):
        if self.meta['phase'] == 'stage1_full' and runner.epoch == 1 and batch_idx == 1 and not stopped:
            stopped.append(1)
            raise KeyboardInterrupt

    monkeypatch.setattr(PhaseHook, 'before_train_iter', stop)
    with pytest.raises(KeyboardInterrupt):
        CurriculumRunner(cut, stage=1).train()
    CurriculumRunner(cut, stage=1, resume=True).train()
    one, other = (load_checkpoint(tmp_path / name / 'stage1_full/last.pth') for name in ('whole', 'cut'))
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
