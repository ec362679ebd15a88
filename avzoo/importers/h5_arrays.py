"""Read arrays of a HDF5 file without following links to other files."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from avzoo.utils.errors import DataError
from avzoo.utils.memory import available_memory


def read_h5(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some data sets of a file.

    Raises:
        DataError: h5py is not installed, the file is damaged, a name is missing or its data lie in another file, or
            they do not fit into the free memory.
    """
    try:
        # An optional package, which few layouts need.
        import h5py
    except ImportError:
        raise DataError(
            f'{path} is a HDF5 file; reading it needs the package h5py: pip install "avzoo[hdf5]"'
        ) from None
    try:
        with h5py.File(path, 'r') as file:
            found = {name: _dataset(h5py, file, name, path) for name in names}
            room = available_memory()
            size = sum(dataset.size * dataset.dtype.itemsize for dataset in found.values())
            if room is not None and size > room:
                raise DataError(f'{path}: its arrays need {size:,} bytes; {room:,} are free. Divide the file.')
            return {name: dataset[()] for name, dataset in found.items()}
    except FileNotFoundError:
        raise DataError(f'{path} does not exist.') from None
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # of the HDF5 library, for whatever is damaged
        raise DataError(f'{path} is not a whole HDF5 file: {error}') from None


def _dataset(h5py: Any, file: Any, name: str, path: str | os.PathLike[str]) -> Any:
    """Return a data set that lies in the file itself."""
    link = file.get(name, getlink=True)
    if link is None:
        raise DataError(f'{path}: no data set {name!r}; it has {", ".join(map(repr, file))}.')
    dataset = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise DataError(f'{path}: {name!r} is not an array that lies in this file. Save it as a plain data set.')
    return dataset
