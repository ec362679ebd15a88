"""What a checkpoint says of itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from avzoo.config.types import Limit, check_present, check_types
from avzoo.utils.errors import CheckpointError, ConfigError


@dataclass(frozen=True)
class _DataInfo:
    """The kinds of the entries of ``data_info``, see :class:`AVClassifier`."""

    feature_dims: dict[str, int]
    seconds_per_step: dict[str, float]
    num_classes: int
    # 0 where the store has no class vectors and the model needs none.
    embedding_dim: Annotated[int, Limit('a whole number of at least 0', lambda value: value >= 0)]


@dataclass(frozen=True)
class _Meta:
    """The kinds of the entries that are read; a checkpoint may lack each of them."""

    classes: list[str] | None = None
    base_mask: list[bool] | None = None
    data_info: dict | None = None
    config: dict | None = None
    stage: int | None = None
    substage: str | None = None
    draw: int | None = None
    num_shots: int | None = None
    splits: dict[str, str] | None = None
    outcomes: dict[str, dict] | None = None
    history: list[dict] | None = None
    choices: list[dict] | None = None


def check_meta(meta: Mapping[str, Any], source: str | os.PathLike[str]) -> None:
    """Check the kind of every entry of a checkpoint's ``meta`` that is read later.

    Raises:
        CheckpointError: For the first entry of another kind; names it and what it must be.
    """
    try:
        check_types(meta, _Meta, 'meta')
        if meta.get('data_info') is not None:
            check_present(meta['data_info'], _DataInfo, 'meta.data_info')
            check_types(meta['data_info'], _DataInfo, 'meta.data_info')
    except ConfigError as error:
        reason = str(error) if len(str(error)) < 400 else f'{str(error)[:200]} ... {str(error)[-100:]}'
        raise CheckpointError(f'{source} is damaged or was changed: {reason} Copy it again or train again.') from None


def class_columns(meta: dict[str, Any], source: str | os.PathLike[str]) -> tuple[list[str], list[bool]]:
    """Return the class names by column of a checkpoint, and which are base classes.

    Args:
        meta: The checkpoint's ``meta``.
        source: Where it comes from, for the error.

    Raises:
        CheckpointError: If it does not say, or says less or more than it scores.
    """
    classes, base_mask = list(require_meta(meta, 'classes', source)), list(require_meta(meta, 'base_mask', source))
    scored = require_meta(meta, 'data_info', source)['num_classes']
    if not len(classes) == len(base_mask) == scored:
        raise CheckpointError(
            f'{source} names {len(classes)} classes (base_mask: {len(base_mask)}) and scores {scored}; it is damaged.'
        )
    return classes, base_mask


def require_meta(meta: dict[str, Any], key: str, source: str | os.PathLike[str]) -> Any:
    """Return an entry of a checkpoint's ``meta``.

    Raises:
        CheckpointError: If there is none.
    """
    if key not in meta:
        raise CheckpointError(
            f'{source} does not say its {key}. A checkpoint of tools/train.py does; one of the '
            'authors must be imported with --data-root STORE to learn it.'
        )
    return meta[key]


def carried_config(meta: Mapping[str, Any], source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the config that a checkpoint carries, which is data and never run; empty if it carries none.

    Raises:
        CheckpointError: If it is something else, such as the text of a config file.
    """
    config = meta.get('config') or {}
    if not isinstance(config, dict):
        raise CheckpointError(
            f'{source}: its config is of type {type(config).__name__}, not a dict; it was not read. '
            'Use a checkpoint of tools/train.py of this version.'
        )
    return config
