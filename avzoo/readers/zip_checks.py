"""Refuse a harmful zip before any of it is unpacked.

Only the directory of the archive is read. What it says can be relied on for members that are stored or deflated: Python
unpacks no more of these than their stated size.

Archives of numpy arrays are an exception to the limit on the ratio: features that are padded with zeros rightly shrink
to a thousandth. They are held to the free memory only, see :func:`avzoo.readers.safe_pickle.load_npz`.
"""

import os
import re
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

from avzoo.utils.errors import AvzooError
from avzoo.utils.regular_files import open_regular

# The largest released archive holds at most 309 classes x 11 folders x 2 modalities x 4 K, about 27,000 files.
MAX_MEMBERS = 200_000
MAX_DIRECTORY = MAX_MEMBERS * 400  # Bytes; an entry of a released archive has about 100.
_TAIL = 22 + 0xFFFF + 76  # Bytes: the record at the end with the longest comment, and those of zip64 before it.
# Measured on released files: weights 1.01, settings 2.7, features 2.2 (one file at most 3.9). Deflate can reach 1,000.
MAX_RATIO = 100
# A file this small does no harm at any ratio, e.g. the features of a silent class.
RATIO_MATTERS_FROM = 16 << 20


# What zipfile raises for an archive that is damaged, or of a kind that it does not read.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def check_directory(path: str | os.PathLike[str], error: type[AvzooError]) -> None:
    """Refuse an archive whose directory is too large to be read into memory: :mod:`zipfile` reads all of it.

    Args:
        path: The archive; one without a directory is left to :mod:`zipfile`.
        error: Class of the error to raise.
    """
    with open_regular(path, error) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        tail = file.read(_TAIL)
    end = tail.rfind(b'PK\x05\x06')
    size = int.from_bytes(tail[end + 12 : end + 16], 'little') if end >= 0 else 0
    large = tail.rfind(b'PK\x06\x06')  # Of zip64; its field holds where the other has no room for the number.
    if size == 0xFFFFFFFF and large >= 0:
        size = int.from_bytes(tail[large + 40 : large + 48], 'little')
    if size > MAX_DIRECTORY:
        raise error(
            f'{path} was refused, nothing was unpacked: its directory has {size:,} bytes, over {MAX_DIRECTORY:,}. '
            'Download it again.'
        )


def checked_members(
    archive: zipfile.ZipFile,
    name: str,
    error: type[AvzooError],
    *,
    room: int | None = None,
    max_ratio: float = MAX_RATIO,
) -> list[zipfile.ZipInfo]:
    """Return the files of an archive.

    Refuses names that lead out of it, links and devices, encrypted members, packing other than deflate, more than
    ``MAX_MEMBERS`` members, and sizes that are out of proportion or exceed ``room``.

    Args:
        archive: The open archive.
        name: What to call it in the error.
        error: Class of the error to raise.
        room: Bytes available for its content, on disk or in memory; no limit by default.
        max_ratio: Largest ratio of unpacked to packed size for a large file; ``math.inf`` for any ratio.
    """
    infos = archive.infolist()
    # zipfile reads no entry where the size of the directory is damaged, as in an archive without members.
    empty = not infos and archive.start_dir > 0
    problem = f'{archive.start_dir:,} bytes precede its directory, which is empty' if empty else ''
    problem = problem or (f'it has {len(infos):,} members, over {MAX_MEMBERS:,}' if len(infos) > MAX_MEMBERS else '')
    problem = problem or next(filter(None, (_member_problem(info, max_ratio) for info in infos)), '')
    problem = problem or _total_problem(infos, archive.start_dir, room, max_ratio)
    if problem:
        raise error(f'{name} was refused, nothing was unpacked: {problem}. Download it again.')
    return [info for info in infos if not info.is_dir()]


def _member_problem(info: zipfile.ZipInfo, max_ratio: float) -> str:
    name = info.orig_filename  # As it stands in the archive; `filename` ends at a NUL.
    path = PurePosixPath(name)
    foreign = '\\' in name or re.match('[A-Za-z]:', name)  # Separators and drives of other systems.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not name.isprintable():
        return f'the name of the member {name!r} holds control characters'
    if foreign or path.is_absolute() or '..' in path.parts or path == PurePosixPath('.'):
        return f'the member {name!r} would lie outside its folder'
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f'the member {name!r} is a link or a device'
    if info.flag_bits & 0x1:
        return f'the member {name!r} is encrypted'
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f'the member {name!r} is packed by a method other than deflate, so its size cannot be relied on'
    if _is_out_of_proportion(info.file_size, info.compress_size, max_ratio):
        sizes = f'from {info.compress_size:,} to {info.file_size:,} bytes'
        return f'the member {name!r} would unpack {sizes}, which is out of proportion'
    return ''


def _total_problem(infos: list[zipfile.ZipInfo], packed: int, room: int | None, max_ratio: float) -> str:
    """Check the sum of all sizes: members may share their packed bytes."""
    total = sum(info.file_size for info in infos)
    if _is_out_of_proportion(total, packed, max_ratio):
        return f'its {packed:,} bytes would unpack to {total:,}, which is out of proportion'
    if room is not None and total > room:
        return f'it would unpack to {total:,} bytes, but there is room for {room:,}'
    return ''


def _is_out_of_proportion(size: int, packed: int, max_ratio: float) -> bool:
    # The least ratio that matters is checked first: infinity times 0 is not a number.
    return size > RATIO_MATTERS_FROM and size > max_ratio * max(packed, 1)
