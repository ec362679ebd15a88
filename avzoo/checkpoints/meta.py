"""The metadata of a checkpoint."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from avzoo.config.types import Limit, check_present, check_types
from avzoo.datasets.feature_set import FeatureSet
from avzoo.datasets.store_format import check_feature_set, check_names
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError, ConfigError, DataError, shortened

_Width = Annotated[int, Limit('a whole number from 1 to 2147483647', lambda width: 0 < width < 2**31)]
# 0 where the store has no class vectors and the model needs none.
_EmbeddingWidth = Annotated[int, Limit('a whole number from 0 to 2147483647', lambda width: 0 <= width < 2**31)]
_Number = Annotated[float, Limit('a finite number', math.isfinite)]
_Epochs = Annotated[int, Limit('a whole number from 1 to 1000000', lambda epochs: 0 < epochs <= 1_000_000)]
_Seconds = Annotated[float, Limit('a finite number above 0', lambda value: 0 < value < math.inf)]


@dataclass(frozen=True)
class _DataInfo:
    """The types of the entries of ``data_info``, see :class:`AVClassifier`."""

    feature_dims: dict[str, _Width]
    seconds_per_step: dict[str, _Seconds]
    num_classes: _Width
    embedding_dim: _EmbeddingWidth


@dataclass(frozen=True)
class _Meta:
    """The types of the entries that are read; all are optional."""

    classes: list[str] | None = None
    base_mask: list[bool] | None = None
    data_info: dict | None = None
    feature_set: dict[str, str] | None = None
    config: dict | None = None
    stage: int | None = None
    substage: str | None = None
    draw: int | None = None
    num_shots: int | None = None
    gamma: _Number | None = None
    splits: dict[str, str] | None = None
    outcomes: dict | None = None
    history: list[dict] | None = None
    choices: list[dict] | None = None


@dataclass(frozen=True)
class _Carried:
    """The types of the config sections that are read."""

    model: dict | None = None
    data_preprocessor: dict | None = None


@dataclass(frozen=True)
class _Outcome:
    """The types of what a curriculum phase decided for later ones; all entries are optional."""

    epochs: int | None = None
    best_epoch: _Epochs = 1  # Missing where there was no validation; never None.
    lr_drops: list[int] | None = None
    metrics: dict | None = None
    gamma: _Number | None = None
    last_gamma: _Number | None = None
    scale: _Number | None = None
    last_scale: _Number | None = None


def check_outcomes(outcomes: Mapping[str, Any], path: str) -> None:
    """Check what the curriculum phases decided, as stored in a checkpoint or in the state of a run.

    Args:
        outcomes: By phase name.
        path: Where they are stored, for the error.

    Raises:
        ConfigError: For the first entry of the wrong type or out of range.
    """
    if not isinstance(outcomes, Mapping):
        raise ConfigError(f'{path} is of type {type(outcomes).__name__}. It must be a section (a dict).')
    for name, outcome in outcomes.items():
        if not isinstance(outcome, Mapping):
            raise ConfigError(f'{path}.{name} is of type {type(outcome).__name__}. It must be a section (a dict).')
        check_types(outcome, _Outcome, f'{path}.{name}')


def check_meta(meta: Mapping[str, Any], source: str | os.PathLike[str]) -> None:
    """Check the type of every entry of a checkpoint's ``meta`` that is read later.

    Raises:
        CheckpointError: For the first entry of the wrong type, naming it and what it must be, or if its class names
            could not be those of a store.
    """
    try:
        check_types(meta, _Meta, 'meta')
        if meta.get('data_info') is not None:
            check_present(meta['data_info'], _DataInfo, 'meta.data_info')
            check_types(meta['data_info'], _DataInfo, 'meta.data_info')
        features = meta.get('feature_set') or {}
        check_feature_set('meta.feature_set', features, (meta.get('data_info') or {}).get('feature_dims', features))
        _check_keys(meta, 'meta')
        check_types(meta.get('config') or {}, _Carried, 'meta.config')
        check_outcomes(meta.get('outcomes') or {}, 'meta.outcomes')
        check_names(meta.get('classes') or [], 'meta.classes: the class')
    except (ConfigError, DataError) as error:
        raise CheckpointError(
            f'{source} is damaged or was changed: {shortened(error)} Copy it again or train again.'
        ) from None


def _check_keys(node: Any, path: str) -> None:
    """Refuse a dict with a key that is not text: entries below it could not be named."""
    if isinstance(node, list | tuple):
        for item in node:
            _check_keys(item, path)
    elif isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, str):
                raise ConfigError(f'{path} has the key {key!r}, which is not text.')
            _check_keys(value, f'{path}.{key[:100]}')


def feature_set_of(meta: Mapping[str, Any], source: str | os.PathLike[str]) -> FeatureSet:
    """Return what a checkpoint records about the features that it was trained on; this may be empty.

    Args:
        meta: The checkpoint's ``meta``.
        source: Where it comes from, for messages.
    """
    return FeatureSet(str(source), meta.get('feature_set') or {})


def class_columns(meta: dict[str, Any], source: str | os.PathLike[str]) -> tuple[list[str], list[bool]]:
    """Return the class name of each column of a checkpoint, and which are base classes.

    Args:
        meta: The checkpoint's ``meta``.
        source: Where it comes from, for the error.

    Raises:
        CheckpointError: If this is not recorded, or for more or fewer classes than it scores.
    """
    classes, base_mask = list(require_meta(meta, 'classes', source)), list(require_meta(meta, 'base_mask', source))
    scored = require_meta(meta, 'data_info', source)['num_classes']
    if not len(classes) == len(base_mask) == scored:
        raise CheckpointError(
            f'{source} names {number_of(len(classes), "class", "classes")} (base_mask: {len(base_mask)}) but scores '
            f'{scored}; it is damaged.'
        )
    return classes, base_mask


def require_meta(meta: dict[str, Any], key: str, source: str | os.PathLike[str]) -> Any:
    """Return an entry of a checkpoint's ``meta``.

    Raises:
        CheckpointError: If there is none.
    """
    if meta.get(key) is None:
        raise CheckpointError(
            f'{source} does not record its {key}. Checkpoints of tools/train.py do; those of the '
            'AV-DIFF authors get it when they are imported with --data-root STORE.'
        )
    return meta[key]


def carried_config(meta: Mapping[str, Any], source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the config stored in a checkpoint, as data that is never run; empty if there is none.

    Raises:
        CheckpointError: If it is something else, such as the text of a config file.
    """
    config = meta.get('config') or {}
    if not isinstance(config, dict):
        raise CheckpointError(
            f'{source}: its config is of type {type(config).__name__}, not a dict; it was not read. '
            "Use a checkpoint written by this version's tools/train.py."
        )
    return config
