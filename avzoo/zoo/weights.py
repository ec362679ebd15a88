"""Weights by name or by path: the one place that tools and ``get_model`` ask."""

import os
from pathlib import Path
from typing import Any

from avzoo.utils.cache import cache_home
from avzoo.utils.errors import CheckpointError, nearest
from avzoo.zoo.benchmarks import BENCHMARKS
from avzoo.zoo.fetch import fetch
from avzoo.zoo.index import ModelEntry, read_index

_SUFFIXES = ('.pth', '.pt', '.safetensors')


def resolve_checkpoint(name_or_path: str | os.PathLike) -> Path:
    """Return the file of a checkpoint; one that is named by its model is downloaded and verified.

    A name of the index means its model, whatever lies under that name in the current folder; ``./NAME`` is a path.

    Args:
        name_or_path: A file, or a name of the index, e.g. ``avdiff_synth_5shot``.

    Raises:
        CheckpointError: If there is neither; says what comes nearest.
        DownloadError: If no address had the right file.
    """
    path, name = Path(name_or_path), str(name_or_path)
    if not name:
        raise CheckpointError('The name of the checkpoint is empty: name a file or a model of the zoo.')
    is_path = path.suffix in _SUFFIXES or len(path.parts) > 1
    if not is_path and name in read_index():
        return published_weights(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise CheckpointError(f'{path} is a folder; name a checkpoint in it, e.g. stage2_full_draw0/last.pth.')
    if is_path:
        raise CheckpointError(f'There is no checkpoint {path}. Check the path, or train first with tools/train.py.')
    raise CheckpointError(
        f"'{name}' is neither a file nor a model of the zoo.{nearest(name, read_index())} "
        'avzoo.list_models(pretrained=True) shows those with weights.'
    )


def published_weights(name: str) -> Path:
    """Return the file of the weights that are published under a model's name; never looks into the current folder.

    Raises:
        CheckpointError: If there are none; says how to come by some.
        DownloadError: If no address had the right file.
    """
    index = read_index()
    if name not in index:
        raise CheckpointError(
            f"Published weights go by the name of the config's file, and the zoo has no model "
            f"'{name}'.{nearest(name, index)} Name a checkpoint."
        )
    entry = index[name]
    if entry.weights:
        return fetch(f'checkpoints/{name}.safetensors', entry.weights, sha256=entry.sha256, size=entry.size)
    if (converted := converted_path(name)).is_file():
        return converted
    if key := released_key(entry):
        raise CheckpointError(
            f"The weights of '{name}' are the authors' and must be converted first: python "
            f'tools/download.py {name} --data-root STORE, with the feature store that python '
            f'tools/download.py --dataset {key} makes. Or train it: python tools/train.py '
            f'{entry.config}'
        )
    ready = sorted(other for other, item in index.items() if item.weights)
    raise CheckpointError(
        f"No weights of '{name}' are published. Train it: python tools/train.py {entry.config}. "
        f'With weights: {", ".join(ready) or "none yet"}.'
    )


def load_any_checkpoint(name_or_path: str | os.PathLike) -> dict[str, Any]:
    """Read a training checkpoint, published weights, or those of a model's name.

    Returns:
        ``dict(meta=..., state_dict=...)``, and of a training checkpoint also its optimizer. Nothing in the file is run.
    """
    from avzoo.checkpoints.training import load_checkpoint  # Brings in torch, which resolving a name does not need.

    return load_checkpoint(resolve_checkpoint(name_or_path))


def released_key(entry: ModelEntry) -> str | None:
    """Return the key of the data set for which the authors publish this model; ``None`` if they do not."""
    if entry.converted_from is None:
        return None
    return next((b.key for b in BENCHMARKS.values() if b.title == entry.dataset), None)


def converted_path(name: str) -> Path:
    """Return where weights that were converted from the authors' release lie, if they were."""
    return cache_home() / 'converted' / f'{name}.safetensors'


def has_weights(entry: ModelEntry) -> bool:
    """Return whether a model's weights can be had by its name: published, or converted into the cache before."""
    return bool(entry.weights) or converted_path(entry.name).is_file()
