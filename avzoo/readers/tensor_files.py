"""Read tensors saved with torch.save as arrays, without running code from the file."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import open_regular, unreadable


def read_tensors(path: Path) -> Any:
    """Read tensors and plain values, also in dicts and lists.

    Raises:
        DataError: The file is damaged, or holds anything else.
    """
    # Heavy, and needed for such files only.
    import torch

    try:
        with open_regular(path) as file:
            return _as_numpy(torch.load(file, map_location='cpu', weights_only=True))
    except OSError as error:
        raise unreadable(path, error) from None
    except DataError:
        raise
    except pickle.UnpicklingError:  # torch's own text advises to open the file anyway.
        raise DataError(
            f'{path} holds more than tensors and plain values, such as a whole model; none of it was run.'
        ) from None
    except Exception as error:  # Whatever is damaged.
        raise DataError(f'{path} is not a complete file of torch.save ({type(error).__name__}).') from None


def _as_numpy(value: Any) -> Any:
    if hasattr(value, 'detach'):
        value = value.detach()
        return (value.float() if value.is_floating_point() else value).numpy()  # numpy has no bfloat16.
    if isinstance(value, Mapping):
        return {key: _as_numpy(item) for key, item in value.items()}
    return [_as_numpy(item) for item in value] if isinstance(value, list | tuple) else value
