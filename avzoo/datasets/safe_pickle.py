"""Read pickles of plain containers and numpy arrays without running anything that they name.

Released features are pickles, and a pickle may call any function it can import. Here every name in a pickle is looked
up in a fixed table. Even numpy's own functions that rebuild arrays are replaced by the few lines below, which accept
only ordinary numeric, string and object dtypes: numpy's functions trust the flags and layouts in the file.
"""

import math
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import IO, Any, Literal

import numpy as np

from avzoo.utils.errors import DataError
from avzoo.utils.memory import available_memory
from avzoo.utils.zip_checks import ZIP_ERRORS, checked_members

_PLAIN_KINDS = 'biufcSU'


class _Refused(Exception):
    """A pickle names something outside the table."""


class _Dtype:
    """A dtype while it is unpickled: its code string, then the byte order from its state."""

    __slots__ = ('real',)

    def __init__(self, code: str) -> None:
        self.real = np.dtype(code) if isinstance(code, str) else np.dtype('V1')
        if self.real.kind not in _PLAIN_KINDS + 'O':
            raise _Refused(f'dtype {code!r}')

    def __setstate__(self, state: tuple) -> None:
        _, order, subarray, names, fields, *_ = state
        if (subarray, names, fields) != (None, None, None):
            raise _Refused('a structured dtype')
        self.real = self.real.newbyteorder(order)


class _Array:
    """An array while it is unpickled; ``_plain`` puts the real one in its place."""

    __slots__ = ('real',)

    def __init__(self, real: np.ndarray | None = None) -> None:
        self.real = real

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        order: Literal['C', 'F'] = 'F' if fortran else 'C'
        if dtype.real.kind == 'O':
            flat = _object_array(data)
        else:
            flat = np.frombuffer(_as_bytes(data), dtype.real).copy()
        self.real = flat.reshape(shape, order=order)


def load_pickle(path: str | os.PathLike[str], stand_ins: Mapping[tuple[str, str], type] = MappingProxyType({})) -> Any:
    """Unpickle a file of dicts, lists, tuples, text, numbers and numpy arrays.

    Args:
        path: The file.
        stand_ins: (module, name) of further classes, and the empty class whose instances replace theirs.

    Raises:
        DataError: The file names anything else (nothing of it is run then), or it is damaged.
    """
    with _open(path) as file:
        return _load(file, path, stand_ins)


def load_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a ``.npy`` file, also one that holds Python objects, through the same table as ``load_pickle``."""
    with _open(path) as file:
        return _load_npy(file, path)


def load_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read all arrays of a ``.npz`` file, also ragged ones saved as object arrays.

    Raises:
        DataError: If it is damaged or unsafe to read, or its arrays do not fit into the free memory.
    """
    try:
        with _open(path) as file, zipfile.ZipFile(file) as archive:
            arrays = {}
            for info in checked_members(archive, str(path), DataError, room=available_memory(), max_ratio=math.inf):
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix('.npy')] = _load_npy(member, f'{path}: {info.filename}')
            return arrays
    except ZIP_ERRORS as error:
        raise DataError(f'{path} is not a whole .npz file: {error}') from None


def _open(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(path, 'rb')
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}') from None


def _load_npy(file: IO[bytes], name: str | os.PathLike[str]) -> np.ndarray:
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype.hasobject:
                if dtype.kind != 'O':
                    raise DataError(f'{name} holds a structured array with objects, which is not read.')
                array = np.asarray(_load(file, name))
                if array.shape != shape:
                    raise ValueError(f'it holds {array.shape}, its header says {shape}')
                return array
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # a damaged header can fail anywhere in numpy's parser, too
        raise DataError(f'{name} is not a whole .npy file: {error}') from None


def _load(
    file: IO[bytes], name: str | os.PathLike[str], stand_ins: Mapping[tuple[str, str], type] = MappingProxyType({})
) -> Any:
    try:
        return _plain(_Unpickler(file, stand_ins).load(), tuple(stand_ins.values()))
    except _Refused as error:
        raise DataError(
            f'{name}: the pickle asks for {error}, which plain data never needs; nothing of it was run. '
            'Do not open this file by other means unless you trust where it came from.'
        ) from None
    except Exception as error:  # a damaged pickle can fail anywhere, with any exception
        raise DataError(f'{name} is not a whole pickle of plain data ({type(error).__name__}: {error}).') from None


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows a dozen names."""

    def __init__(self, file: IO[bytes], stand_ins: Mapping[tuple[str, str], type]) -> None:
        super().__init__(file, encoding='latin1')  # Python 2 text; arrays of Python 2 need latin1
        self._table = _names() | dict(stand_ins)

    def find_class(self, module: str, name: str) -> Any:
        place = module.replace('numpy.core', 'numpy._core').replace('__builtin__', 'builtins')
        if (place, name) not in self._table:
            raise _Refused(f'{module}.{name}')
        return self._table[place, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused('a persistent object')


def _names() -> dict[tuple[str, str], Any]:
    """Return what each allowed name stands for; a new table for each file, so that no file alters it for the next."""
    ndarray = object()  # only ever an argument of _reconstruct

    def reconstruct(kind: object, shape: tuple, code: object) -> _Array:
        if kind is not ndarray:
            raise _Refused('an array of a foreign class')
        return _Array()

    def scalar(dtype: _Dtype, data: Any) -> Any:
        return np.frombuffer(_as_bytes(data), _numeric(dtype), 1)[0]

    def frombuffer(data: Any, dtype: _Dtype, shape: tuple, order: str, axis_order: tuple | None = None) -> _Array:
        flat = np.frombuffer(_as_bytes(data), _numeric(dtype)).copy()
        if order == 'K' and axis_order is not None:
            return _Array(flat.reshape(shape).transpose(axis_order))
        return _Array(flat.reshape(shape, order=order))

    def encode(text: str, encoding: str = 'latin1') -> bytes:  # how protocol 2 spells bytes
        return text.encode(encoding if encoding in ('latin1', 'utf-8') else 'ascii')

    def no_bytes() -> bytes:  # and no bytes at all; bytes(10**12) must not be called
        return b''

    table: dict[tuple[str, str], Callable | object] = {
        ('builtins', kind.__name__): kind for kind in (dict, list, tuple, str, int, float)
    }
    table |= {
        ('numpy', 'ndarray'): ndarray,
        ('numpy', 'dtype'): lambda code, *_: _Dtype(code),
        ('numpy._core.multiarray', '_reconstruct'): reconstruct,
        ('numpy._core.multiarray', 'scalar'): scalar,
        ('numpy._core.numeric', '_frombuffer'): frombuffer,
        ('_codecs', 'encode'): encode,
        ('builtins', 'bytes'): no_bytes,
    }
    return table


def _numeric(dtype: _Dtype) -> np.dtype:
    if dtype.real.kind not in _PLAIN_KINDS:
        raise _Refused('objects inside a number array')
    return dtype.real


def _object_array(items: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(items), object)
    for i, item in enumerate(items):  # one by one: a slice assignment would look inside the items
        array[i] = item
    return array


def _as_bytes(data: Any) -> bytes | bytearray:
    if isinstance(data, str):  # written by Python 2
        return data.encode('latin1')
    if not isinstance(data, bytes | bytearray):
        raise _Refused(f'array data of type {type(data).__name__}')
    return data


def _plain(value: Any, stand_ins: tuple[type, ...] = ()) -> Any:
    """Replace the stand-ins of arrays, all the way down."""
    if isinstance(value, _Array):
        if value.real is None:
            raise ValueError('an array without its data')
        if value.real.dtype == object:
            return _object_array([_plain(item) for item in value.real.flat]).reshape(value.real.shape)
        return value.real
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, stand_ins):
        vars(value).update({key: _plain(item) for key, item in vars(value).items()})
    return value
