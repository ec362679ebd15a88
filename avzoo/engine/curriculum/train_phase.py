"""Train one phase and keep what its checkpoints say about it."""

from functools import partial
from typing import Any

from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.progress import Progress
from avzoo.engine.hooks import PhaseHook
from avzoo.engine.phase_runner import PhaseRunner


def train_phase(
    runner: PhaseRunner, phase: Phase, progress: Progress, *, monitor: str, keep_gamma: bool = False, **facts: Any
) -> list[dict[str, Any]]:
    """Train a phase and return its history, one entry per epoch.

    Args:
        runner: The runner of the phase's own config.
        phase: The phase.
        progress: What reports the epochs.
        monitor: Metric that chooses the best epoch.
        keep_gamma: Store the calibration that validation chose in the model.
        facts: More plain values for the checkpoints' ``meta``.
    """
    info = runner.train_dataloader.dataset.metainfo
    meta = dict(
        phase=phase.name,
        stage=phase.stage,
        substage=phase.substage,
        draw=phase.draw,
        num_shots=runner.cfg.num_shots,
        classes=info['classes'],
        base_mask=info['base_mask'],
        data_info=runner.cfg.model.data_info.to_dict(),
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
    runner.train()
    return hook.history
