"""Build a model from a config and the facts about its data."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config
from torch import nn

from avzoo.checkpoints.states import check_fit
from avzoo.checkpoints.training import load_weights
from avzoo.config.load import load_config
from avzoo.config.parts import refuse_unregistered
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.protocol import train_splits
from avzoo.registry import MODELS
from avzoo.utils.errors import ConfigError, first_line
from avzoo.zoo.benchmarks import find_benchmark
from avzoo.zoo.index import find_model, read_index
from avzoo.zoo.runs import RUN_CONFIG, is_run, run_of, run_weights
from avzoo.zoo.weights import CheckpointFile, find_zoo_weights

# For any width. Smaller models take a few megabytes; an outline imports torch._dynamo, which takes a second.
_LARGE = 1 << 13
# Set by phases of the curriculum; they affect training, not the model.
_TRAINING_KEYS = ('frozen', 'frozen_mode', 'gamma', 'scale')


def config_of(
    name_or_config: str | os.PathLike[str] | Config, options: Sequence[str] = (), *, of_runs: bool = True
) -> Config:
    """Return the config for a model name, a config file or the folder of a run, or the config itself.

    Args:
        name_or_config: Any of these.
        options: ``key=value`` changes to a config that is read from a file.
        of_runs: Also check the parts of such a config that are built only for training and testing.
    """
    if isinstance(name_or_config, Config):
        return name_or_config
    return load_config(config_path(name_or_config), options, of_runs=of_runs)


def config_path(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the config file for a model name or the folder of a run; any other path is returned unchanged.

    Raises:
        ConfigError: If the zoo has no model with that name.
    """
    if not str(name_or_path):
        raise ConfigError('The model name is empty. `avzoo list` shows all names.')
    path, name = Path(name_or_path), str(name_or_path)
    if is_run(path) and name not in read_index():
        return path / RUN_CONFIG
    if path.suffix or '/' in name:
        return path
    try:
        return find_model(name).config
    except ConfigError as error:
        raise ConfigError(f'{error} There is no folder {name} of a run or a classifier either.') from None


def model_name(cfg: Config) -> str:
    """Return the name under which a config's weights are found: the stem of its file, or the folder of its run.

    Raises:
        ConfigError: If the config was not read from a file.
    """
    if not cfg.filename:
        raise ConfigError('This config was made in memory, so it has no name to find weights: specify a checkpoint.')
    file = Path(cfg.filename)
    return str(run_of(file) or file.stem)


def weights_of(cfg: Config, substage: Literal['base', 'full'] = 'full') -> CheckpointFile:
    """Return the weights for a config: those of its run, or else those with its name.

    Args:
        cfg: A config read from a file.
        substage: The sub-stage of a run, see :func:`run_weights`.

    Raises:
        ConfigError: If the config was not read from a file.
        CheckpointError: If there are no weights.
        DownloadError: If no address had the right file.
    """
    run = run_of(Path(cfg.filename)) if cfg.filename else None
    return find_zoo_weights(model_name(cfg)) if run is None else CheckpointFile(run_weights(run, substage))


def data_info_of(cfg: Config, *, data_root: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return what the data determines in a model of stage 2.

    It is read from the store at ``data_root``, by default the config's. If the config's store is missing, the known
    facts about the benchmark are returned.

    Raises:
        ConfigError: If there is no store, and the data set is not a benchmark.
    """
    root = Path(data_root or cfg.data_root)
    if data_root is not None or (root / 'store.json').is_file():
        return GFSLDataset(root, splits=train_splits(2, 0), num_shots=cfg.num_shots).data_info
    benchmark = find_benchmark(root.name)
    if benchmark is None:
        raise ConfigError(
            f'There is no feature store {root} to read feature widths and classes from. Specify another one with '
            '--data-root; in Python, pass data_root, data_info or pretrained.'
        )
    return benchmark.data_info


def build_model(cfg: Config | Mapping[str, Any], data_info: Mapping[str, Any]) -> AVClassifier:
    """Build the model of a curriculum's config, or of the config inside a checkpoint.

    Args:
        cfg: A config, or the plain dict in a checkpoint; nothing is imported for the names in such a dict.
        data_info: See :class:`AVClassifier`; if empty, that of the config is used.

    Raises:
        ConfigError: If a part is not registered or rejects its settings.
    """
    if not isinstance(cfg, Config):
        refuse_unregistered({key: cfg.get(key) for key in ('model', 'data_preprocessor')}, '')
    model = {key: value for key, value in dict(cfg['model']).items() if key not in _TRAINING_KEYS}
    if cfg.get('data_preprocessor') is not None:
        model['data_preprocessor'] = cfg['data_preprocessor']
    own_info = model.pop('data_info', None)
    return MODELS.build(dict(model, data_info=dict(data_info or own_info)))


def build_trained(cfg: Config, data_info: Mapping[str, Any], state: Mapping[str, Any], source: str) -> AVClassifier:
    """Build a model and load its weights. Large amounts of memory are used only once these are known to fit.

    The widths in a checkpoint are only claims; its weights show whether they are true.

    Args:
        cfg: The config of a curriculum.
        data_info: That of the checkpoint, see :class:`AVClassifier`.
        state: The weights.
        source: Where they come from, for the error.

    Raises:
        CheckpointError: If the weights do not fit.
    """
    if _may_be_large(data_info) and (outline := _outline(cfg, data_info)) is not None:
        check_fit(outline, state, source)
    model = build_model(cfg, data_info)
    load_weights(model, dict(state), source)
    return model


def _may_be_large(data_info: Mapping[str, Any]) -> bool:
    widths = (data_info['num_classes'], data_info['embedding_dim'], *data_info['feature_dims'].values())
    return max(widths) > _LARGE


def _outline(cfg: Config, data_info: Mapping[str, Any]) -> AVClassifier | None:
    """Return a model without data; ``None`` if a part computes with its tensors while it is built."""
    try:
        with torch.device('meta'):
            return build_model(cfg, data_info)
    except ConfigError:
        return None


def move_to(device: str, model: nn.Module) -> nn.Module:
    """Move a model to a device.

    Raises:
        ConfigError: If this machine or this build of torch has no such device, or it is full or cannot compute.
    """
    try:
        if torch.device(device).type == 'meta':
            raise RuntimeError('The meta device holds no data.')
        return model.to(device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises AssertionError.
        raise ConfigError(f"device='{device}' cannot be used. Choose another, e.g. cpu. {first_line(error)}") from error
