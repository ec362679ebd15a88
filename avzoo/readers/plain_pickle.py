"""Unpickle plain containers and numpy arrays without running anything that a pickle names.

Every name in a pickle is looked up in a fixed table. Even numpy's own functions that rebuild arrays are replaced by the
few lines below, which accept only ordinary numeric, string and object dtypes: numpy's functions trust the flags and
layouts in the file. What is read takes no more memory than the file can account for.
"""

import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import IO, Any, ClassVar, Literal

import numpy as np

_PLAIN_KINDS = 'biufcSU'
_SLACK = 4 << 20  # Bytes that any pickle may take.
_MOST_EMPTY = 1 << 20  # Bytes that the other dimensions of an empty array may claim.


class Refused(Exception):
    """A pickle names something outside the table."""


class _Budget:
    """Limits how much a pickle may unpack to: two bytes can stand for another copy of anything.

    Args:
        size: Bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self._left = _SLACK + 10 * size  # Text is read, encoded and copied; a reference takes 8 bytes.

    def take(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise Refused('far more memory than the file has bytes')


class _Dtype:
    """A dtype while it is unpickled: its code string, then the byte order from its state."""

    __slots__ = ('real',)

    def __init__(self, code: str) -> None:
        self.real = np.dtype(code) if isinstance(code, str) else np.dtype('V1')
        if self.real.kind not in _PLAIN_KINDS + 'O':
            raise Refused(f'dtype {code!r}')

    def __setstate__(self, state: tuple) -> None:
        _, order, subarray, names, fields, *_ = state
        if (subarray, names, fields) != (None, None, None):
            raise Refused('a structured dtype')
        self.real = self.real.newbyteorder(order)


class _Array:
    """An array while it is unpickled; ``_plain`` puts the real one in its place."""

    __slots__ = ('_budget', 'real')

    def __init__(self, budget: _Budget, real: np.ndarray | None = None) -> None:
        self._budget, self.real = budget, real

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        if dtype.real.kind == 'O':
            self._budget.take(8 * len(data))
            self.real = _shaped(_object_array(data), shape, 'C')  # numpy lists objects row by row, whatever the flag.
        else:
            self._budget.take(len(data))
            flat = np.frombuffer(_as_bytes(data), dtype.real).copy()
            self.real = _shaped(flat, shape, 'F' if fortran else 'C')


def load_plain(file: IO[bytes], size: int, stand_ins: Mapping[tuple[str, str], type] = MappingProxyType({})) -> Any:
    """Unpickle dicts, lists, tuples, text, numbers and numpy arrays.

    Args:
        file: Where the pickle begins.
        size: Bytes of the file.
        stand_ins: (module, name) of further classes, and the empty class whose instances replace theirs.

    Raises:
        Refused: The pickle asks for anything else; nothing of it is run. A damaged one raises any exception.
    """
    budget = _Budget(size)
    return _plain(_Unpickler(file, size, budget, stand_ins).load(), budget, tuple(stand_ins.values()))


def check_header(shape: tuple[int, ...], dtype: np.dtype, size: int) -> None:
    """Refuse a header that claims more than the file has, before memory for it is reserved."""
    claimed = math.prod(max(length, 1) for length in shape) * max(dtype.itemsize, 1)
    if claimed > max(size, 0 if math.prod(shape) else _MOST_EMPTY):
        raise ValueError(f'its header says {dtype} of shape {shape}, which the {size:,} bytes cannot hold')


class _Bounded:
    """A file that refuses reads longer than itself: memory for all of a claimed length is reserved first."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self.readline = file.readline

    def read(self, length: int) -> bytes:
        if length > self._size:
            raise EOFError(f'{length:,} bytes should follow, but the file has {self._size:,}')
        return self._file.read(length)


class _Unpickler(pickle._Unpickler):
    """An unpickler that knows a dozen names.

    It is Python's own: the one in C reserves as many places as the largest number in the file, 34 GB for nine bytes.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    read: Callable[[int], bytes]  # Both are set by `load`.
    append: Callable[[Any], None]

    def __init__(self, file: IO[bytes], size: int, budget: _Budget, stand_ins: Mapping[tuple[str, str], type]) -> None:
        # Python 2 text; arrays of Python 2 need latin1
        super().__init__(_Bounded(file, size), encoding='latin1')
        self._table = _names(budget) | dict(stand_ins)

    def find_class(self, module: str, name: str) -> Any:
        place = module.replace('numpy.core', 'numpy._core').replace('__builtin__', 'builtins')
        if (place, name) not in self._table:
            raise Refused(f'{module}.{name}')
        return self._table[place, name]

    def load_bytearray8(self) -> None:
        length = int.from_bytes(self.read(8), 'little')
        self.append(bytearray(self.read(length)))  # The inherited one reserves the length before it reads.

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def persistent_load(self, pid: Any) -> Any:
        raise Refused('a persistent object')


def _names(budget: _Budget) -> dict[tuple[str, str], Any]:
    """Return what each allowed name stands for; a new table for each file, so that no file alters it for the next."""
    ndarray = object()  # only ever an argument of _reconstruct

    def reconstruct(kind: object, shape: tuple, code: object) -> _Array:
        if kind is not ndarray:
            raise Refused('an array of a foreign class')
        return _Array(budget)

    def scalar(dtype: _Dtype, data: Any) -> Any:
        return np.frombuffer(_as_bytes(data), _numeric(dtype), 1)[0]

    def frombuffer(data: Any, dtype: _Dtype, shape: tuple, order: str, axis_order: tuple | None = None) -> _Array:
        budget.take(len(data))
        flat = np.frombuffer(_as_bytes(data), _numeric(dtype)).copy()
        if order == 'K' and axis_order is not None:
            return _Array(budget, _shaped(flat, shape, 'C').transpose(axis_order))
        return _Array(budget, _shaped(flat, shape, 'F' if order == 'F' else 'C'))

    def encode(text: str, encoding: str = 'latin1') -> bytes:  # how protocol 2 spells bytes
        budget.take(len(text))
        return text.encode(encoding if encoding in ('latin1', 'utf-8') else 'ascii')

    def no_bytes() -> bytes:  # and no bytes at all; bytes(10**12) must not be called
        return b''

    def copied(kind: type) -> Callable:
        def copy(content: Any = ()) -> Any:
            budget.take(8 * len(content))
            return kind(content)

        return copy

    def plain_kind(kind: type) -> Callable:
        def convert(*value: Any) -> Any:
            if not all(isinstance(one, str | int | float) for one in value):
                raise Refused(f'the {kind.__name__} of a container')  # The text of nested lists may have no end.
            budget.take(len(str(value)))
            return kind(*value)

        return convert

    table: dict[tuple[str, str], Callable | object] = {
        ('builtins', kind.__name__): copied(kind) for kind in (dict, list, tuple)
    }
    table |= {('builtins', kind.__name__): plain_kind(kind) for kind in (str, int, float)}
    table |= {('collections', 'OrderedDict'): copied(dict), ('collections', 'defaultdict'): lambda _: {}}
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
        raise Refused('objects inside a number array')
    return dtype.real


def _shaped(flat: np.ndarray, shape: tuple[int, ...], order: Literal['C', 'F']) -> np.ndarray:
    if not flat.size:
        check_header(shape, flat.dtype, 0)
    return flat.reshape(shape, order=order)


def _object_array(items: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(items), object)
    for i, item in enumerate(items):  # one by one: a slice assignment would look inside the items
        array[i] = item
    return array


def _as_bytes(data: Any) -> bytes | bytearray:
    if isinstance(data, str):  # written by Python 2
        return data.encode('latin1')
    if not isinstance(data, bytes | bytearray):
        raise Refused(f'array data of type {type(data).__name__}')
    return data


def _plain(value: Any, budget: _Budget, stand_ins: tuple[type, ...] = ()) -> Any:
    """Replace the stand-ins of arrays at any depth; what is referenced twice is copied."""
    budget.take(8)
    if isinstance(value, _Array):
        if value.real is None:
            raise ValueError('an array without its data')
        if value.real.dtype == object:
            return _object_array([_plain(item, budget) for item in value.real.flat]).reshape(value.real.shape)
        return value.real
    if isinstance(value, dict):
        return {_plain(key, budget): _plain(item, budget) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item, budget) for item in value)
    if isinstance(value, stand_ins):
        vars(value).update({key: _plain(item, budget) for key, item in vars(value).items()})
    return value
