"""Small clips of moving shapes with tones, each kind another shape and pitch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from avzoo.extraction.media import MediaFile

_HEIGHT, _WIDTH, _RATE, _SOUND_RATE = 180, 240, 25, 16000
Picture = Callable[[float, float], np.ndarray]


def ball(t: float, shift: float) -> np.ndarray:
    """Return whether a pixel belongs to a ball that jumps, (H, W)."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    return (x - 40 - 100 * t) ** 2 + (y - 130 + 80 * np.abs(np.sin(4 * t + shift))) ** 2 < 28**2


def bars(t: float, shift: float) -> np.ndarray:
    """Return whether a pixel belongs to one of the stripes, which turn."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH] / 14
    return np.sin(x * np.cos(t + shift) + y * np.sin(t + shift)) > 0.3


# Shape, colour, colour of the ground, pitch.
KINDS: dict[str, tuple[Picture, tuple[int, int, int], tuple[int, int, int], float]] = {
    'jumping ball': (ball, (236, 110, 60), (40, 60, 100), 220.0),
    'turning stripes': (bars, (240, 225, 150), (30, 110, 80), 880.0),
}


def make_clip(path: Path, kind: str, seed: int, *, seconds: float = 2.0, sound: bool = True) -> Path:
    """Write a clip of one of the ``KINDS``.

    Args:
        path: File; its suffix chooses the container.
        kind: Name of the kind.
        seed: Of the noise, the phase and the pitch: no two clips are alike.
        seconds: Length.
        sound: Whether it has sound.
    """
    draws = np.random.default_rng(seed)
    shape, colour, ground, pitch = KINDS[kind]
    shift, pitch = draws.uniform(0, 3), pitch * draws.uniform(0.95, 1.05)
    tint = draws.normal(0, 4, 3)
    pictures = [
        np.where(shape(i / _RATE, shift)[..., None], colour, ground) + tint for i in range(round(seconds * _RATE))
    ]
    t = np.arange(round(seconds * _SOUND_RATE)) / _SOUND_RATE
    wave = np.sin(2 * np.pi * pitch * t) * (0.6 + 0.4 * np.sin(12 * t)) + draws.normal(0, 0.02, len(t))
    return _write(path, [picture.clip(0, 255) for picture in pictures], 0.36 * wave if sound else None)


def cut(source: Path, path: Path, start: float, end: float) -> Path:
    """Write a part of a clip (seconds), with its sound."""
    media = MediaFile(source)
    pictures = [frame.rgb for frame in media.frames(start, end)]
    return _write(path, pictures, np.concatenate(list(media.samples(_SOUND_RATE, start, end))))


def _write(path: Path, pictures: Sequence[np.ndarray], wave: np.ndarray | None) -> Path:
    import av  # Tests that make clips are skipped without it.

    height, width = pictures[0].shape[:2]
    with av.open(str(path), 'w') as file:
        video = file.add_stream('mpeg4', rate=_RATE, width=width, height=height, pix_fmt='yuv420p')
        video.bit_rate = 2_500_000
        audio = None if wave is None else file.add_stream('pcm_s16le', rate=_SOUND_RATE, layout='mono')
        for picture in pictures:
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format='rgb24')))
        file.mux(video.encode())
        if audio is not None:
            samples = np.ascontiguousarray((32767 * wave).astype(np.int16)[None])
            heard = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
            heard.sample_rate = _SOUND_RATE
            file.mux(audio.encode(heard))
            file.mux(audio.encode())
    return path
