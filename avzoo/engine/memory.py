"""Memory that a process keeps for what comes next."""

import ctypes
import gc
import os
import sys

import torch

from avzoo.datasets.gfsl_dataset import release_held_store

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # Of glibc's malloc.h.
_KEPT, _MOST_OF_OLD = 1 << 30, 1 << 25  # Bytes; an older glibc refuses more than the second.
_OF_USER = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')


def keep_freed_memory() -> None:
    """Let glibc keep up to 1 GB of what tensors free, for the tensors of the next step.

    By default it gives large blocks back at once, so that each step of a CPU waits until the system has cleared
    thousands of pages anew: 5 to 9% of a base step of AV-DIFF on UCF. Settings of the user stay.
    """
    library = _glibc()
    if library is not None and not any(name in os.environ for name in _OF_USER):
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT) or library.mallopt(_M_MMAP_THRESHOLD, _MOST_OF_OLD)


def free_memory() -> None:
    """Give back what earlier phases used, on a GPU too: features held there, and what is kept for new tensors."""
    release_held_store()
    gc.collect()
    torch.cuda.empty_cache()
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == 'linux' else None
    return library if hasattr(library, 'gnu_get_libc_version') else None
