"""Weights by name or by path: the one place that tools and ``get_model`` ask."""

import os
from pathlib import Path
from typing import Any

from avzoo.apis.downloads import fetch
from avzoo.apis.home import cache_home
from avzoo.apis.model_index import read_index
from avzoo.utils.errors import CheckpointError, nearest

_SUFFIXES = ('.pth', '.pt', '.safetensors')


def resolve_checkpoint(name_or_path: str | os.PathLike) -> Path:
    """Return the file of a checkpoint; one that is named by its model is downloaded and verified.

    Args:
        name_or_path: A file, or a name of the index, e.g. ``avdiff_synth_5shot``.

    Raises:
        CheckpointError: If there is neither; says what comes nearest.
        DownloadError: If no address had the right file.
    """
    path, name = Path(name_or_path), str(name_or_path)
    if path.is_file():
        return path
    if path.is_dir():
        raise CheckpointError(f'{path} is a folder; name a checkpoint in it, e.g. stage2_full_draw0/last.pth.')
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        raise CheckpointError(f'There is no checkpoint {path}. Check the path, or train first with tools/train.py.')
    index = read_index()
    if name not in index:
        raise CheckpointError(f"'{name}' is neither a file nor a model of the zoo.{nearest(name, index)} "
                              'avzoo.list_models(pretrained=True) shows those with weights.')
    entry = index[name]
    if entry.weights:
        return fetch(f'checkpoints/{name}.safetensors', entry.weights, sha256=entry.sha256, size=entry.size)
    if (converted := converted_path(name)).is_file():
        return converted
    ready = sorted(other for other, item in index.items() if item.weights)
    raise CheckpointError(f"No weights of '{name}' are published. Train it: python tools/train.py {entry.config}. "
                          f'With weights: {", ".join(ready) or "none yet"}.')


def load_any_checkpoint(name_or_path: str | os.PathLike) -> dict[str, Any]:
    """Read a training checkpoint, published weights, or those of a model's name.

    Returns:
        ``dict(meta=..., state_dict=...)``, and of a training checkpoint also its optimizer. Nothing in the file is run.
    """
    from avzoo.engine.checkpoint import load_checkpoint  # Brings in torch, which resolving a name does not need.

    return load_checkpoint(resolve_checkpoint(name_or_path))


def class_columns(meta: dict[str, Any], source: str | os.PathLike) -> tuple[list[str], list[bool]]:
    """Return the class names by column of a checkpoint, and which are base classes.

    Args:
        meta: The checkpoint's ``meta``.
        source: Where it comes from, for the error.

    Raises:
        CheckpointError: If it does not say, or says less or more than it scores.
    """
    if missing := [key for key in ('classes', 'base_mask', 'data_info') if key not in meta]:
        raise CheckpointError(f'{source} does not say its {missing[0]}. A checkpoint of tools/train.py does; one '
                              'of the authors must be converted with --data-root STORE to learn them.')
    classes, base_mask = list(meta['classes']), list(meta['base_mask'])
    if not len(classes) == len(base_mask) == meta['data_info']['num_classes']:
        raise CheckpointError(f'{source} names {len(classes)} classes (base_mask: {len(base_mask)}) and scores '
                              f"{meta['data_info']['num_classes']}; it is damaged.")
    return classes, base_mask


def converted_path(name: str) -> Path:
    """Return where weights that were converted from the authors' release lie, if they were."""
    return cache_home() / 'converted' / f'{name}.safetensors'
