"""Import a released AV-DIFF checkpoint into avzoo's format."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from avzoo.avdiff_release.choice import choose_draw, choose_file, choose_run, complete_facts
from avzoo.avdiff_release.config import config_from_args, config_text, window_by_seconds
from avzoo.avdiff_release.keys import UNUSED, from_released
from avzoo.avdiff_release.runs import ReleasedFile, find_runs
from avzoo.checkpoints.training import TRAINING_FORMAT, load_weights
from avzoo.config.as_data import as_plain
from avzoo.config.differences import first_difference
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.curriculum.plan import Phase
from avzoo.protocol import MODALITIES, SECONDS_PER_STEP, SHOTS, base_split
from avzoo.registry import MODELS
from avzoo.utils.counts import number_of
from avzoo.utils.errors import AvzooError, CheckpointError
from avzoo.version import __version__

TITLE = 'AV-DIFF as released'  # First line of the config of an imported checkpoint.
_MAX_WIDTH = 1 << 14  # of features, class vectors and the classifier


@dataclass
class ImportedCheckpoint:
    """A released checkpoint in avzoo's format.

    Attributes:
        checkpoint: To be written with ``save_checkpoint``.
        config: Text of the config that builds its model.
        source: Which file it was.
        notes: What the released checkpoint lacks.
    """

    checkpoint: dict[str, Any]
    config: str
    source: str
    notes: list[str] = field(default_factory=list)


def import_checkpoint(
    source: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    shots: int | None = None,
    stage: int | None = None,
    draw: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
    gamma: float | None = None,
) -> ImportedCheckpoint:
    """Import a released checkpoint.

    Args:
        source: A ``.pt``, a run folder, or a zip or folder of many run folders.
        dataset: ``vgg``, ``ucf`` or ``activitynet``: which run to take; needed for a ``.pt`` without ``args.yaml``.
        shots: K of the run to take.
        stage: Stage of the run to take.
        draw: Which draw of a stage-2 run; the first if not given. Stage 1 has none.
        data_root: Feature store that gives class names and class vectors, which a checkpoint does not hold.
        gamma: Calibration, which a checkpoint does not hold either; 0 if not given.

    Raises:
        CheckpointError: If no run or several fit, or the checkpoint is damaged or of another architecture.
    """
    if gamma is not None and not math.isfinite(gamma):
        raise CheckpointError(f'gamma={gamma} is not a calibration; give a finite number, usually from 0 to 1.')
    runs = find_runs(Path(source))
    run = choose_run(runs, dataset, shots, stage)
    dataset, shots, stage = complete_facts(run, dataset, shots, stage)
    cfg = config_from_args(run.args, dataset, shots)
    cfg.data_root = str(data_root or cfg.data_root)
    draw = choose_draw(run, stage, draw)
    file = choose_file(run, draw)
    released = file.load()
    state = from_released(released['model'], str(file))
    hint = (
        ''
        if run.args
        else (
            f" There is no args.yaml beside it, so the authors' best settings of {dataset} with "
            f'{number_of(shots, "shot")} were used: check --dataset and --shots, or put its args.yaml there.'
        )
    )
    _check_layers(released['model'], cfg, str(file), hint)
    meta = _meta(Phase(stage, 'full', draw), dataset, shots, cfg, file, released.get('epoch', 0))
    meta['data_info'] = _data_info(state, str(file))
    notes = _complete(state, meta, cfg, data_root, gamma)
    if not run.args and shots not in SHOTS:
        notes.append(f'The authors released no settings for {number_of(shots, "shot")}: those for 5 were used.')
    notes += [f'A run was skipped: {other.problem}' for other in runs if other.problem]
    _check_fit(cfg, meta['data_info'], state, str(file), hint)
    meta.update(config=as_plain(cfg), notes=notes)
    checkpoint = dict(meta=meta, state_dict=state, optimizer={}, param_schedulers=[], released=_origin(released))
    text = config_text(cfg, f'{TITLE}: {dataset}, {number_of(shots, "shot")}, stage {stage}.')
    return ImportedCheckpoint(checkpoint, text, str(file), notes)


def _meta(phase: Phase, dataset: str, shots: int, cfg: Config, file: ReleasedFile, epoch: int) -> dict[str, Any]:
    return dict(
        format=TRAINING_FORMAT,
        avzoo_version=__version__,
        phase=phase.name,
        stage=phase.stage,
        substage=phase.substage,
        draw=phase.draw,
        dataset=dataset,
        num_shots=shots,
        epoch=epoch,
        iter=0,
        seed=cfg.randomness.seed,
        history=[],
        source=f'released AV-DIFF checkpoint {Path(file.member or file.path).name}',
    )


def _origin(released: dict[str, Any]) -> dict[str, Any]:
    """Return what an export needs besides the weights to give back the released checkpoint."""
    return dict(
        epoch=released.get('epoch'),
        metric=released.get('metric'),
        optimizer=released.get('optimizer', {}),
        keys=list(released['model']),
        unused={key: value for key, value in released['model'].items() if key.startswith(UNUSED)},
    )


def _check_layers(released: dict[str, Tensor], cfg: Config, source: str, hint: str) -> None:
    """Compare the settings of the layers with the names of the tensors, before a model is built."""
    depth = len({key.split('.')[2] for key in released if key.startswith('Audio_visual_transformer.layers.')})
    if depth != cfg.model.fusion.depth:
        raise CheckpointError(
            f'{source} does not fit its settings: they say transformer_depth: '
            f'{cfg.model.fusion.depth}, it has {number_of(depth, "layer")}.{hint}'
        )
    dropout = cfg.model.generator.noise_predictor.dropout
    if ('generator.fc.4.weight' in released) != (dropout > 0):
        raise CheckpointError(
            f'{source} does not fit its settings: they say diffusion_dropout_value: {dropout}, but '
            f'its layers are numbered {"without" if dropout > 0 else "with"} dropout.{hint}'
        )


def _data_info(state: dict[str, Tensor], source: str) -> dict[str, Any]:
    names = dict(
        head='head.fc.weight',
        generator='generator.noise_predictor.net.1.weight',
        **{m: f'encoders.{m}.net.0.weight' for m in MODALITIES},
    )
    shapes = {part: tuple(state[name].shape) for part, name in names.items()}
    for part, shape in shapes.items():
        if len(shape) != 2:
            raise CheckpointError(
                f"{source}: {names[part]} (avzoo's name) has the shape {shape}; two dimensions were expected."
            )
    num_classes, dim = shapes['head']
    embedding_dim = shapes['generator'][1] - dim - 1  # The noise predictor reads x_t, t and w.
    feature_dims = {m: shapes[m][1] for m in MODALITIES}
    for what, size in {'classes': num_classes, 'wide class vectors': embedding_dim, **feature_dims}.items():
        if not 1 <= size <= _MAX_WIDTH:
            raise CheckpointError(
                f'{source} is not a checkpoint of AV-DIFF: by its shapes it has {size} {what}, where '
                f'1 to {_MAX_WIDTH} make sense.'
            )
    return dict(
        feature_dims=feature_dims,
        seconds_per_step=dict(SECONDS_PER_STEP),
        num_classes=num_classes,
        embedding_dim=embedding_dim,
    )


def _complete(
    state: dict[str, Tensor],
    meta: dict[str, Any],
    cfg: Config,
    data_root: str | os.PathLike[str] | None,
    gamma: float | None,
) -> list[str]:
    """Add what the released checkpoint lacks; return what stays unknown."""
    info, notes = meta['data_info'], []
    if data_root is None:
        vectors = torch.zeros(info['num_classes'], info['embedding_dim'])
        notes.append(
            'Class names and class vectors are unknown, as no feature store was given (--data-root): the '
            'vectors are zeros. tools/test.py needs neither; tools/predict.py needs the names.'
        )
    else:
        vectors = _add_classes(meta, Path(data_root), cfg.num_shots)
    if gamma is None:
        notes.append(
            'The calibration is unknown: gamma is 0. tools/test.py CONFIG CHECKPOINT --split val --gamma '
            'search finds it on validation, with the checkpoint of stage 1; import again with --gamma.'
        )
    if window_by_seconds(cfg.to_dict(), 'test'):
        notes.append(
            'The released code cuts audio windows shorter than the visual ones. The config cuts '
            'both by seconds; to score what the released code scores, add --cfg-options '
            'test_dataloader.dataset.window.audio_length=released, and with --split val the same of '
            'val_dataloader.'
        )
    state['conditioner.vectors'] = vectors
    state['gamma'] = torch.tensor(gamma or 0.0, dtype=torch.float64)
    return notes


def _add_classes(meta: dict[str, Any], data_root: Path, num_shots: int) -> Tensor:
    """Add what a store says of the classes and the features; returns the class vectors, (C, d)."""
    data = GFSLDataset(data_root, splits=(base_split(meta['stage']),), num_shots=num_shots)
    if odd := first_difference(data.data_info, meta['data_info']):
        raise CheckpointError(
            f'{data_root} does not fit the checkpoint: {odd.path} is {odd.before} in the store '
            f'(stage {meta["stage"]}, {number_of(num_shots, "shot")}) and {odd.now} in the checkpoint. Check '
            '--data-root and, if no args.yaml gives them, --stage and --shots.'
        )
    meta.update(classes=data.metainfo['classes'], base_mask=data.metainfo['base_mask'])
    if features := data.store.feature_set.texts:
        meta['feature_set'] = dict(features)
    return torch.from_numpy(data.class_embeddings)


def _check_fit(cfg: Config, info: dict[str, Any], state: dict[str, Tensor], source: str, hint: str) -> None:
    """Check that the config builds the model of these tensors."""
    parts = dict(cfg.model.to_dict(), data_info=info, data_preprocessor=cfg.data_preprocessor.to_dict())
    try:
        with torch.device('meta'):  # Shapes without memory: settings may claim any size.
            model = MODELS.build(parts)
    except (AvzooError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f'{source}: no model can be built from its settings: {error}{hint}') from error
    try:
        load_weights(model, {key: tensor.to('meta') for key, tensor in state.items()}, source)
    except CheckpointError as error:
        raise CheckpointError(f'{error}{hint}') from error
