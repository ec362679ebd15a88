"""Evaluate one checkpoint on the validation set or on the test set of a draw."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from mmengine.config import Config
from torch import Tensor

from avzoo.checkpoints.meta import feature_set_of
from avzoo.checkpoints.trained_config import as_trained
from avzoo.checkpoints.training import load_checkpoint
from avzoo.config.as_data import plain_config
from avzoo.datasets.feature_set import compare_feature_sets
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset, split_digest
from avzoo.datasets.store_files import read_meta, verify_tables
from avzoo.engine.curriculum.plan import evaluation_config
from avzoo.engine.curriculum.progress import warn_of_calibration
from avzoo.engine.log import warn_once
from avzoo.engine.optim import autocast
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.protocol import EvaluationName
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError, ConfigError


@dataclass(frozen=True)
class Evaluation:
    """The results of evaluating one checkpoint.

    Attributes:
        name: ``validation`` or ``draw 0``, ...
        metrics: B, N, HM, FSL, AUSUC, gamma and B0.
        per_class_recall: Calibrated recall in per cent by class name.
        predictions: The arrays that :mod:`avzoo.evaluation.predictions` stores.
    """

    name: str
    metrics: dict[str, float]
    per_class_recall: dict[str, float]
    predictions: dict[str, np.ndarray]


def evaluate_checkpoint(
    cfg: Config,
    checkpoint: str | os.PathLike[str],
    *,
    split: EvaluationName,
    draw: int | None,
    work_dir: str | os.PathLike[str],
    gamma: float | Literal['search'] | None = None,
    amp: bool = False,
    check_config: bool = True,
) -> Evaluation:
    """Evaluate a checkpoint with the calibration stored in it, or with another.

    Args:
        cfg: The config of the whole curriculum.
        checkpoint: A training checkpoint.
        split: ``val`` (for a checkpoint of stage 1) or ``test`` (stage 2).
        draw: The draw whose test set to use; ``None`` uses that of the checkpoint.
        work_dir: Folder for the log.
        gamma: Another calibration; ``search`` finds the best on validation, and is refused on the test set.
        amp: Compute in bfloat16.
        check_config: Refuse a checkpoint that was trained with another config.
    """
    if gamma == 'search' and split == 'test':
        raise ConfigError(
            "The calibration is chosen on validation, never on the test set: use gamma 'search' with "
            'split val and a checkpoint of stage 1, then the number that it finds.'
        )
    content = load_checkpoint(checkpoint)
    meta = content['meta']
    _check_origin(cfg, meta, split, str(checkpoint))
    if check_config:
        cfg = as_trained(cfg, meta, str(checkpoint))
    cfg = plain_config(cfg)  # The text that is logged and written is formatted once for all draws.
    draw = meta.get('draw') if draw is None else draw
    draw = 0 if draw is None and split == 'test' else draw
    how = _default_gamma(cfg, split, content['state_dict']) if gamma is None else gamma
    run_cfg = evaluation_config(cfg, split, draw, work_dir)
    run_cfg.load_from = str(Path(checkpoint))
    run_cfg.test_evaluator = dict(cfg.val_evaluator, gamma=how, calibration=cfg.curriculum.get('calibration', 'gamma'))
    runner = PhaseRunner.from_cfg(run_cfg)
    _check_data(cfg, meta, runner.test_dataloader.dataset, str(checkpoint))
    if amp:  # Around the step itself: mmengine's loop disables autocast set around the loop.
        runner.model.test_step = autocast()(runner.model.test_step)
    metrics = runner.test()
    if how == 'search':
        warn_of_calibration(cfg, metrics)
    metric = runner.test_evaluator.metrics[0]
    predictions = {k: v for k, v in metric.predictions.items() if k != 'index'}
    return Evaluation('validation' if split == 'val' else f'draw {draw}', metrics, metric.per_class_recall, predictions)


def _default_gamma(cfg: Config, split: EvaluationName, state_dict: Mapping[str, Tensor]) -> str:
    """Return how the calibration is found if none is given.

    The released code treats a validated calibration of 0 as none, and searches on the test set.
    """
    unset = cfg.curriculum.zero_gamma == 'search_test' and float(state_dict.get('gamma', 1)) == 0
    return 'search' if split == 'test' and unset else 'checkpoint'


def _check_origin(cfg: Config, meta: dict, split: str, source: str) -> None:
    """Refuse a checkpoint whose stage, sub-stage or number of shots does not match the evaluation."""
    stage = 1 if split == 'val' else 2
    if meta.get('stage') != stage:
        raise CheckpointError(
            f"{source} is from stage {meta.get('stage')}, whose classes are not those of '{split}'. "
            f'Use one from stage {stage}, or --split {"test" if stage == 1 else "val"}.'
        )
    if split == 'test' and meta.get('substage', 'full') != 'full':
        raise CheckpointError(
            f'{source} is from the base sub-stage: it never saw a novel class. Use one from a stage2_full_draw folder.'
        )
    shots = meta.get('num_shots', cfg.num_shots)
    if shots != cfg.num_shots:
        raise CheckpointError(
            f'{source} was trained with {number_of(shots, "shot")}, but the config has num_shots={cfg.num_shots}: the '
            f'test set would contain training videos. Use the {shots}-shot config.'
        )


def _check_data(cfg: Config, meta: dict, data: GFSLDataset, source: str) -> None:
    """Refuse data whose classes, videos or features differ from those that a checkpoint saw."""
    store = data.store
    assert isinstance(store, FeatureStore)  # Only adaptation joins two stores.
    _check_classes(meta, data.metainfo['classes'], source)
    check_splits(meta, store, cfg.num_shots, source)
    verify_tables(store.root, read_meta(store.root), cfg.num_shots)  # Including the test lists.
    doubt = compare_feature_sets(feature_set_of(meta, source), store.feature_set, cfg.model.encoders)
    warn_once(doubt, about=store.root)


def _check_classes(meta: dict, classes: list[str], source: str) -> None:
    """Refuse a checkpoint whose columns are not the classes of the data."""
    known = list(meta.get('classes') or classes)
    if known != list(classes):
        odd = next(
            (f"'{a}' where the data has '{b}'" for a, b in zip(known, classes, strict=False) if a != b),
            f'{number_of(len(known), "class", "classes")} where the data has {len(classes)}',
        )
        raise CheckpointError(
            f'{source} was trained on other classes: it has {odd}. Specify the data it was trained on '
            'with --cfg-options data_root=... num_shots=...'
        )


def check_splits(meta: dict, store: FeatureStore, num_shots: int, source: str, *, only: str | None = None) -> None:
    """Refuse a store whose training lists are not those that a checkpoint saw: its test may contain such videos.

    Args:
        meta: The checkpoint's ``meta``; it is accepted if it does not record the lists.
        store: The store.
        num_shots: K of the lists.
        source: Where the checkpoint comes from, for the error.
        only: Compare only this list.
    """
    for name, digest in (meta.get('splits') or {}).items():
        if only in (None, name) and split_digest(store, num_shots, name) != digest:
            raise CheckpointError(
                f'{source} was not trained on the videos that {store.root} lists in {name}, so the test set may '
                'contain its training videos. Restore the store, or train again.'
            )
