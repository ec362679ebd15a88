"""Write drawn splits to a separate folder, or into an existing feature store."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from avzoo.datasets.store_files import read_meta
from avzoo.datasets.store_format import read_csv, write_lines
from avzoo.utils.atomic_folder import check_target, fill_folder
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_write_text, sha256_of

Splits = Mapping[str, Sequence[str]]


def write_split_folder(
    out: str | os.PathLike[str], splits: Mapping[int, Splits], beside: Callable[[Path], None] | None = None
) -> Path:
    """Write ``OUT/{K}shot/{split}.txt``; an existing folder of splits is replaced.

    Args:
        out: The folder.
        splits: K -> split name -> video ids.
        beside: Called with the folder while it is filled, to write what else belongs into it.
    """
    out = Path(out).absolute()
    check_target(out, '*shot/val_*.txt', 'folder of splits')
    with fill_folder(out) as part:
        for shots, lists in splits.items():
            _write(part / f'{shots}shot', lists)
        if beside is not None:
            beside(part)
    return out


def add_splits(root: str | os.PathLike[str], splits: Mapping[int, Splits], labels: Mapping[str, str]) -> Path:
    """Add K-shot splits to a feature store, or replace those of the same K; each K changes as a whole.

    The checksums of these K are removed from ``store.json`` first and written again when all lists are complete. A
    process that is killed in between leaves a store that opens, with the old, the new or no lists of each K, and that
    ``verify_checksums`` reports as unfinished.

    Args:
        root: The store.
        splits: K -> split name -> video ids.
        labels: Class of every video of the splits; it must be the same in the store.
    """
    root = Path(root).absolute()
    meta = read_meta(root)
    _check_fit(root, splits, labels)
    folders = tuple(f'splits/{shots}shot/' for shots in splits)
    meta['sha256'] = {name: digest for name, digest in meta['sha256'].items() if not name.startswith(folders)}
    _write_meta(root, meta)
    for shots, lists in splits.items():
        with fill_folder(root / 'splits' / f'{shots}shot') as part:
            _write(part, lists)
    names = [f'{folder}{path.name}' for folder in folders for path in sorted((root / folder).glob('*.txt'))]
    meta['sha256'] |= {name: sha256_of(root / name) for name in names}
    _write_meta(root, meta)
    return root


def _check_fit(root: Path, splits: Mapping[int, Splits], labels: Mapping[str, str]) -> None:
    """Check that the store has every video, under the same class."""
    stored = dict(read_csv(root / 'videos.csv', ['video_id', 'label']))
    for shots, lists in splits.items():
        for name, ids in lists.items():
            unknown = [video for video in ids if video not in stored]
            if unknown:
                raise DataError(
                    f'{root} lacks {len(unknown)} of the {number_of(len(ids), "video")} of the {shots}-shot split '
                    f'{name}, the first is {unknown[0]!r}. Add their features first.'
                )
            other = [video for video in ids if stored[video] != labels[video]]
            if other:
                raise DataError(
                    f'{root}: video {other[0]!r} is of class {stored[other[0]]!r} in the store, of '
                    f'{labels[other[0]]!r} in the lists ({number_of(len(other), "such video")} in the {shots}-shot '
                    f'split {name}). Correct the lists, or import the features again.'
                )


def _write_meta(root: Path, meta: Mapping[str, Any]) -> None:
    atomic_write_text(root / 'store.json', json.dumps(meta, indent=2) + '\n')


def _write(folder: Path, lists: Splits) -> None:
    folder.mkdir(exist_ok=True)
    for name, ids in lists.items():
        write_lines(folder / f'{name}.txt', ids)
