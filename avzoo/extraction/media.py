"""Read the frames and the sound of a video file, one packet at a time.

Sound and frames are streamed, so memory does not grow with the length of a video. Needs PyAV (extra ``[video]``).
"""

import heapq
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import open_regular

# Formats that hold their own streams; others (playlists, lists of pictures) name further files.
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
# More frames than a codec holds back for reordering: 16 in H.264.
_REORDERED = 17


class MediaError(DataError):
    """A video file cannot be read, or lacks what an extractor needs."""


class NoSound(MediaError):
    """A video file without sound, where it was asked for."""


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
        seconds: When it is shown, from the beginning of the stream.
        picture: What makes its colours; most frames of a video are decoded only for the sake of others.
    """

    seconds: float
    picture: Callable[[], np.ndarray]

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) of uint8, upright."""
        return self.picture()


@dataclass
class MediaFacts:
    """What was found in a file while it was read.

    Attributes:
        video_stream: Index of the video stream that was read, or ``None``.
        audio_stream: Index of the audio stream that was read, or ``None``.
        frames: Frames that were decoded.
        samples: Samples of sound that were decoded, at the rate that was asked for.
        bad_packets: Packets that could not be decoded and were left out.
        missing_seconds: Seconds that the header announces and the streams do not have.
    """

    video_stream: int | None = None
    audio_stream: int | None = None
    frames: int = 0
    samples: int = 0
    bad_packets: int = 0
    missing_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Stream:
    """What is known of a stream before it is decoded."""

    index: int
    kind: str
    rate: Fraction | None
    time_base: Fraction | None
    seconds: float


class MediaFile:
    """A video file of which frames and sound are read, each from its beginning.

    Streams are chosen as FFmpeg does (the largest picture, the sound with most channels and bits), without cover art;
    an index chooses another one.

    Args:
        path: The file.
        video_stream: Index of a video stream.
        audio_stream: Index of an audio stream.

    Raises:
        MediaError: If the file is not one that FFmpeg reads, or has no such stream.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, video_stream: int | None = None, audio_stream: int | None = None
    ) -> None:
        self.path = Path(path)
        with self._open() as container:
            self._video = self._choose(container, 'video', video_stream)
            self._audio = self._choose(container, 'audio', audio_stream)
        self.facts = MediaFacts(
            None if self._video is None else self._video.index, None if self._audio is None else self._audio.index
        )

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames per second as the header states it, or ``None`` where it does not or there is no video."""
        return None if self._video is None else self._video.rate

    def frames(self, start: float = 0.0, end: float | None = None) -> Iterator[Frame]:
        """Yield the frames that are shown from ``start`` to before ``end`` (seconds), in the order of display.

        Raises:
            MediaError: If the file has no video, or none of it can be decoded.
        """
        if self._video is None:
            raise MediaError(f'{self.path} has no video stream.')
        self.facts.frames = 0
        first = None
        last = 0.0
        for frame, pts in _in_display_order(self._decoded(self._video)):
            self.facts.frames += 1
            seconds = self._seconds(self._video, pts, self.facts.frames - 1)
            first = seconds if first is None else first
            last = seconds - first
            if end is not None and seconds - first >= end:
                break
            if seconds - first >= start:
                yield Frame(seconds - first, partial(_upright, frame))
        else:
            rate = float(self.frame_rate or 25)
            # Some files have fewer frames than their rate says, at longer distances.
            self._compare_length(self._video, max(self.facts.frames / rate, last + 1 / rate))
        if not self.facts.frames:
            raise MediaError(f'{self.path}: no frame of its video stream {self._video.index} can be decoded.')

    def samples(self, rate: int, start: float = 0.0, end: float | None = None) -> Iterator[np.ndarray]:
        """Yield blocks of mono sound, (n,) of float32 in -1..1, from ``start`` to before ``end`` (seconds).

        The sound is resampled in its own layout, then its channels are averaged; FFmpeg's own mixing to mono would be
        3 dB louder.

        Raises:
            MediaError: If the file has no sound, or none of it can be decoded.
        """
        if self._audio is None:
            raise NoSound(f'{self.path} has no sound.')
        self.facts.samples = 0
        first, last = round(start * rate), None if end is None else round(end * rate)
        for block in self._resampled(self._audio, rate):
            position = self.facts.samples
            self.facts.samples += len(block)
            cut = block[max(0, first - position) : None if last is None else max(0, last - position)]
            if len(cut):
                yield cut
            if last is not None and self.facts.samples >= last:
                break
        else:
            self._compare_length(self._audio, self.facts.samples / rate)
        if not self.facts.samples:
            raise MediaError(f'{self.path}: no sound of its stream {self._audio.index} can be decoded.')

    def _open(self) -> Any:
        """Open the file, by a handle: FFmpeg would also read addresses, pipes, and the files that a playlist names."""
        av = import_av()
        try:
            file = open_regular(self.path)
        except DataError as error:
            raise MediaError(str(error)) from None
        except OSError as error:
            raise MediaError(f'{self.path} is not a file that can be read ({error.strerror}).') from None
        try:
            # No protocol: a playlist must not open what it names.
            container = av.open(file, metadata_errors='replace', options={'protocol_whitelist': 'none'})
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            file.close()
            raise MediaError(f'{self.path} is not a video file that FFmpeg reads: {_reason(error)}.') from error
        if not _CONTAINERS & set(container.format.name.split(',')):
            container.close()
            raise MediaError(
                f'{self.path} is of the format {container.format.name}, which is not read: it is no video, or names '
                'other files. Convert it to mp4 or webm.'
            )
        return container

    def _choose(self, container: Any, kind: str, index: int | None) -> _Stream | None:
        streams = [s for s in container.streams if s.type == kind and s.codec_context is not None]
        _check_sizes(self.path, streams)
        if index is not None:
            chosen = next((s for s in streams if s.index == index), None)
            if chosen is None:
                found = ', '.join(str(s.index) for s in streams) or 'none'
                raise MediaError(f'{self.path} has no {kind} stream {index}; its {kind} streams: {found}.')
        else:
            cover = import_av().stream.Disposition.attached_pic
            best = container.streams.best(kind)
            candidates = [*(s for s in streams if best is not None and s.index == best.index), *streams]
            chosen = next((s for s in candidates if not s.disposition & cover), None)
        if chosen is None:
            return None
        rate = (chosen.average_rate or chosen.guessed_rate) if kind == 'video' else None
        lengths = [(container.duration or 0) / 1e6]
        if chosen.duration and chosen.time_base:
            lengths = [float(chosen.duration * chosen.time_base)]
        if rate and chosen.frames:
            lengths.append(float(chosen.frames / rate))
        return _Stream(chosen.index, kind, rate, chosen.time_base, max(lengths))

    def _decoded(self, wanted: _Stream) -> Iterator[Any]:
        """Yield what a stream holds; packets that cannot be decoded are counted and left out."""
        error_kinds = import_av().error
        with self._open() as container:
            stream = container.streams[wanted.index]
            stream.codec_context.thread_count = 1  # Several drop good frames beside a bad packet; --jobs is faster.
            packets = container.demux(stream)
            packet = None
            while True:
                try:
                    packet = next(packets, None)
                except error_kinds.FFmpegError as error:  # The rest of the file is missing.
                    self._note(f'reading ended early: {_reason(error)}')
                    packet = None
                try:
                    yield from stream.decode(packet)
                except error_kinds.EOFError:
                    return
                except (error_kinds.FFmpegError, MemoryError):
                    self.facts.bad_packets += 1
                if packet is None or packet.size == 0:
                    return

    def _resampled(self, stream: _Stream, rate: int) -> Iterator[np.ndarray]:
        av = import_av()
        resampler: Any = None
        form = None
        for frame in self._decoded(stream):
            if form != (form := (frame.format.name, frame.layout.name, frame.sample_rate)):
                if resampler is not None:
                    yield from map(_mono, resampler.resample(None))
                # Packed: PyAV reads at most 8 planes of planar sound.
                resampler = av.AudioResampler(format='flt', layout=frame.layout.name, rate=rate)
            try:
                blocks = resampler.resample(frame)
            except av.error.FFmpegError as error:
                raise MediaError(
                    f'{self.path}: its sound, {frame.layout.nb_channels} channels at {frame.sample_rate} Hz, cannot be '
                    f'resampled ({_reason(error)}).'
                ) from error
            yield from map(_mono, blocks)
        if resampler is not None:
            yield from map(_mono, resampler.resample(None))

    def _seconds(self, stream: _Stream, pts: int | None, index: int) -> float:
        if pts is None or stream.time_base is None:
            return index / float(stream.rate or 25)
        return float(pts * stream.time_base)

    def _compare_length(self, stream: _Stream, found: float) -> None:
        """Note how much of what the header announces is missing: headers of truncated files still say it all."""
        missing = stream.seconds - found
        if missing > max(1.0, 0.05 * stream.seconds):
            self.facts.missing_seconds = max(self.facts.missing_seconds, missing)
            self._note(f'cut short: the header says {stream.seconds:.1f} s of {stream.kind}, it holds {found:.1f} s')

    def _note(self, text: str) -> None:
        if text not in self.facts.notes:
            self.facts.notes.append(text)


def import_av() -> Any:
    """Import PyAV.

    Raises:
        MediaError: If it is not installed; says how to install it.
    """
    try:
        import av  # Only where videos are read: it brings FFmpeg.
    except ImportError as error:
        raise MediaError(f"videos are read by PyAV, which is missing ({error}): pip install 'avzoo[video]'") from error
    # FFmpeg's own words go to stderr raw; what matters is counted and reported.
    av.logging.set_level(av.logging.PANIC)
    return av


def _in_display_order(frames: Iterator[Any]) -> Iterator[tuple[Any, int | None]]:
    """Yield frames with rising times.

    Decoders give frames in the order of display. In AVI files the times are those of decoding, 1 2 4 3 5, so the i-th
    frame has the i-th smallest time.
    """
    waiting: deque[Any] = deque()
    times: list[int] = []
    for frame in frames:
        waiting.append(frame)
        if frame.pts is not None:
            heapq.heappush(times, frame.pts)
        if len(waiting) == _REORDERED:
            yield _next(waiting, times)
    while waiting:
        yield _next(waiting, times)


def _next(waiting: deque[Any], times: list[int]) -> tuple[Any, int | None]:
    frame = waiting.popleft()
    return frame, None if frame.pts is None else heapq.heappop(times)


def _upright(frame: Any) -> np.ndarray:
    """Return the picture of a frame, turned as its header says; the angle is counted anticlockwise."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format='rgb24'), round(frame.rotation / 90) % 4))


def _mono(frame: Any) -> np.ndarray:
    """Return the mean of the channels, (n,), of packed sound (1, n * channels)."""
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).mean(axis=1, dtype=np.float32)


def _check_sizes(path: Path, streams: list[Any]) -> None:
    """Refuse pictures and sound of a size that no camera makes, before memory for them is taken."""
    for stream in streams:
        context = stream.codec_context
        if stream.type == 'video' and context.width * context.height > _MOST_PIXELS:
            raise MediaError(f'{path}: its pictures have {context.width} x {context.height} pixels, more than 8K.')
        if stream.type == 'audio' and not _RATES[0] <= (context.sample_rate or _RATES[0]) <= _RATES[1]:
            raise MediaError(f'{path}: its sound has {context.sample_rate} samples per second; {_RATES} are read.')


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error)
