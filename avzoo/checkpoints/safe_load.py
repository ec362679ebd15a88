"""Read torch.save files without executing anything."""

import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from avzoo.utils.errors import CheckpointError, first_line


def load_tensors(file: Path | io.BytesIO, name: str, hint: str) -> Any:
    """Read tensors and plain Python values onto the CPU.

    Args:
        file: A file written by torch.save.
        name: Its name in errors.
        hint: Last sentence of the error.

    Raises:
        CheckpointError: If the file is damaged or holds anything else, none of which is executed.
    """
    try:
        with warnings.catch_warnings():  # About old pickle protocols, which the error below covers.
            warnings.simplefilter('ignore')
            return torch.load(file, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:  # torch's message advises opening the file anyway.
        named = re.search(r'GLOBAL (\S+)', str(error))
        raise CheckpointError(
            f'{name} holds objects other than tensors and plain values'
            f'{f" ({named[1]})" if named else ""}, or is not a checkpoint at all. It was not opened '
            f'because that could run code. {hint}'
        ) from error
    except Exception as error:
        reason = first_line(error).split('. ')[0]
        reason = f'{type(error).__name__} {reason}' if reason.isdigit() else reason
        reason = reason if reason.endswith('.') else f'{reason}.'
        raise CheckpointError(
            f'{name} is not a readable checkpoint (damaged or cut short?): {reason} {hint}'
        ) from error
