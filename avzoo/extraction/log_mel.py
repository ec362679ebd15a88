"""The log-mel spectrograms of VGGish (Hershey et al., 2017, CNN architectures for large-scale audio classification)."""

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np

SAMPLE_RATE = 16000
FRAME, HOP, FFT = 400, 160, 512
BANDS = 64
EXAMPLE_FRAMES = 96
# Samples that one example needs, and the distance to the start of the next one.
EXAMPLE_SAMPLES, EXAMPLE_STEP = FRAME + (EXAMPLE_FRAMES - 1) * HOP, EXAMPLE_FRAMES * HOP
_LOW, _HIGH, _OFFSET = 125.0, 7500.0, 0.01


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Return the log-mel spectrogram of mono sound.

    Args:
        samples: (n,), in -1..1, at 16 kHz.

    Returns:
        (1 + floor((n - 400) / 160), 64) of float64; no frame extends beyond the end.
    """
    if len(samples) < FRAME:
        return np.zeros((0, BANDS))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float64), FRAME)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)  # Periodic Hann.
    return np.log(np.abs(np.fft.rfft(frames * window, FFT)) @ mel_matrix() + _OFFSET)


def log_mel_examples(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the examples of sound that arrives in blocks: (96, 64) of float32 each, without overlap.

    Each covers 0.96 s. A remainder shorter than an example is left out.
    """
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= EXAMPLE_SAMPLES:
            yield log_mel(held[:EXAMPLE_SAMPLES]).astype(np.float32)
            held = held[EXAMPLE_STEP:]


@cache
def mel_matrix() -> np.ndarray:
    """Return the weights (257, 64) of the mel bands for a spectrum of 512 points, on HTK's mel scale."""
    bins = _mel(np.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT)
    edges = np.linspace(_mel(_LOW), _mel(_HIGH), BANDS + 2)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
