"""Write drawn splits to a folder of their own, or into a feature store that is there already."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from avzoo.datasets.atomic_folder import check_target, part_folder, replace_folder
from avzoo.datasets.store_files import read_meta
from avzoo.datasets.store_format import read_csv, write_lines
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_write_text, sha256_of

Splits = Mapping[str, Sequence[str]]


def write_split_folder(out: str | Path, splits: Mapping[int, Splits]) -> Path:
    """Make ``OUT/{K}shot/{split}.txt``; a folder of splits that was there is replaced."""
    out = Path(out).absolute()
    check_target(out, '*shot/val_*.txt', 'folder of splits')
    part = part_folder(out)
    for shots, lists in splits.items():
        _write(part / f'{shots}shot', lists)
    replace_folder(part, out)
    return out


def add_splits(root: str | Path, splits: Mapping[int, Splits]) -> Path:
    """Add K-shot splits to a feature store, or replace those of the same K; each K changes as a whole."""
    root = Path(root).absolute()
    meta = read_meta(root)
    known = {row[0] for row in read_csv(root / 'videos.csv', ['video_id'])}
    for shots, lists in splits.items():
        for name, ids in lists.items():
            unknown = [video for video in ids if video not in known]
            if unknown:
                raise DataError(f'{root}: {len(unknown)} of the {len(ids)} videos of the {shots}-shot split {name} are '
                                f'not in the store, the first is {unknown[0]!r}. Add their features first.')
    for shots, lists in splits.items():
        out = root / 'splits' / f'{shots}shot'
        part = part_folder(out)
        _write(part, lists)
        replace_folder(part, out)
        prefix = f'splits/{shots}shot/'
        meta['sha256'] = {name: digest for name, digest in meta['sha256'].items() if not name.startswith(prefix)}
        meta['sha256'] |= {f'{prefix}{path.name}': sha256_of(path) for path in sorted(out.glob('*.txt'))}
        atomic_write_text(root / 'store.json', json.dumps(meta, indent=2) + '\n')
    return root


def _write(folder: Path, lists: Splits) -> None:
    folder.mkdir(exist_ok=True)
    for name, ids in lists.items():
        write_lines(folder / f'{name}.txt', ids)
