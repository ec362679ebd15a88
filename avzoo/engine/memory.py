"""Memory that a process keeps for what comes next."""

import ctypes
import gc
import os
import sys
from contextlib import suppress

import torch

from avzoo.datasets.gfsl_dataset import release_held_store

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # Of glibc's malloc.h.
_KEPT, _MOST_OF_OLD = 1 << 30, 1 << 25  # Bytes; an older glibc refuses more than the second.
_OF_USER = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')


def keep_freed_memory() -> None:
    """Let glibc keep what tensors free, for the tensors of the next step.

    By default it gives large blocks back at once, so that each step of a CPU waits until the system has cleared
    thousands of pages anew: 2 to 9% of a base step of AV-DIFF on UCF. Then it keeps 1 GB at the end of the heap and all
    that lies before a tensor still in use; tensors above 1 GB go back. :func:`free_memory` gives back the rest.
    Settings of the user stay.
    """
    library = _glibc()
    if library is None or any(name in os.environ for name in _OF_USER):
        return
    library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
    if not library.mallopt(_M_MMAP_THRESHOLD, _KEPT):
        library.mallopt(_M_MMAP_THRESHOLD, _MOST_OF_OLD)


def free_memory() -> None:
    """Give back what earlier phases used, on a GPU too: features held there, and what is kept for new tensors."""
    release_held_store()
    gc.collect()
    with suppress(RuntimeError):  # After a fault of the GPU it would tell of that once more.
        torch.cuda.empty_cache()
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == 'linux' else None
    return library if hasattr(library, 'gnu_get_libc_version') else None
