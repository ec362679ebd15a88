"""Make a folder that is either complete or absent: fill a hidden sibling, then rename it."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avzoo.utils.errors import DataError


def check_target(out: Path, marker: str, kind: str) -> None:
    """Refuse to replace anything but an empty folder or an older product of the same kind.

    Args:
        out: Folder to be made.
        marker: Pattern of a file that only a product of this kind holds, e.g. ``store.json``.
        kind: What to call such a product in the error.
    """
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise DataError(f'{out} exists and is not a plain folder. Choose another place for the {kind}.')
    if any(out.iterdir()) and next(out.glob(marker), None) is None:
        raise DataError(f'{out} holds other files and is not a {kind}: nothing was written there. Choose a new folder.')


def part_folder(out: Path) -> Path:
    """Make a hidden folder beside ``out``, on the same file system, to be renamed when it is complete."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f'{out} cannot be made: {out.parent} is a file, or below one. Choose another place.') from None
    part = out.parent / f'.{out.name}.{secrets.token_hex(4)}.part'
    part.mkdir()  # unlike tempfile.mkdtemp it gets the ordinary permissions, which the result keeps
    return part


@contextmanager
def fill_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder to fill, which becomes ``out`` at the end; an exception leaves nothing of it behind."""
    part = part_folder(out)
    try:
        yield part
        replace_folder(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_folder(part: Path, out: Path) -> None:
    """Give ``part`` the name ``out``; what was there before is removed afterwards."""
    if out.is_dir() and any(out.iterdir()):
        old = part.with_name(f'{part.name}.old')
        os.rename(out, old)
        try:
            os.rename(part, out)
        except OSError:
            os.rename(old, out)
            raise
        shutil.rmtree(old)
    else:
        os.rename(part, out)
