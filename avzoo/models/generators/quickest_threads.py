"""How many threads the steps of a small network take."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat

import torch
from torch import Tensor

_TRIED, _KEPT = 10, 500  # Steps that time a number of threads, and that use the quickest.
_MOST_PRODUCTS = 1 << 27  # In a forward pass; below, threads wait for each other longer than they compute.


@contextmanager
def quickest_threads(
    trial: Callable[[], Sequence[Tensor] | None], products: int, device: torch.device
) -> Iterator[Iterable[None]]:
    """Return an iterator to advance before each step of a loop: it gives the step the fastest number of threads.

    Small networks gain little from threads, and lose where other work holds a core. The steps themselves are thus timed
    now and then, with one thread, two, four, and so on. Where the number of threads changes the results, the
    time must not decide: a network then uses one thread, or all if it is large.

    Args:
        trial: Takes some of the steps with a copy of the network, the same ones at each call, and returns all numbers
            that they compute; ``None`` where there can be no copy. The time must not decide then either.
        products: Multiplications of a forward pass.
        device: Where the steps are computed; they are timed only on a CPU.
    """
    before = torch.get_num_threads()
    try:
        if device.type == 'cpu' and _found_by_any(trial, list(_counts(before))):
            yield _search(before)
        else:
            torch.set_num_threads(1 if products < _MOST_PRODUCTS else before)
            yield repeat(None)
    finally:
        torch.set_num_threads(before)


def _counts(most: int) -> Iterator[int]:
    """Yield 1, 2, 4, ..., and the largest number."""
    count = 1
    while count < most:
        yield count
        count *= 2
    yield most


def _found_by_any(trial: Callable[[], Sequence[Tensor] | None], counts: Sequence[int]) -> bool:
    """Return whether every number of threads computes the same bits."""
    found: Sequence[Tensor] = ()
    for count in counts if len(counts) > 1 else ():
        torch.set_num_threads(count)
        with torch.random.fork_rng(devices=[]):
            now = trial()
        if now is None or (found and not all(map(torch.equal, found, now))):
            return False
        found = now
    return True


def _search(most: int) -> Iterator[None]:
    while True:
        quickest = 1
        shortest = float('inf')
        for count in _counts(most):
            torch.set_num_threads(count)
            yield
            start = time.perf_counter()  # The step before it may have started threads.
            for _ in range(_TRIED):
                yield
            seconds = time.perf_counter() - start
            if seconds > shortest:
                break
            quickest, shortest = count, seconds
        torch.set_num_threads(quickest)
        for _ in range(_KEPT):
            yield
