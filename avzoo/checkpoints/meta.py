"""What a checkpoint says of itself."""

import os
from typing import Any

from avzoo.utils.errors import CheckpointError


def class_columns(meta: dict[str, Any], source: str | os.PathLike) -> tuple[list[str], list[bool]]:
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


def require_meta(meta: dict[str, Any], key: str, source: str | os.PathLike) -> Any:
    """Return what a checkpoint says of itself.

    Raises:
        CheckpointError: If it does not say.
    """
    if key not in meta:
        raise CheckpointError(
            f'{source} does not say its {key}. A checkpoint of tools/train.py does; one of the '
            'authors must be converted with --data-root STORE to learn it.'
        )
    return meta[key]
