"""Train one phase and keep what its checkpoints record about it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from avzoo.config.choices import Alternative
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset, split_digest
from avzoo.engine.curriculum.plan import Phase, outcome
from avzoo.engine.curriculum.progress import Progress
from avzoo.engine.history import HistoryHook
from avzoo.engine.hooks import CarryOptimizerHook, PhaseHook
from avzoo.engine.phase_runner import PhaseRunner


def train_phase(
    runner: PhaseRunner, phase: Phase, progress: Progress, *, monitor: str, keep_gamma: bool = False, **facts: Any
) -> list[dict[str, Any]]:
    """Train a phase and return its history, one entry per epoch.

    Args:
        runner: The runner of the phase's own config.
        phase: The phase.
        progress: Reports the epochs.
        monitor: Metric that chooses the best epoch.
        keep_gamma: Store the calibration that validation chose in the model.
        facts: More plain values for the checkpoints' ``meta``.
    """
    info = runner.train_dataloader.dataset.metainfo
    features = runner.train_dataloader.dataset.store.feature_set.texts
    meta = dict(
        phase=phase.name,
        stage=phase.stage,
        substage=phase.substage,
        draw=phase.draw,
        num_shots=runner.cfg.num_shots,
        classes=info['classes'],
        base_mask=info['base_mask'],
        data_info=runner.cfg.model.data_info.to_dict(),
        **({'feature_set': dict(features)} if features else {}),
        **facts,
    )
    hook = PhaseHook(
        meta=meta,
        monitor=monitor,
        keep_gamma=keep_gamma,
        begin=partial(progress.begin, phase),
        report=progress.report,
    )
    runner.register_hook(hook)
    runner.register_hook(HistoryHook(hook))
    runner.train()
    return hook.history


def run_phase(run: Config, cfg: Config, phase: Phase, progress: Progress, chosen: Sequence[Alternative]) -> dict:
    """Train a phase of a curriculum; return what it decides for those after it.

    Args:
        run: The config of the phase.
        cfg: The config of the curriculum.
        phase: The phase.
        progress: Reports the epochs.
        chosen: What validation chose, for the checkpoints.
    """
    substage = cfg.curriculum[phase.substage]
    runner = PhaseRunner.from_cfg(run)
    if substage.get('carry_optimizer') and run.load_from and not run.get('resume'):
        runner.register_hook(CarryOptimizerHook(Path(run.load_from).with_name('last.pth')))
    history = train_phase(
        runner,
        phase,
        progress,
        monitor=substage['monitor'],
        keep_gamma=phase.substage == 'full' and cfg.curriculum.validate,
        splits=_split_digests(runner.train_dataloader.dataset, cfg.num_shots),
        choices=list(chosen),
    )
    return outcome(cfg, phase, history)


def _split_digests(dataset: GFSLDataset, num_shots: int) -> dict[str, str]:
    """Return a digest of each training list, so that the test can refuse a store with other lists."""
    store = dataset.store
    assert isinstance(store, FeatureStore)  # Only adaptation joins two stores, and it is not part of the curriculum.
    return {name: split_digest(store, num_shots, name) for name in dataset.splits}
