"""Open a video file and choose its streams. Needs PyAV (extra ``[video]``)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import open_regular

# Formats that contain their streams; others (playlists, image sequences) refer to further files.
_PICTURES = {
    'mov',
    'mp4',
    'matroska',
    'webm',
    'avi',
    'mpeg',
    'mpegts',
    'mpegvideo',
    'flv',
    'asf',
    'm4v',
    'h264',
    'hevc',
}
_CONTAINERS = _PICTURES | {'ogg', 'wav', 'mp3', 'flac', 'aac', 'aiff', 'w64', 'mxf', 'nut', 'ivf', 'dv', 'rm', '3gp'}
_MOST_PIXELS = 7680 * 4320
_RATES = (1_000, 768_000)


class MediaError(DataError):
    """A video file cannot be read, or lacks what an extractor needs."""


class NoSound(MediaError):
    """A file without sound, when sound was requested."""


class NoPictures(MediaError):
    """A file without a video stream, when pictures were requested."""


@dataclass(frozen=True)
class Stream:
    """What is known of a stream before it is decoded."""

    index: int
    kind: str
    rate: Fraction | None
    time_base: Fraction | None
    seconds: float


def import_av() -> Any:
    """Import PyAV.

    Raises:
        MediaError: If it is not installed; says how to install it.
    """
    try:
        import av  # Only where videos are read: it brings FFmpeg.
    except ImportError as error:
        raise MediaError(
            f"reading videos needs PyAV, which is missing ({error}): pip install 'avzoo[video]'"
        ) from error
    # FFmpeg's own messages would go to stderr unfiltered; what matters is counted and reported.
    av.logging.set_level(av.logging.PANIC)
    return av


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a file by its handle: FFmpeg would also read URLs, pipes, and the files that a playlist names."""
    av = import_av()
    try:
        file = open_regular(path)
    except DataError as error:
        raise MediaError(str(error)) from None
    except OSError as error:
        raise MediaError(f'{path} cannot be read ({error.strerror}).') from None
    with file:
        try:
            # No protocol: a playlist must not open what it names.
            container = av.open(file, metadata_errors='replace', options={'protocol_whitelist': 'none'})
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            raise MediaError(f'{path} is not a video file that FFmpeg reads: {reason_of(error)}.') from error
        with container:
            if not _CONTAINERS & set(container.format.name.split(',')):
                raise MediaError(
                    f'{path} is of the unsupported format {container.format.name}: it is not a video, or refers to '
                    'other files. Convert it to mp4 or webm.'
                )
            yield container


def choose_stream(path: Path, container: Any, kind: str, index: int | None) -> Stream | None:
    """Return the stream with an index, or the one that FFmpeg would choose; ``None`` if there is none of this kind."""
    streams = [s for s in container.streams if s.type == kind and s.codec_context is not None]
    _check_sizes(path, streams)
    if index is not None:
        chosen = next((s for s in streams if s.index == index), None)
        if chosen is None:
            found = ', '.join(str(s.index) for s in streams) or 'none'
            raise MediaError(f'{path} has no {kind} stream {index}; its {kind} streams: {found}.')
    else:
        cover = import_av().stream.Disposition.attached_pic
        best = container.streams.best(kind)
        candidates = [*(s for s in streams if best is not None and s.index == best.index), *streams]
        chosen = next((s for s in candidates if not s.disposition & cover), None)
    if chosen is None:
        return None
    rate = (chosen.average_rate or chosen.guessed_rate) if kind == 'video' else None
    # In Matroska, a tag has the length of a stream. The container's length is that of the longest stream.
    tag = next((text for key, text in chosen.metadata.items() if key.startswith('DURATION')), '')
    lengths = [(container.duration or 0) / 1e6]
    if chosen.duration and chosen.time_base:
        lengths = [float(chosen.duration * chosen.time_base)]
    elif parts := re.fullmatch(r'(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)', tag, re.ASCII):
        lengths = [int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3])]
    if rate and chosen.frames:
        lengths.append(float(chosen.frames / rate))
    return Stream(chosen.index, kind, rate, chosen.time_base, max(lengths))


def _check_sizes(path: Path, streams: list[Any]) -> None:
    """Refuse pictures and sound of sizes that no camera produces, before memory for them is allocated."""
    for stream in streams:
        context = stream.codec_context
        if stream.type == 'video' and context.width * context.height > _MOST_PIXELS:
            raise MediaError(
                f'{path}: its pictures have {context.width} x {context.height} pixels, more than 8K. Scale it down.'
            )
        if stream.type == 'audio' and not _RATES[0] <= (context.sample_rate or _RATES[0]) <= _RATES[1]:
            raise MediaError(
                f'{path}: its sound has {context.sample_rate} samples per second, not {_RATES[0]:,} to {_RATES[1]:,}.'
            )


def reason_of(error: Exception) -> str:
    """Return FFmpeg's or the system's text for an error."""
    return getattr(error, 'strerror', None) or str(error)
