"""Weights by name or by path. Tools and ``get_model`` find every checkpoint through this module.

Two kinds of files are found under the name of a model: zoo weights, whose addresses are in the index, and weights
imported from the authors' release on this machine (``avzoo.avdiff_release``).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avzoo.utils.cache import cache_home
from avzoo.utils.errors import CheckpointError, nearest
from avzoo.zoo.benchmarks import find_benchmark
from avzoo.zoo.fetch import fetch
from avzoo.zoo.index import ModelEntry, read_index

_SUFFIXES = ('.pth', '.pt', '.safetensors')


@dataclass(frozen=True)
class CheckpointFile:
    """A file that holds a checkpoint.

    Attributes:
        path: Its path.
        sha256: Its SHA-256 if just verified against the index; loading then need not hash it again.
    """

    path: Path
    sha256: str | None = None

    def load(self) -> dict[str, Any]:
        """Read and verify it, see :func:`load_checkpoint`."""
        from avzoo.checkpoints.training import load_checkpoint  # Imports torch, which resolving a name does not need.

        return load_checkpoint(self.path, sha256=self.sha256)


def find_checkpoint(name_or_path: str | os.PathLike[str]) -> CheckpointFile:
    """Find a checkpoint. Weights given by a model name are downloaded and verified.

    A name in the index means that model, even if the current folder has a file with that name; ``./NAME`` is a path.

    Args:
        name_or_path: A file, or a name in the index, e.g. ``avdiff_synth_5shot``.

    Raises:
        CheckpointError: If there is neither; suggests the nearest model.
        DownloadError: If no address had the right file.
    """
    path, name = Path(name_or_path), str(name_or_path)
    if not name:
        raise CheckpointError('The checkpoint name is empty. Specify a file or a model of the zoo.')
    is_path = path.suffix in _SUFFIXES or len(path.parts) > 1
    if not is_path and name in read_index():
        return find_zoo_weights(name)
    if path.is_dir():
        raise CheckpointError(f'{path} is a folder. Specify a checkpoint in it, e.g. stage2_full_draw0/last.pth.')
    if path.exists():
        return CheckpointFile(path)
    if re.match('[a-z]\\w+:/', name):
        raise CheckpointError(
            f'{name} is an address, not a file. Download it and specify the file. Zoo weights are fetched by name: '
            'tools/download.py --list.'
        )
    if is_path:
        raise CheckpointError(f'There is no checkpoint {path}. Check the path, or train first with tools/train.py.')
    raise CheckpointError(
        f"'{name}' is neither a file nor a model of the zoo.{nearest(name, read_index())} "
        'avzoo.list_models(pretrained=True) shows those with weights.'
    )


def find_zoo_weights(name: str) -> CheckpointFile:
    """Find the weights with a model's name: zoo weights, else imported ones.

    The current folder is not searched.

    Raises:
        CheckpointError: If there are none; says how to get some.
        DownloadError: If no address had the right file.
    """
    index = read_index()
    if name not in index:
        raise CheckpointError(
            f'Zoo weights have the name of the config file, and the zoo has no model '
            f"'{name}'.{nearest(name, index)} Specify a checkpoint."
        )
    entry = index[name]
    if entry.weights:
        path = fetch(f'checkpoints/{name}.safetensors', entry.weights, sha256=entry.sha256, size=entry.size)
        return CheckpointFile(path, entry.sha256)
    if (imported := imported_weights_path(name)).is_file():
        return CheckpointFile(imported)
    benchmark = find_benchmark(entry.dataset)
    if entry.released_url and benchmark:
        raise CheckpointError(
            f"The weights of '{name}' are released by the authors and must be imported first: python "
            f'tools/download.py {name} --data-root STORE, with the feature store that python '
            f'tools/download.py --dataset {benchmark.key} makes. Or train it: python tools/train.py '
            f'{entry.config}'
        )
    ready = sorted(other for other, item in index.items() if item.weights)
    raise CheckpointError(
        f"There are no weights for '{name}'. Train it: python tools/train.py {entry.config}. "
        f'Models with weights: {", ".join(ready) or "none yet"}.'
    )


def resolve_checkpoint(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of a checkpoint, see :func:`find_checkpoint`."""
    return find_checkpoint(name_or_path).path


def load_any_checkpoint(name_or_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a training checkpoint or zoo weights, by path or by model name.

    Returns:
        ``dict(meta=..., state_dict=...)``, for a training checkpoint also its optimizer. No code in the file is run.
    """
    return find_checkpoint(name_or_path).load()


def imported_weights_path(name: str) -> Path:
    """Return the path of weights imported from the authors' release, whether or not they have been imported."""
    return cache_home() / 'converted' / f'{name}.safetensors'


def has_weights(entry: ModelEntry) -> bool:
    """Return whether there are weights for a model name: zoo weights, or imported ones in the cache."""
    return bool(entry.weights) or imported_weights_path(entry.name).is_file()
