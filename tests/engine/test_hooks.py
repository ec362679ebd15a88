"""Hooks that every phase runs with."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import RuntimeInfoHook

from avzoo.engine import CurriculumRunner, hooks
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.engine.hooks import EpochSeedHook, FitHook, IntervalRuntimeInfoHook
from avzoo.engine.phase_runner import PhaseRunner


def test_an_epoch_draws_the_same_numbers_whatever_was_drawn_before():
    def draw(epoch, seed=0):
        sampler = SimpleNamespace(set_epoch=epochs.append)
        runner = SimpleNamespace(seed=seed, epoch=epoch, train_dataloader=SimpleNamespace(batch_sampler=sampler))
        EpochSeedHook().before_train_epoch(runner)
        return torch.rand(1).item(), np.random.rand()

    epochs = []
    one, other, again, another_run = draw(1), draw(2), draw(1), draw(1, seed=5)
    assert one == again and len({one, other, another_run}) == 3 and epochs == [1, 2, 1, 1]


def test_a_model_reads_its_constants_from_the_training_set():
    read, data = [], object()
    FitHook().before_train(
        SimpleNamespace(
            plain_model=SimpleNamespace(read_constants=read.append), train_dataloader=SimpleNamespace(dataset=data)
        )
    )
    assert read == [data]


@pytest.mark.parametrize(('interval', 'told'), [(1, [0, 1, 2, 3, 4, 5]), (3, [2, 5])])
def test_losses_are_handed_to_the_log_at_each_interval(monkeypatch, interval, told):
    steps = []
    monkeypatch.setattr(RuntimeInfoHook, 'after_train_iter', lambda self, runner, *args: steps.append(runner.iter))
    hook = IntervalRuntimeInfoHook(interval=interval)
    for step in range(6):
        hook.after_train_iter(SimpleNamespace(iter=step), step)
    assert steps == told


def test_init_cfg_of_a_model_counts_when_a_phase_begins(small_avdiff, tmp_path):
    cfg = small_avdiff(
        tmp_path,
        "model.init_cfg={'type':'Constant','layer':'Linear','val':0.25}",
        'optim_wrapper.optimizer.lr=0.0',
        'curriculum.base.max_epochs=1',
        'curriculum.validate=False',
    )
    runner = PhaseRunner.from_cfg(phase_config(cfg, Phase(1, 'base'), {}, tmp_path))
    runner.train()
    assert (runner.plain_model.head.fc.weight == 0.25).all()


def test_processes_wait_for_the_checkpoints_of_an_epoch(small_fitted, tmp_path, monkeypatch):
    waited = []
    folder = tmp_path / 'stage1_full'
    monkeypatch.setattr(hooks, 'barrier', lambda: waited.append(sorted(p.name for p in folder.glob('*.pth'))))
    CurriculumRunner(small_fitted(tmp_path), stage=1).train()
    assert waited[-1] == ['best.pth', 'last.pth']
