"""Open a finished draw, for plots that need its model."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.device import get_device

from avzoo.checkpoints.training import load_checkpoint, load_weights
from avzoo.config.load import load_config
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.curriculum.evaluate import check_splits
from avzoo.engine.curriculum.plan import Phase, evaluation_config, phase_config, start_file
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.protocol import train_splits
from avzoo.registry import DATASETS, MODELS, import_parts
from avzoo.utils.errors import CheckpointError


class TrainedDraw(NamedTuple):
    """A model of a draw of stage 2.

    Attributes:
        model: The model with its weights, in evaluation mode.
        test: The test videos, prepared as in the test.
        shots: The training videos of the novel classes.
    """

    model: AVClassifier
    test: GFSLDataset
    shots: GFSLDataset


def open_draw(
    work_dir: str | os.PathLike[str], draw: int = 0, *, data_root: str | os.PathLike[str] | None = None
) -> TrainedDraw:
    """Open a draw that a finished run has trained.

    Args:
        work_dir: Folder of the run.
        draw: The draw.
        data_root: The store, if it was moved; by default that of the run's config.

    Raises:
        CheckpointError: If the run has no such draw, or was trained on splits other than those of the store.
    """
    work_dir, phase = Path(work_dir), Phase(2, 'full', draw)
    if not (work_dir / 'config.py').is_file():
        raise CheckpointError(f'{work_dir} holds no run (config.py is missing). Give the work directory of a run.')
    import_parts()
    cfg = load_config(work_dir / 'config.py', [] if data_root is None else [f'data_root={os.fspath(data_root)}'])
    path = work_dir / phase.name / start_file(cfg, phase)
    content = load_checkpoint(path)
    run = phase_config(cfg, phase, {}, work_dir)
    with torch.random.fork_rng():
        model = MODELS.build(run.model)
    load_weights(model, content['state_dict'], str(path))
    test = evaluation_config(cfg, 'test', draw, work_dir).test_dataloader.dataset
    shots = dict(run.train_dataloader.dataset, splits=train_splits(2, draw)[1:])
    opened = TrainedDraw(model.to(get_device()).eval(), _on_cpu(test), _on_cpu(shots))
    store = opened.test.store
    assert isinstance(store, FeatureStore)  # Only adaptation joins two stores.
    check_splits(content['meta'], store, cfg.num_shots, str(path))
    return opened


def _on_cpu(dataset: dict) -> GFSLDataset:
    return DATASETS.build(dict(dataset, device=None))
