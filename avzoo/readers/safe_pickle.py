"""Read pickles, ``.npy`` and ``.npz`` files as plain data, without running code from them; see ``plain_pickle``.

Released features are pickles, and a pickle may call any function it can import.
"""

import errno
import math
import os
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, Any

import numpy as np

from avzoo.readers.plain_pickle import Refused, check_header, load_plain
from avzoo.readers.zip_checks import MAX_RATIO, ZIP_ERRORS, checked_members
from avzoo.utils.errors import DataError, first_line
from avzoo.utils.memory import available_memory
from avzoo.utils.regular_files import open_readable, unreadable

_MOST_PADDING = 256 << 20  # Bytes: what arrays that shrink to less than a hundredth may unpack to.


def load_pickle(path: str | os.PathLike[str], stand_ins: Mapping[tuple[str, str], type] = MappingProxyType({})) -> Any:
    """Unpickle a file of dicts, lists, tuples, text, numbers and numpy arrays.

    Args:
        path: The file.
        stand_ins: (module, name) of further classes -> the empty class whose instances replace theirs.

    Raises:
        DataError: The file names anything else (none of it is run), or it is damaged.
    """
    with open_readable(path) as file:
        return _load(file, path, os.fstat(file.fileno()).st_size, stand_ins)


def load_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a ``.npy`` file, also one that holds Python objects, through the same table as ``load_pickle``."""
    with open_readable(path) as file:
        return _load_npy(file, path, os.fstat(file.fileno()).st_size)


def load_npz(path: str | os.PathLike[str], *, any_ratio: bool = False) -> dict[str, np.ndarray]:
    """Read all arrays of a ``.npz`` file, also ragged ones saved as object arrays.

    Args:
        path: The file.
        any_ratio: Accept any compression ratio; for avzoo's own files, such as scores that are mostly 0.

    Raises:
        DataError: If it is damaged or unsafe to read, or its arrays do not fit into the free memory.
    """
    try:
        with open_readable(path) as file, zipfile.ZipFile(file) as archive:
            arrays = {}
            members = checked_members(archive, str(path), DataError, room=available_memory(), max_ratio=math.inf)
            if not any_ratio:
                _check_padding(sum(info.file_size for info in members), archive.start_dir, path)
            for info in members:
                name = f'{path}: {info.filename}'
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix('.npy')] = _load_npy(member, name, info.file_size)
            return arrays
    except (*ZIP_ERRORS, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # Which a place before its beginning gives.
            raise unreadable(path, error) from error
        raise DataError(f'{path} is not a complete .npz file: {first_line(error)}') from None


def _check_padding(total: int, packed: int, path: str | os.PathLike[str]) -> None:
    """Refuse large arrays with an extreme compression ratio; padded ones of an ordinary size are accepted."""
    if total > max(_MOST_PADDING, MAX_RATIO * packed):
        raise DataError(
            f'{path} would unpack from {packed:,} to {total:,} bytes, which is out of proportion; nothing was '
            'unpacked. If the file is yours, save it with numpy.savez instead of savez_compressed.'
        )


def _load_npy(file: IO[bytes], name: str | os.PathLike[str], size: int) -> np.ndarray:
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):  # Later ones are for the names of structured arrays.
            raise ValueError(f'format version {version} is not supported')
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
        shape, _, dtype = read(file)
        if dtype.hasobject:
            if dtype.kind != 'O':
                raise DataError(f'{name} holds a structured array with objects. Save each field as an array.')
            array = np.asarray(_load(file, name, size))
            if array.shape != shape:
                raise ValueError(f'it holds {array.shape}, but its header says {shape}')
            return array
        check_header(shape, dtype, size)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # a damaged header can fail anywhere in numpy's parser, too
        raise DataError(f'{name} is not a complete .npy file: {first_line(error)}') from None


def _load(
    file: IO[bytes],
    name: str | os.PathLike[str],
    size: int,
    stand_ins: Mapping[tuple[str, str], type] = MappingProxyType({}),
) -> Any:
    try:
        return load_plain(file, size, stand_ins)
    except Refused as error:
        if str(error).startswith('torch.'):
            raise DataError(
                f'{name} holds torch tensors, which are not read from pickles; none of it was run. If you trust '
                'the file, load it with torch and save the tensors as numpy arrays: tensor.numpy().'
            ) from None
        raise DataError(
            f'{name}: the pickle asks for {error}, which plain data never needs; none of it was run. '
            'Do not open this file by other means unless you trust its source.'
        ) from None
    except Exception as error:  # a damaged pickle can fail anywhere, with any exception
        raise DataError(f'{name} is not a complete pickle of plain data ({type(error).__name__}: {error}).') from None
