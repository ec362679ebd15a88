"""Sound in windows of equal length."""

from collections.abc import Iterable, Iterator

import numpy as np


def sound_windows(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield windows (size,) of sound that arrives in blocks, without overlap.

    A remainder of at least half a window is filled with silence, and so is a whole clip that is shorter; a shorter
    remainder is left out.
    """
    held: list[np.ndarray] = []
    count, some = 0, False
    for block in blocks:
        held.append(block)
        count += len(block)
        while count >= size:
            joined = np.concatenate(held)
            yield joined[:size]
            held, count, some = [joined[size:]], count - size, True
    if count and (count >= size / 2 or not some):
        yield np.pad(np.concatenate(held), (0, size - count))
