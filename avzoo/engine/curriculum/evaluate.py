"""Evaluate one checkpoint on validation or on the test set of a draw."""

import os
from pathlib import Path

from mmengine.config import Config

from avzoo.engine.checkpoint import load_checkpoint
from avzoo.engine.curriculum.plan import evaluation_config
from avzoo.engine.optim import autocast
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.evaluation.functional import DEFAULT_GAMMA_GRID
from avzoo.evaluation.gfsl_metric import GFSLMetric
from avzoo.utils.errors import CheckpointError


def evaluate_checkpoint(cfg: Config, checkpoint: str | os.PathLike, *, split: str, draw: int | None,
                        work_dir: str | os.PathLike, amp: bool = False,
                        search_gamma: bool = False) -> tuple[dict[str, float], GFSLMetric]:
    """Evaluate a checkpoint with the calibration that it carries.

    Args:
        cfg: The config of the whole curriculum.
        checkpoint: A training checkpoint.
        split: ``val`` (takes a checkpoint of stage 1) or ``test`` (stage 2).
        draw: The draw whose test set is meant; ``None`` takes that of the checkpoint.
        work_dir: Where the log goes.
        amp: Compute in bfloat16.
        search_gamma: Choose the calibration on this very set. On the test set only the released code does that.

    Returns:
        The metrics, and the metric object with the predictions.
    """
    meta = load_checkpoint(checkpoint)['meta']
    stage = 1 if split == 'val' else 2
    if meta.get('stage') != stage:
        raise CheckpointError(f'{checkpoint} is of stage {meta.get("stage")}, whose classes are not those of '
                              f"'{split}'. Take one of stage {stage}, or --split {'test' if stage == 1 else 'val'}.")
    draw = meta.get('draw') if draw is None else draw
    run_cfg = evaluation_config(cfg, split, 0 if draw is None and split == 'test' else draw, work_dir)
    metric = GFSLMetric('search' if search_gamma else 'checkpoint',
                        gamma_grid=cfg.val_evaluator.get('gamma_grid', DEFAULT_GAMMA_GRID))
    run_cfg.load_from = str(Path(checkpoint))
    run_cfg.test_evaluator = [metric]
    runner = PhaseRunner.from_cfg(run_cfg)
    with autocast(enabled=amp):
        metrics = runner.test()
    return metrics, metric
