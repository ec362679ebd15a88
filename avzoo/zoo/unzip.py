"""Unpack a foreign zip: inside its folder, within size limits, completely or not at all."""

import os
import shutil
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

from avzoo.readers.zip_checks import ZIP_ERRORS, check_directory, checked_members
from avzoo.utils.atomic_folder import fill_folder
from avzoo.utils.errors import first_line
from avzoo.utils.regular_files import open_regular
from avzoo.zoo.fetch import DownloadError

# Errors of zipfile and the file system for a damaged archive, or one whose members overwrite each other.
_DAMAGED = (*ZIP_ERRORS, FileExistsError, NotADirectoryError, IsADirectoryError)


def unpack_zip(archive: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Unpack a zip into a new folder.

    Every member is checked before anything is written: see :func:`checked_members`. Members whose names differ only in
    case are refused too.

    Args:
        archive: The zip.
        out: Folder to create; it must not exist.

    Raises:
        DownloadError: If the zip is missing, damaged or refused, or cannot be unpacked. Nothing is left behind.
    """
    archive, out = Path(archive), Path(out).absolute()
    if out.exists():
        raise DownloadError(f'{out} already exists. Remove it, or unpack {archive.name} elsewhere.')
    try:
        check_directory(archive, DownloadError)
        with open_regular(archive, DownloadError) as file, zipfile.ZipFile(file) as source:
            members = checked_members(source, str(archive), DownloadError, room=_free_bytes(out))
            if not members:
                raise DownloadError(f'{archive} was refused: it holds no files. Download it again.')
            _check_names_differ(members, archive)
            with fill_folder(out, lasting=False) as folder:  # It is read only once.
                for info in members:
                    _extract(source, info, folder / PurePosixPath(info.filename))
    except FileNotFoundError as error:
        raise DownloadError(f'There is no zip {archive}. Check the path.') from error
    except _DAMAGED as error:
        raise DownloadError(
            f'{archive} is not a readable zip ({first_line(error)}). Delete it and download it again.'
        ) from error
    except OSError as error:
        raise DownloadError(
            f'{archive} cannot be unpacked to {out}: {error.strerror or error}. Nothing is left there. Unpack it some '
            'other way.'
        ) from error
    return out


def _free_bytes(out: Path) -> int:
    return shutil.disk_usage(next(folder for folder in out.parents if folder.is_dir())).free


def _check_names_differ(members: list[zipfile.ZipInfo], archive: Path) -> None:
    # As compared by a file system that ignores case or composes accents.
    names = {unicodedata.normalize('NFC', str(PurePosixPath(info.filename)).casefold()) for info in members}
    if len(names) != len(members):
        raise DownloadError(f'{archive} was refused, nothing was unpacked: two of its members have the same name.')


def _extract(source: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with source.open(info) as packed, open(path, 'xb') as file:
        shutil.copyfileobj(packed, file, 1 << 20)
