"""What the extractors see of a clip, as pictures for the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.extraction.frame_steps import frames_of_steps
from avzoo.extraction.log_mel import BANDS, SAMPLE_RATE, log_mel_examples
from avzoo.extraction.media import MediaFile
from avzoo.utils.errors import DataError

_WIDTH, _THUMBNAIL = 240, 120  # Pixels of a frame.
_MOST_FRAMES = 8
_MOST_COLUMNS = 720
_SILENCE = float(np.log(0.01))  # The smallest value of log_mel.
# The colours of viridis, from dark to bright.
_COLOURS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]])


@dataclass(frozen=True)
class Look:
    """What a first look at a clip shows.

    Attributes:
        modalities: Which of ``visual`` and ``audio`` the clip has.
        picture: Its first frame, as a data URL; empty for sound only.
    """

    modalities: frozenset[str]
    picture: str


def look_into(path: Path) -> Look:
    """Open a clip, and decode its first frame or its first sound.

    Raises:
        DataError: If FFmpeg cannot read the clip, or it has neither pictures nor sound.
    """
    media = MediaFile(path)
    streams = {'visual': media.facts.video_stream, 'audio': media.facts.audio_stream}
    found = frozenset(modality for modality, stream in streams.items() if stream is not None)
    if not found:
        raise DataError(f'{path} has neither pictures nor sound. Choose another clip.')
    if 'audio' in found:
        next(media.samples(SAMPLE_RATE))
    picture = _jpeg(next(media.frames()).rgb, _THUMBNAIL) if 'visual' in found else ''
    return Look(found, picture)


def what_is_seen(path: Path, modalities: frozenset[str], seconds: float) -> dict[str, Any]:
    """Return at most 8 of the frames that the visual extractor sees, and the log-mel spectrogram.

    Args:
        path: A clip.
        modalities: Which of them to return.
        seconds: Length of a visual step.
    """
    media = MediaFile(path)
    return dict(
        frames=_frames(media, seconds) if 'visual' in modalities else [],
        log_mel=_log_mel(media) if 'audio' in modalities else None,
    )


def _frames(media: MediaFile, seconds: float) -> list[dict[str, Any]]:
    """Keep every n-th step; n doubles whenever there are too many, so a long clip needs no more memory."""
    kept: list[dict[str, Any]] = []
    repeats: list[int] = []
    every = 1
    for i, rgb in enumerate(frames_of_steps(media.frames(), seconds, 0.0, repeats)):
        if i % every:
            continue
        kept.append(dict(seconds=round((sum(repeats) - 1) * seconds, 2), picture=_jpeg(rgb, _WIDTH)))
        if len(kept) > _MOST_FRAMES:
            kept, every = kept[::2], 2 * every
    return kept


def _log_mel(media: MediaFile) -> dict[str, Any] | None:
    halves = [x.reshape(-1, 2, BANDS).mean(axis=1) for x in log_mel_examples(media.samples(SAMPLE_RATE))]
    if not halves:
        return None
    columns = np.concatenate(halves)
    bright = (columns - _SILENCE) / max(float(columns.max()) - _SILENCE, 1e-6)
    anchors = np.linspace(0, 1, len(_COLOURS))
    coloured = np.stack([np.interp(bright, anchors, channel) for channel in _COLOURS.T], axis=-1)
    rgb = np.ascontiguousarray(coloured.astype(np.uint8).transpose(1, 0, 2)[::-1])  # Low bands below.
    return dict(seconds=round(0.02 * len(columns), 2), picture=_png(rgb, _MOST_COLUMNS))


def _jpeg(rgb: np.ndarray, width: int) -> str:
    return _address(rgb, (width, max(1, round(width * rgb.shape[0] / rgb.shape[1]))), 'JPEG', quality=80)


def _png(rgb: np.ndarray, width: int) -> str:
    return _address(rgb, (min(width, rgb.shape[1]), rgb.shape[0]), 'PNG')


def _address(rgb: np.ndarray, size: tuple[int, int], kind: str, **options: Any) -> str:
    from PIL import Image  # Only with videos: it is a part of their extra.

    file = io.BytesIO()
    Image.fromarray(rgb).resize(size).save(file, kind, **options)
    return f'data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}'
