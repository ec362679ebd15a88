"""Turn a training checkpoint into zoo weights, ready to publish."""

import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from avzoo.checkpoints.meta import carried_config, check_outcomes, class_columns
from avzoo.checkpoints.trained_config import as_trained
from avzoo.checkpoints.zoo_weights import write_zoo_weights
from avzoo.config.as_data import portable_config
from avzoo.config.differences import first_difference
from avzoo.config.parts import refuse_unregistered
from avzoo.utils.errors import CheckpointError, ConfigError, shortened
from avzoo.utils.regular_files import read_json
from avzoo.version import __version__
from avzoo.zoo.benchmarks import find_benchmark
from avzoo.zoo.build import build_trained, config_of
from avzoo.zoo.index import ModelEntry, check_model_name, read_index
from avzoo.zoo.weights import load_any_checkpoint

# Metadata of a training checkpoint that zoo weights keep.
_KEPT = (
    'phase',
    'stage',
    'substage',
    'draw',
    'num_shots',
    'epoch',
    'seed',
    'classes',
    'base_mask',
    'data_info',
    'feature_set',
    'splits',
    'outcomes',
    'choices',
)


def publish_checkpoint(
    checkpoint: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    features: str | None = None,
    half: bool = False,
) -> Path:
    """Write zoo weights: no optimizer, no paths of this machine, no code.

    Args:
        checkpoint: A training checkpoint.
        out: A file that ends in ``.safetensors``, or a folder for ``NAME.safetensors``.
        name: Name of the model; by default the stem of ``out``. If the index has that name, the weights must be those
            of that model.
        features: Feature set, e.g. ``VGGish + C3D``; by default that of the index's entry with that name.
        half: Store matrices in half precision: half the size, with slightly different scores.

    Returns:
        The file; the ``.json`` next to it holds its metadata.

    Raises:
        CheckpointError: If the checkpoint is incomplete, damaged, or not from the model with this name in the index.
        ConfigError: If the name cannot be a file name.
    """
    out = Path(out)
    if out.suffix != '.safetensors':
        if name is None:
            raise CheckpointError(f'{out} is a folder. Give the name of the model, or a file {out}/NAME.safetensors.')
        check_model_name(name)
        out = out / f'{name}.safetensors'
    name = out.stem if name is None else name
    check_model_name(name)
    content = load_any_checkpoint(checkpoint)
    meta, state = content['meta'], content['state_dict']
    class_columns(meta, checkpoint)
    if 'gamma' not in state:
        raise CheckpointError(
            f'{checkpoint} holds no calibration (gamma), so it is not a complete avzoo model. Give '
            'a checkpoint from tools/train.py or tools/adapt.py.'
        )
    config = _config(meta, str(checkpoint))
    entry = read_index().get(name)
    if entry is not None:
        _check_name(entry, meta, state, str(checkpoint))
    facts = {key: meta[key] for key in _KEPT if key in meta}
    facts.update(
        name=name,
        config=config,
        gamma=float(state['gamma']),
        features=features or (entry.features if entry else None),
        versions=dict(avzoo=meta.get('avzoo_version', __version__), torch=torch.__version__.split('+')[0]),
        outcomes=meta.get('outcomes') or stage_one_outcomes(Path(checkpoint)),
    )
    return write_zoo_weights(out, state, facts, half=half)


def _config(meta: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the stored config without paths of this machine; foreign parts could not be loaded elsewhere."""
    config = carried_config(meta, source)
    try:
        refuse_unregistered({key: config.get(key) for key in ('model', 'data_preprocessor')}, '')
    except ConfigError as error:
        raise CheckpointError(
            f'{source} holds a config from which no model could be rebuilt ({shortened(error)}). Publish a '
            'checkpoint whose parts belong to avzoo.'
        ) from None
    return portable_config(config)


def _check_name(entry: ModelEntry, meta: dict[str, Any], state: dict[str, Tensor], source: str) -> None:
    """Refuse a checkpoint whose data, K or model are not those of the index's entry."""
    cfg, info, benchmark = config_of(entry.config), meta['data_info'], find_benchmark(entry.dataset)
    found, wanted = {'num_shots': meta.get('num_shots', entry.shots)}, {'num_shots': entry.shots}
    if benchmark is not None:
        found |= {key: _used(info.get(key), cfg) for key in benchmark.data_info}
        wanted |= {key: _used(value, cfg) for key, value in benchmark.data_info.items()}
    if other := first_difference(found, wanted):
        raise CheckpointError(
            f'{source} is not from {entry.name}: its {other.path} is {other.before}, that of '
            f'{entry.name} is {other.now}. Publish it under another name.'
        )
    cfg = as_trained(cfg, meta, source)
    build_trained(cfg, info, state, source)


def _used(value: Any, cfg: Config) -> Any:
    """Return a metadata entry; if it is by modality, only for those that the model uses."""
    return {m: value.get(m) for m in cfg.model.encoders} if isinstance(value, dict) else value


def stage_one_outcomes(checkpoint: Path) -> dict[str, Any]:
    """Return what stage 1 chose, from the checkpoint's work directory; :func:`adapt` uses the same."""
    path = checkpoint.parent.parent / 'curriculum.json'
    try:
        phases = read_json(path)['phases']
        check_outcomes(phases, 'phases')
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(
            f'{path}, the state of the run that the checkpoint comes from, is damaged ({shortened(error)}). Restore '
            'it, or move the checkpoint to its own folder.'
        ) from None
    return {name: outcome for name, outcome in phases.items() if name.startswith('stage1_')}
