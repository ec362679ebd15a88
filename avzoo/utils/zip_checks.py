"""Refuse a zip that could do harm, before anything of it is unpacked.

Only the directory of the archive is read. What it says can be relied on for members that are stored or deflated: Python
unpacks no more of these than their stated size.
"""

import re
import stat
import zipfile
from pathlib import PurePosixPath

from avzoo.utils.errors import AvzooError

# The largest released archive holds at most 309 classes x 11 folders x 2 modalities x 4 K, about 27,000 files.
MAX_MEMBERS = 200_000
# Measured on released files: weights 1.01, settings 2.7, features 2.2 (one file at most 3.9). Deflate can reach 1,000.
MAX_RATIO = 100
# A file this small does no harm at any ratio, e.g. the features of a silent class.
RATIO_MATTERS_FROM = 16 << 20


def checked_members(
    archive: zipfile.ZipFile, name: str, error: type[AvzooError], *, room: int | None = None
) -> list[zipfile.ZipInfo]:
    """Return the files of an archive.

    Refused are names that lead out of it, links and devices, encrypted members, packing other than deflate, more than
    ``MAX_MEMBERS`` members, and sizes that are out of proportion or exceed ``room``.

    Args:
        archive: The open archive.
        name: What to call it in the error.
        error: Class of the error to raise.
        room: Bytes that there are for its content on the disk or in memory; by default there is no limit.
    """
    infos = archive.infolist()
    problem = f'it has {len(infos):,} members, over {MAX_MEMBERS:,}' if len(infos) > MAX_MEMBERS else ''
    problem = problem or next(filter(None, map(_member_problem, infos)), '')
    problem = problem or _total_problem(infos, archive.start_dir, room)
    if problem:
        raise error(f'{name} was refused, nothing was unpacked: {problem}. Download it again.')
    return [info for info in infos if not info.is_dir()]


def _member_problem(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename  # As it stands in the archive; `filename` ends at a NUL.
    path = PurePosixPath(name)
    foreign = '\\' in name or re.match('[A-Za-z]:', name)  # Separators and drives of other systems.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not name.isprintable():
        return f'the name of the member {name!r} holds control characters'
    if foreign or path.is_absolute() or '..' in path.parts or path == PurePosixPath('.'):
        return f'the member {name!r} would lie outside of its folder'
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f'the member {name!r} is a link or a device'
    if info.flag_bits & 0x1:
        return f'the member {name!r} is encrypted'
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f'the member {name!r} is packed by another method than deflate, so its size cannot be relied on'
    if _is_out_of_proportion(info.file_size, info.compress_size):
        sizes = f'from {info.compress_size:,} to {info.file_size:,} bytes'
        return f'the member {name!r} would unpack {sizes}, which is out of proportion'
    return ''


def _total_problem(infos: list[zipfile.ZipInfo], packed: int, room: int | None) -> str:
    """Check the sum of all sizes: members may share their packed bytes."""
    total = sum(info.file_size for info in infos)
    if _is_out_of_proportion(total, packed):
        return f'its {packed:,} bytes would unpack to {total:,}, which is out of proportion'
    if room is not None and total > room:
        return f'it would unpack to {total:,} bytes, and there is room for {room:,}'
    return ''


def _is_out_of_proportion(size: int, packed: int) -> bool:
    return size > max(RATIO_MATTERS_FROM, MAX_RATIO * packed)
