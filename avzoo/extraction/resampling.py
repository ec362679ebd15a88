"""Convert sound to one rate and one channel."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.extraction.media_container import MediaError, import_av, reason_of
from avzoo.utils.counts import number_of


def resampled(path: Path, frames: Iterable[Any], rate: int) -> Iterator[Any]:
    """Yield decoded frames of sound resampled to ``rate`` samples per second, in their own layout.

    Raises:
        MediaError: If they cannot be resampled; names the file.
    """
    av = import_av()
    resampler: Any = None
    form = None
    for frame in frames:
        if form != (form := (frame.format.name, frame.layout.name, frame.sample_rate)):
            if resampler is not None:
                yield from resampler.resample(None)
            # Packed: PyAV reads at most 8 planes of planar sound.
            resampler = av.AudioResampler(format='flt', layout=frame.layout.name, rate=rate)
        try:
            blocks = resampler.resample(frame)
        except av.error.FFmpegError as error:
            raise MediaError(
                f'{path}: its sound, {number_of(frame.layout.nb_channels, "channel")} at {frame.sample_rate} '
                f'Hz, cannot be resampled ({reason_of(error)}).'
            ) from error
        yield from blocks
    if resampler is not None:
        yield from resampler.resample(None)


def mono(frame: Any) -> np.ndarray:
    """Return the mean of the channels, (n,) of float32, of a frame of :func:`resampled`."""
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).mean(axis=1, dtype=np.float32)
