"""Small networks on one thread."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_MOST_PRODUCTS = 1 << 27  # In a forward pass; below, threads wait for each other longer than they compute.


@contextmanager
def one_thread(rows: int, parameters: int) -> Iterator[None]:
    """Compute with one thread if a network is small.

    Args:
        rows: Samples of a batch.
        parameters: Number of its weights.
    """
    before = torch.get_num_threads()
    try:
        if rows * parameters < _MOST_PRODUCTS:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)
