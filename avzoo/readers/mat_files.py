"""Read MATLAB's arrays."""

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.utils.errors import DataError
from avzoo.utils.memory import available_memory
from avzoo.utils.regular_files import open_regular, unreadable


def read_mat(path: Path) -> dict[str, Any]:
    """Read the variables of a file: cells become lists, structs dicts, and character rows text.

    Raises:
        DataError: The file is damaged, of version 7.3, or would unpack to far more than its size.
    """
    # scipy's readers are needed for such files only.
    from scipy import io

    try:
        with open_regular(path) as file:
            # The sizes first: they are packed, and a few bytes may stand for many.
            claimed = sum(8 * prod(shape) for _, shape, _ in io.whosmat(file))
            room = available_memory()
            if claimed > min(room or claimed, 1000 * os.fstat(file.fileno()).st_size + (64 << 20)):
                raise DataError(f'{path} would unpack to {claimed:,} bytes, which is too many. Divide it.')
            file.seek(0)
            found = io.loadmat(file)
    except NotImplementedError:
        raise DataError(f'{path} is a .mat file of version 7.3. Save it in MATLAB with save(..., "-v7").') from None
    except OSError as error:
        raise unreadable(path, error) from None
    except DataError:
        raise
    except Exception as error:  # scipy's reader fails in many ways on damaged files.
        raise DataError(f'{path} is not a complete .mat file ({type(error).__name__}: {error}).') from None
    return {name: _from_matlab(value) for name, value in found.items() if not name.startswith('__')}


def _from_matlab(value: np.ndarray) -> Any:
    if value.dtype.names:  # A struct.
        return {name: _from_matlab(value[name].flat[0]) for name in value.dtype.names} if value.size == 1 else value
    if value.dtype == object:
        items = [_from_matlab(item) for item in value.ravel()]
        return np.array(items) if items and all(isinstance(item, str) for item in items) else items
    if value.dtype.kind == 'U':
        return str(value[0]) if value.shape == (1,) else np.char.rstrip(value)
    return value
