"""One frame for each step of a fixed length."""

from collections.abc import Iterator

import numpy as np

from avzoo.extraction.media import Frame, MediaError

_LONGEST_GAP = 3600.0  # Seconds between two frames.


def frames_of_steps(frames: Iterator[Frame], seconds: float, start: float, repeats: list[int]) -> Iterator[np.ndarray]:
    """Yield the first frame (H, W, 3) of each step; a step without a frame of its own shows the one before.

    Args:
        frames: Frames with rising times.
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
                    f'the picture stands still for {gap * seconds:,.0f} s: the times of the file are wrong. Convert it '
                    'anew, or leave it out.'
                )
            repeats[-1] += gap
        repeats.append(1)
        step = now
        yield frame.rgb


def repeat_rows(rows: np.ndarray, repeats: list[int]) -> np.ndarray:
    """Return rows (N, D) repeated as :func:`frames_of_steps` counted."""
    return np.repeat(rows, repeats, axis=0) if len(rows) else rows
