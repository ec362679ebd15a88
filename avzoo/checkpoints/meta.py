"""What a checkpoint says of itself."""

import os
from collections.abc import Mapping
from typing import Any

from avzoo.utils.errors import CheckpointError


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
