"""Export an avzoo checkpoint of AV-DIFF to the format of the released code."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avzoo.avdiff_release.config import config_from_args, lookup, window_by_seconds, zoo_config
from avzoo.avdiff_release.keys import UNUSED, to_released
from avzoo.avdiff_release.settings import CURRICULUM, DATASET_KEYS, MODEL, PLAIN, TRAINING, check_settings
from avzoo.avdiff_release.tensors import check_names, check_tensors
from avzoo.checkpoints.meta import carried_config
from avzoo.checkpoints.training import load_checkpoint
from avzoo.config.differences import first_difference
from avzoo.utils.errors import CheckpointError

_CALIBRATION_HIDDEN = 32  # Width of the released code's unused network.
# The parts that the released code has; the rest of a model's config concerns its training in avzoo.
_PARTS = ('encoders', 'embedding', 'fusion', 'projector', 'head', 'generator')
_DAMAGED = 'what it keeps of the released checkpoint is damaged; import that one again.'


@dataclass
class ExportedCheckpoint:
    """A checkpoint for the released code.

    Attributes:
        checkpoint: To be written with ``save_checkpoint`` as a ``.pt``.
        settings: For the ``args.yaml`` beside it: the model and its training.
        notes: What the released code will do differently.
    """

    checkpoint: dict[str, Any]
    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def export_checkpoint(source: str | os.PathLike[str], *, dataset: str | None = None) -> ExportedCheckpoint:
    """Return a checkpoint as the released code reads it, from one of avzoo.

    An imported checkpoint gives back exactly the released tensors. One that avzoo trained gets zeros in place of the
    network that the released code never uses.

    Args:
        source: A checkpoint of avzoo.
        dataset: ``vgg``, ``ucf`` or ``activitynet``: what it was trained on, if its config does not say.

    Raises:
        CheckpointError: If the released code cannot build the model, or ``dataset`` contradicts its config.
    """
    checkpoint, name = load_checkpoint(Path(source)), str(source)
    config = _carried_config(checkpoint['meta'], name)
    dataset = _dataset(config, checkpoint['meta'], dataset, name)
    dropout = lookup(config, 'model.generator.noise_predictor.dropout')
    has_dropout = isinstance(dropout, int | float) and dropout > 0
    state = to_released(checkpoint['state_dict'], name, generator_dropout=has_dropout)
    settings = _settings(config, checkpoint['meta'], dataset, name)
    return ExportedCheckpoint(
        _with_origin(checkpoint, state, name), settings, _notes(config, dataset, 'released' in checkpoint)
    )


def _with_origin(checkpoint: dict[str, Any], state: dict[str, Tensor], source: str) -> dict[str, Any]:
    """Return the released checkpoint, with what an imported one keeps of its origin."""
    kept = checkpoint.get('released') or dict(unused=_unused(state['classifier.weight'].shape[-1]))
    if not isinstance(kept, dict) or not isinstance(kept.get('unused'), dict):
        raise CheckpointError(f'{source}: {_DAMAGED}')
    check_names(kept['unused'], source)
    check_tensors(kept['unused'], source)
    state = state | kept['unused']
    if 'keys' in kept:
        if not isinstance(kept['keys'], list) or sorted(map(str, kept['keys'])) != sorted(state):
            raise CheckpointError(f'{source}: {_DAMAGED}')
        state = {key: state[key] for key in kept['keys']}
    return dict(
        epoch=kept.get('epoch') or checkpoint['meta'].get('epoch', 0),
        model=state,
        optimizer=kept.get('optimizer', {}),
        metric=kept.get('metric') or 'score',
    )


def _carried_config(meta: dict[str, Any], source: str) -> dict[str, Any]:
    config = carried_config(meta, source)
    if not isinstance(config.get('model'), dict):
        raise CheckpointError(
            f'{source} carries no config, without which the layers of the released model cannot be '
            'named. Use a checkpoint that tools/train.py or the import wrote.'
        )
    return config


def _dataset(config: dict[str, Any], meta: dict[str, Any], asked: str | None, source: str) -> str | None:
    """Return what the model was trained on: as its import noted, as ``data_root`` says, or as asked."""
    root, noted = config.get('data_root'), meta.get('dataset')
    told = (
        noted
        if noted in DATASET_KEYS.values()
        else next((key for key in DATASET_KEYS.values() if Path(str(root)).name == f'{key}_fsl'), None)
    )
    if asked and told and asked != told:
        origin = 'its import' if told == noted else f'its config (data_root {root!r})'
        raise CheckpointError(f'{source} was trained on {told}, as {origin} says, not on {asked}; leave --dataset out.')
    return told or asked


def _settings(config: dict[str, Any], meta: dict[str, Any], dataset: str | None, source: str) -> dict[str, Any]:
    """Return the settings of the released code; imported again they give the same parts."""
    shots = meta.get('num_shots')
    if type(shots) is not int or shots < 1:
        raise CheckpointError(
            f'{source} does not say how many shots it was trained on (num_shots); use a checkpoint '
            'that tools/train.py or the import wrote.'
        )
    # A phase's own config holds no curriculum and only the loaders in use; the zoo's config supplies the rest.
    reference = zoo_config(dataset or 'ucf', shots).to_dict()
    whole = config if 'curriculum' in config else reference
    settings = _renamed(config, whole, source)
    settings['lr_scheduler'] = bool(whole.get('param_scheduler'))
    settings.update(_windows(config, reference))
    settings.update(
        zero_shot_split=f'{shots}-shot',
        feature_extraction_method=f'{shots}-shot',
        retrain_all=meta.get('stage') == 2,
        calibration_net_hidden_size=_CALIBRATION_HIDDEN,
    )
    for theirs, ours in (('audio', 'audio'), ('video', 'visual')):
        settings[f'input_size_{theirs}'] = lookup(meta, f'data_info.feature_dims.{ours}')
    if dataset:
        settings['dataset_name'] = next(name for name, key in DATASET_KEYS.items() if key == dataset)
    check_settings(settings, source)
    rebuilt = config_from_args(settings, dataset or 'ucf', shots).model.to_dict()
    for part in _PARTS:
        if odd := first_difference(config['model'].get(part), rebuilt[part], f'model.{part}'):
            raise CheckpointError(
                f'{source}: the model has {odd.path}={odd.before!r}, the released code has only '
                f'{odd.now!r}; it cannot run there.'
            )
    return settings


def _renamed(config: dict[str, Any], whole: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the settings that both have, under the names of the released code."""
    settings = dict(PLAIN)
    for places, origin in ((MODEL, config['model']), (TRAINING, config), (CURRICULUM, whole)):
        for ours, theirs in places.items():
            value = lookup(origin, ours)
            if settings.setdefault(theirs, value) != value:
                raise CheckpointError(
                    f'{source}: the released code has one {theirs}, this model has both '
                    f'{settings[theirs]} and {value} (model.{ours}); it cannot run there.'
                )
    return settings


def _windows(config: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    found = {
        phase: lookup(config.get(loader) or reference[loader], 'dataset.window')
        for phase in ('train', 'val', 'test')
        for loader in [f'{phase}_dataloader']
    }
    # The released code pads to a window, and has none for long videos alone.
    windows = {phase: None if lookup(window, 'long_only') else window for phase, window in found.items()}
    settings = {}
    for mode, phases in (('train', ('train',)), ('test', ('val', 'test'))):
        fixed = all(windows[phase] for phase in phases)
        settings[f'batch_seqlen_{mode}'] = 'fixed' if fixed else 'max'
        if fixed:
            settings.update({f'batch_seqlen_{phase}_maxlen': lookup(windows[phase], 'steps') for phase in phases})
            settings[f'batch_seqlen_{mode}_trim'] = lookup(windows[phases[-1]], 'position') or 'random'
    return settings


def _notes(config: dict[str, Any], dataset: str | None, imported: bool) -> list[str]:
    notes = []
    if dataset is None:
        notes.append(
            f'The data set is unknown (data_root {config.get("data_root")!r}), so args.yaml has no '
            'dataset_name: give --dataset.'
        )
    ours = config.get('data_preprocessor') or config['model'].get('data_preprocessor')
    if ours != zoo_config(dataset or 'ucf', 5).data_preprocessor.to_dict():
        notes.append(
            'The model was trained on features that are not prepared as in the released code '
            '(data_preprocessor), so its scores will differ there.'
        )
    if not imported and window_by_seconds(config, 'train'):
        notes.append(
            'The model was trained on audio windows that last as long as the visual ones. The released code '
            'cuts them shorter, so its scores will differ there.'
        )
    return notes


def _unused(width: int) -> dict[str, Tensor]:
    shapes = {
        'fc.1.weight': (_CALIBRATION_HIDDEN, width),
        'fc.1.bias': (_CALIBRATION_HIDDEN,),
        'fc.3.weight': (1, _CALIBRATION_HIDDEN),
        'fc.3.bias': (1,),
    }
    return {UNUSED + name: torch.zeros(shape) for name, shape in shapes.items()}
