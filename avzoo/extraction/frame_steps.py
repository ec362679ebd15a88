"""One frame per step of a fixed length."""

from collections.abc import Iterator
from itertools import repeat

import numpy as np

from avzoo.extraction.media import Frame
from avzoo.extraction.media_container import MediaError

_LONGEST_GAP = 3600.0  # Seconds between two frames.


def frames_of_steps(frames: Iterator[Frame], seconds: float, start: float, repeats: list[int]) -> Iterator[np.ndarray]:
    """Yield the first frame (H, W, 3) of each step; a step without its own frame repeats the previous one.

    Args:
        frames: Frames with increasing times.
        seconds: Length of a step.
        start: Where the first step begins.
        repeats: Filled with the number of steps that each yielded frame stands for.
    """
    step = -1
    for frame in frames:
        # Times are sums of rounded numbers: 0.6399999 belongs to the step that begins at 0.64.
        now = int((frame.seconds - start) / seconds + 1e-6)
        if now <= step:
            continue
        if repeats:
            gap = now - step - 1
            if gap * seconds > _LONGEST_GAP:
                raise MediaError(
                    f'there is no new frame for {gap * seconds:,.0f} s: the times in the file are wrong. Convert it '
                    'again, or leave it out.'
                )
            repeats[-1] += gap
        repeats.append(1)
        step = now
        yield frame.rgb


def repeat_rows(rows: np.ndarray, repeats: list[int]) -> np.ndarray:
    """Return rows (N, D) repeated as :func:`frames_of_steps` counted."""
    return np.repeat(rows, repeats, axis=0) if len(rows) else rows


def frame_windows(frames: Iterator[Frame], seconds: float, count: int, start: float) -> Iterator[np.ndarray]:
    """Yield windows (count, H, W, 3) of evenly spaced frames, without overlap.

    A remainder of at least half a window is filled with its last frame, and so is a whole clip that is shorter; a
    shorter remainder is left out.

    Args:
        frames: Frames with increasing times.
        seconds: Length of a window.
        count: Frames per window.
        start: Where the first one begins.
    """
    window: list[np.ndarray] = []
    some = False
    for rgb in _at_every(frames, seconds / count, start):
        window.append(rgb)
        if len(window) == count:
            yield np.stack(window)
            window, some = [], True
    if window and (len(window) >= count / 2 or not some):
        yield np.stack(window + window[-1:] * (count - len(window)))


def _at_every(frames: Iterator[Frame], seconds: float, start: float) -> Iterator[np.ndarray]:
    """Yield one frame per step, repeating the previous one if a step has none."""
    repeats: list[int] = []
    before: np.ndarray | None = None
    for rgb in frames_of_steps(frames, seconds, start, repeats):
        if before is not None:
            yield from repeat(before, repeats[-2])
        before = rgb
    if before is not None:
        yield before
