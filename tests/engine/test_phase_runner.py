"""What a phase takes over from a checkpoint: its own, when it goes on, or that of the phase before it."""

import json
import shutil
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.config.settings import ExperimentSettings
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.preflight import preflight
from avzoo.engine.hooks import PhaseHook
from avzoo.engine.phase_runner import PhaseRunner

OPTIONAL = [f.name for f in fields(ExperimentSettings) if f.default is None]


@pytest.mark.parametrize('key', OPTIONAL)
def test_a_key_that_may_be_none_counts_as_absent(small_avdiff, tmp_path, key):
    cfg = small_avdiff(tmp_path / 'run', f'{key}=None', 'curriculum.base.max_epochs=1')
    ((_, run, _),) = preflight(cfg, [Phase(1, 'base')])
    PhaseRunner.from_cfg(run).train()


@pytest.mark.parametrize('precision', ['high', 'highest'])
def test_a_phase_multiplies_matrices_as_its_config_says(precision, small_avdiff, tmp_path):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high' if precision == 'highest' else 'highest')  # Of a run before.
    option = [f'float32_matmul_precision={precision}'] if precision == 'high' else []
    try:
        ((_, run, _),) = preflight(small_avdiff(tmp_path / 'run', *option), [Phase(1, 'base')])
        PhaseRunner.from_cfg(run)
        assert torch.get_float32_matmul_precision() == precision
        if torch.cuda.is_available():
            torch.manual_seed(0)
            a, b = torch.randn(2, 256, 256, device='cuda')
            error = (a @ b - (a.double() @ b.double())).abs().max()
            assert (error > 1e-3) == (precision == 'high') and error < 0.2
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_log_names_versions_and_config_without_asking_compilers_or_importing_networks(
    small_avdiff, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', lambda: pytest.fail('torchvision is imported'))
    cfg = small_avdiff(tmp_path / 'logged')
    ((_, run, _),) = preflight(cfg, [Phase(1, 'base')])
    runner = PhaseRunner.from_cfg(run)
    (log,) = Path(run.work_dir).rglob('*.log')
    text = log.read_text(encoding='utf-8')
    assert f'torch: {torch.__version__}\n' in text and f'seed: {runner.seed}\n' in text
    assert 'processes: 1\n' in text and runner.cfg.pretty_text in text


def test_phases_that_begin_in_the_same_second_share_nothing(small_avdiff, tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.time.time', lambda: 1e9)
    first, second = (
        PhaseRunner.from_cfg(preflight(small_avdiff(tmp_path / name / 'run'), [Phase(1, 'base')])[0][1])
        for name in ('one', 'two')
    )
    assert first.experiment_name != second.experiment_name
    assert first.logger is not second.logger and first.message_hub is not second.message_hub
    second.logger.info('of the second phase')
    logs = [next(Path(runner.work_dir).rglob('*.log')).read_text(encoding='utf-8') for runner in (first, second)]
    assert ['of the second phase' in log for log in logs] == [False, True]


def test_layers_that_synchronise_statistics_become_plain_ones_in_one_process():
    runner = PhaseRunner.__new__(PhaseRunner)
    runner._distributed, runner.logger = False, SimpleNamespace(info=lambda text: None)
    plain, synced = nn.Sequential(nn.BatchNorm1d(2)), nn.Sequential(nn.SyncBatchNorm(2))
    assert runner.wrap_model(None, plain)[0].__class__ is nn.BatchNorm1d
    assert not isinstance(runner.wrap_model(None, synced)[0], nn.SyncBatchNorm)


class Stopped(Exception):
    """Stands for the power cut."""


@pytest.fixture
def interrupt(monkeypatch):
    """A function that stops a run once, in an epoch (from 1) of a phase, and goes on with it.

    With ``copied`` it goes on from a copy of the phase's checkpoint in another folder.
    """

    def run(cfg, phase, epoch, copied=None):
        def stop(self, runner, batch_idx, data_batch=None, outputs=None):
            if self.meta['phase'] == phase and runner.epoch == epoch - 1 and batch_idx == 1:
                raise Stopped

        with monkeypatch.context() as patch:
            patch.setattr(PhaseHook, 'before_train_iter', stop)
            with pytest.raises(Stopped):
                CurriculumRunner(cfg, stage=1).train()
        if copied is not None:
            copied.parent.mkdir()
            shutil.copyfile(Path(cfg.work_dir) / phase / 'last.pth', copied)
        CurriculumRunner(cfg, stage=1, resume=copied or True).train()

    return run


def rates(work_dir):
    """Return the learning rate of each epoch of the base sub-stage, and the cuts that stage 2 repeats."""
    history = load_checkpoint(work_dir / 'stage1_base' / 'last.pth')['meta']['history']
    phases = json.loads((work_dir / 'curriculum.json').read_text(encoding='utf-8'))['phases']
    return [entry['lr'] for entry in history], phases['stage1_base']['lr_drops']


# No score is ever better by 1000: epoch 1 is the best, and the second epoch without a better one cuts.
PLATEAU = dict(type='ReduceOnPlateauLR', rule='greater', threshold=1000.0, threshold_rule='abs', factor=0.5, patience=1)
MILESTONE = dict(type='MultiStepLR', milestones=[3], gamma=0.5)


@pytest.mark.parametrize(
    ('scheduler', 'drops', 'stopped_in'), [(PLATEAU, [3, 5], 2), (PLATEAU, [3, 5], 3), (MILESTONE, [3], 3)]
)
def test_a_resumed_phase_cuts_the_learning_rate_after_the_same_epochs(
    small_avdiff, tmp_path, interrupt, scheduler, drops, stopped_in
):
    cfg = small_avdiff(
        tmp_path,
        'optim_wrapper.optimizer.lr=1e-3',
        'curriculum.base.max_epochs=6',
        'curriculum.full.max_epochs=1',
        'train_dataloader.batch_sampler.num_batches=2',
    )
    cfg.param_scheduler = scheduler
    interrupt(cfg, 'stage1_base', stopped_in)
    found, cuts = rates(tmp_path)
    assert cuts == drops
    assert found == pytest.approx([1e-3 * 0.5 ** sum(drop < epoch for drop in drops) for epoch in range(1, 7)])


@pytest.mark.parametrize('copied', [None, 'elsewhere/epoch1.pth'])
def test_a_resumed_phase_keeps_its_own_moments_and_not_those_it_began_with(small_avdiff, tmp_path, interrupt, copied):
    options = (
        'curriculum.full.carry_optimizer=True',
        'curriculum.keep_optimizer=True',
        'curriculum.base.max_epochs=1',
        'curriculum.full.max_epochs=2',
        'train_dataloader.batch_sampler.num_batches=2',
    )
    CurriculumRunner(small_avdiff(tmp_path / 'whole', *options), stage=1).train()
    interrupt(small_avdiff(tmp_path / 'cut', *options), 'stage1_full', 2, copied and tmp_path / copied)
    whole, cut = (load_checkpoint(tmp_path / run / 'stage1_full' / 'last.pth') for run in ('whole', 'cut'))
    assert all(torch.equal(whole['state_dict'][name], value) for name, value in cut['state_dict'].items())
    for key, state in whole['optimizer']['state'].items():
        assert all(torch.equal(value, cut['optimizer']['state'][key][name]) for name, value in state.items())


def wrapper(*rates):
    """Return an optimizer wrapper with one weight for each learning rate, after a step."""
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in rates]
    one = OptimWrapper(torch.optim.Adam([dict(params=[w], lr=rate) for w, rate in zip(weights, rates, strict=True)]))
    one.update_params(sum(w * (i + 2) for i, w in enumerate(weights)).sum())
    return one


def test_moments_of_another_phase_are_taken_over_but_not_its_learning_rates(tmp_path):
    before, now = wrapper(0.5, 0.25), wrapper(0.1, 0.01)
    for state in before.optimizer.state.values():
        state['exp_avg'].mul_(10)
    save_checkpoint(
        tmp_path / 'last.pth', dict(meta=dict(format=TRAINING_FORMAT), state_dict={}, optimizer=before.state_dict())
    )
    PhaseRunner.load_optimizer(SimpleNamespace(optim_wrapper=now), tmp_path / 'last.pth')
    assert [group['lr'] for group in now.optimizer.param_groups] == [0.1, 0.01]
    for one, other in zip(before.optimizer.state.values(), now.optimizer.state.values(), strict=True):
        assert torch.equal(one['exp_avg'], other['exp_avg'])
