"""Memory that a process keeps for later use."""

import ctypes
import gc
import os
import sys
from contextlib import suppress

import torch

from avzoo.datasets.gfsl_dataset import release_held_store

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # From glibc's malloc.h.
_KEPT, _MOST_OF_OLD = 1 << 30, 1 << 25  # Bytes; an older glibc refuses more than the second.
_OF_USER = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')


def keep_freed_memory() -> None:
    """Let glibc keep the memory that tensors free, for the tensors of the next step.

    By default it returns large blocks to the system at once, so each step on a CPU waits until the system has cleared
    thousands of new pages: 2 to 9% of a base step of AV-DIFF on UCF. With this, it keeps 1 GB at the end of the heap
    and everything before a tensor still in use; tensors above 1 GB are returned. :func:`free_memory` returns the rest.
    The user's settings take precedence.
    """
    library = _glibc()
    if library is None or any(name in os.environ for name in _OF_USER):
        return
    library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
    if not library.mallopt(_M_MMAP_THRESHOLD, _KEPT):
        library.mallopt(_M_MMAP_THRESHOLD, _MOST_OF_OLD)


def free_memory() -> None:
    """Return memory of earlier phases to the system, on a GPU too: cached features, and memory kept for new tensors."""
    release_held_store()
    gc.collect()
    with suppress(RuntimeError):  # After a GPU fault it would report that fault again.
        torch.cuda.empty_cache()
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == 'linux' else None
    return library if hasattr(library, 'gnu_get_libc_version') else None
