"""Unpack a zip that may be hostile: inside its folder, of sane size, complete or not at all."""

import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from avzoo.utils.atomic_folder import part_folder, replace_folder
from avzoo.zoo.fetch import DownloadError

_CHUNK = 1 << 20
_MAX_FILES = 1_000_000
# Features compress to a half or a third of their size; archives that promise far more are bombs.
_MAX_RATIO = 100
_RATIO_MATTERS_FROM = 16 << 20


def unpack_zip(archive: str | Path, out: str | Path) -> Path:
    """Unpack a zip into a new folder.

    Every member is looked at before anything is written. Refused are names that lead out of the folder, links and
    devices, encrypted members, two members of one name, and sizes beyond reason or beyond the disk.

    Args:
        archive: The zip.
        out: Folder to make; it must not exist.

    Raises:
        DownloadError: If the zip is missing, damaged or refused, or the disk does not take it. Nothing is left behind.
    """
    archive, out = Path(archive), Path(out).absolute()
    if out.exists():
        raise DownloadError(f'{out} exists already; remove it, or unpack {archive.name} elsewhere.')
    try:
        with zipfile.ZipFile(archive) as source:
            members = _checked_members(source, archive, out)
            part = part_folder(out)
            try:
                for member, path in members:
                    _extract(source, member, part / path)
                replace_folder(part, out)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except FileNotFoundError as error:
        raise DownloadError(f'There is no zip {archive}. Check the path.') from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,
        FileExistsError,
        NotADirectoryError,
        IsADirectoryError,
    ) as error:
        raise DownloadError(f'{archive} is no readable zip ({error}); delete it and download it again.') from error
    except OSError as error:
        raise DownloadError(
            f'{archive} cannot be unpacked to {out}: {error.strerror or error}. Nothing is left '
            'there; unpack it by other means.'
        ) from error
    return out


def _checked_members(source: zipfile.ZipFile, archive: Path, out: Path) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    infos = source.infolist()
    members = [(info, _safe_path(info, archive)) for info in infos if not info.is_dir()]
    for info in infos:
        _safe_path(info, archive)  # Folders too.
    names = {str(path).lower() for _, path in members}
    if len(names) != len(members):
        raise _refused(archive, 'two of its members have the same name')
    if len(infos) > _MAX_FILES:
        raise _refused(archive, f'it has {len(infos)} members')
    total, packed = sum(info.file_size for info in infos), archive.stat().st_size
    if total > _RATIO_MATTERS_FROM and total > _MAX_RATIO * packed:
        raise _refused(archive, f'its {packed:,} bytes would unpack to {total:,}')
    parent = next(folder for folder in out.parents if folder.is_dir())
    free = shutil.disk_usage(parent).free
    if total > free:
        raise DownloadError(f'{archive} needs {total:,} bytes unpacked, but {parent} has {free:,} free.')
    return members


def _safe_path(info: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    name = info.orig_filename
    path = PurePosixPath(name)
    odd = '\\' in name or '\0' in name or name[1:2] == ':'  # Separators and drives of other systems.
    if odd or str(path) in ('', '.') or path.is_absolute() or '..' in path.parts:
        raise _refused(archive, f'the member {name!r} would lie outside of its folder')
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(archive, f'the member {name!r} is a link or a device')
    if info.flag_bits & 0x1:
        raise _refused(archive, f'the member {name!r} is encrypted')
    return path


def _extract(source: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with source.open(info) as packed, open(path, 'xb') as file:
        while chunk := packed.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile(f'{info.filename} is longer than it says')
            file.write(chunk)


def _refused(archive: Path, reason: str) -> DownloadError:
    return DownloadError(f'{archive} was refused, nothing was unpacked: {reason}.')
