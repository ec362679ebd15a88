"""Read arrays of an HDF5 file without following links to other files."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from avzoo.readers.zip_checks import MAX_RATIO
from avzoo.utils.errors import DataError
from avzoo.utils.memory import available_memory
from avzoo.utils.regular_files import open_readable

_MODEST = 256 << 20  # Bytes; what unpacks to no more does no harm.


def read_h5(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some data sets of a file.

    Raises:
        DataError: h5py is not installed, the file is damaged, a name is missing or its data lie in another file, or
            they do not fit into the free memory.
    """
    with open_h5(path) as file:
        return read_datasets(file, names, path)


def open_h5(path: str | os.PathLike[str]) -> Any:
    """Open a file for reading, as a context manager that closes it.

    Raises:
        DataError: h5py is not installed, or the file cannot be read or is damaged.
    """
    try:
        # An optional package, which few layouts need.
        import h5py
    except ImportError:
        raise DataError(
            f'{path} is an HDF5 file; reading it needs the package h5py: pip install "avzoo[hdf5]"'
        ) from None
    open_readable(path).close()  # The library would wait for a pipe.
    with naming_damage(path):
        return h5py.File(path, 'r')


def read_datasets(file: Any, names: Sequence[str], path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read some data sets of an open file."""
    with naming_damage(path):
        found = {name: _dataset(file, name, path) for name in names}
        size = sum(dataset.nbytes for dataset in found.values())
        if size > _MODEST:  # To ask for the free memory takes longer than to read the features of a clip.
            room = available_memory()
            if room is not None and size > room:
                raise DataError(f'{path}: its arrays need {size:,} bytes; {room:,} are free. Divide the file.')
            stored = sum(dataset.id.get_storage_size() for dataset in found.values())
            if size > MAX_RATIO * stored:
                raise DataError(
                    f'{path}: its arrays would unpack from {stored:,} to {size:,} bytes, which is out of proportion. '
                    'Save them without compression.'
                )
        return {name: dataset[()] for name, dataset in found.items()}


@contextmanager
def naming_damage(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the library's errors about damaged files into one that names the file."""
    try:
        yield
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # of the HDF5 library, for whatever is damaged
        raise DataError(f'{path} is not a complete HDF5 file: {error}') from None


def _dataset(file: Any, name: str, path: str | os.PathLike[str]) -> Any:
    """Return a data set that lies in the file itself."""
    link = file.get(name, getlink=True)
    if link is None:
        raise DataError(f'{path}: no data set {name!r}; it has {", ".join(map(repr, file))}.')
    dataset: Any = file[name] if type(link).__name__ == 'HardLink' else None
    if not hasattr(dataset, 'dtype') or dataset.shape is None or dataset.external or dataset.is_virtual:
        raise DataError(f'{path}: {name!r} is not an array that lies in this file. Save it as a plain data set.')
    return dataset
