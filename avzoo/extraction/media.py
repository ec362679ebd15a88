"""Read the frames and the sound of a video file, one packet at a time.

Sound and frames are streamed, so memory does not grow with the length of a video. Needs PyAV (extra ``[video]``).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.extraction.frame_order import Doubt, Entry, find_entry, in_display_order
from avzoo.extraction.media_container import (
    MediaError,
    NoPictures,
    NoSound,
    Stream,
    choose_stream,
    import_av,
    open_container,
    reason_of,
)
from avzoo.extraction.resampling import mono, resampled


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
        seconds: When it is shown, from the beginning of the stream.
        picture: Converts it to colours on demand; most frames of a video are decoded only for the sake of others.
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
        frames: Frames up to the end of what was read. Those before a part that were not decoded count by their packets.
        samples: Samples of sound that were decoded, at the requested rate.
        bad_packets: Packets that could not be decoded and were left out.
        missing_seconds: Seconds that the header announces but the streams lack.
    """

    video_stream: int | None = None
    audio_stream: int | None = None
    frames: int = 0
    samples: int = 0
    bad_packets: int = 0
    missing_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


class MediaFile:
    """A video file whose frames and sound are read, each from its beginning.

    Streams are chosen as in FFmpeg (the largest picture, the sound with most channels and bits), without cover art;
    an index selects another one.

    Args:
        path: The file.
        video_stream: Index of a video stream.
        audio_stream: Index of an audio stream.

    Raises:
        MediaError: If FFmpeg cannot read the file, or it has no such stream.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, video_stream: int | None = None, audio_stream: int | None = None
    ) -> None:
        self.path = Path(path)
        with open_container(self.path) as container:
            self._video = choose_stream(self.path, container, 'video', video_stream)
            self._audio = choose_stream(self.path, container, 'audio', audio_stream)
        self.facts = MediaFacts(
            None if self._video is None else self._video.index, None if self._audio is None else self._audio.index
        )

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames per second according to the header; ``None`` if it does not say or there is no video."""
        return None if self._video is None else self._video.rate

    def frames(self, start: float = 0.0, end: float | None = None) -> Iterator[Frame]:
        """Yield the frames shown from ``start`` to before ``end`` (seconds), in display order.

        They are decoded from a keyframe shortly before ``start``, or from the beginning if they might differ.

        Raises:
            MediaError: If the file has no video, or none of it can be decoded.
        """
        if self._video is None:
            raise NoPictures(f'{self.path} has no video stream.')
        shown, bad_packets = 0, self.facts.bad_packets
        if start > 0 and (entry := find_entry(self.path, self._video, start)) is not None:
            try:
                for frame in self._shown(self._video, start, end, entry):
                    shown += 1
                    yield frame
                return
            except Doubt:
                self.facts.bad_packets = bad_packets
        yield from islice(self._shown(self._video, start, end), shown, None)

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
        for frame in resampled(self.path, self._decoded(self._audio), rate):
            position = self.facts.samples
            self.facts.samples += frame.samples
            if self.facts.samples > first:
                cut = mono(frame)[max(0, first - position) : None if last is None else max(0, last - position)]
                if len(cut):
                    yield cut
            if last is not None and self.facts.samples >= last:
                break
        else:
            self._compare_length(self._audio, self.facts.samples / rate)
        if not self.facts.samples:
            raise MediaError(f'{self.path}: no sound of its stream {self._audio.index} can be decoded.')

    def _shown(self, video: Stream, start: float, end: float | None, entry: Entry | None = None) -> Iterator[Frame]:
        """Yield the frames of a part, decoded from an entry point or from the beginning."""
        self.facts.frames = 0 if entry is None else entry.packets
        decoded = self._decoded(video) if entry is None else self._decoded_from(video, entry)
        first = None if entry is None else self._seconds(video, entry.first, 0)
        last = 0.0
        for frame, pts in in_display_order(decoded):
            self.facts.frames += 1
            seconds = self._seconds(video, pts, self.facts.frames - 1)
            first = seconds if first is None else first
            last = seconds - first
            if end is not None and seconds - first >= end:
                break
            if seconds - first >= start:
                yield Frame(seconds - first, partial(_upright, frame))
        else:
            rate = float(self.frame_rate or 25)
            # Some files have fewer frames than their rate says, further apart.
            self._compare_length(video, max(self.facts.frames / rate, last + 1 / rate))
        if not self.facts.frames:
            raise MediaError(f'{self.path}: no frame of its video stream {video.index} can be decoded.')

    def _decoded_from(self, video: Stream, entry: Entry) -> Iterator[Any]:
        """Yield what a stream holds from an entry point on.

        Raises:
            Doubt: Before a frame that might differ from the one decoded from the beginning.
        """
        if [frame.pts for frame in islice(self._decoded(video), 1)] != [entry.first]:
            raise Doubt
        before = None
        for frame in self._decoded(video, entry):
            entry.check(frame, before)
            before = frame.pts
            yield frame
        if before is None:
            raise Doubt

    def _decoded(self, wanted: Stream, entry: Entry | None = None) -> Iterator[Any]:
        """Yield what a stream holds; packets that cannot be decoded are counted and left out.

        Args:
            wanted: The stream.
            entry: Where to begin. The first decoder error then raises ``Doubt``: what a decoder makes of a damaged
                packet depends on what it decoded before.
        """
        error_kinds = import_av().error
        with open_container(self.path) as container:
            stream = container.streams[wanted.index]
            stream.codec_context.thread_count = (
                1  # Several threads drop good frames next to a bad packet; --jobs is faster.
            )
            packets = container.demux(stream)
            if entry is not None:
                stream.codec_context.options = dict(err_detect='explode')
                packets = islice(packets, entry.packets, None)
            packet = None
            while True:
                try:
                    packet = next(packets, None)
                except error_kinds.FFmpegError as error:  # The rest of the file is missing.
                    self._note(f'reading ended early: {reason_of(error)}')
                    packet = None
                try:
                    yield from stream.decode(packet)
                except error_kinds.EOFError:
                    return
                except (error_kinds.FFmpegError, MemoryError):
                    if entry is not None:
                        raise Doubt from None
                    self.facts.bad_packets += 1
                if packet is None or packet.size == 0:
                    return

    def _seconds(self, stream: Stream, pts: int | None, index: int) -> float:
        if pts is None or stream.time_base is None:
            return index / float(stream.rate or 25)
        return float(pts * stream.time_base)

    def _compare_length(self, stream: Stream, found: float) -> None:
        """Note how much of the announced length is missing: headers of truncated files still give the full length."""
        missing = stream.seconds - found
        if missing > max(1.0, 0.05 * stream.seconds):
            self.facts.missing_seconds = max(self.facts.missing_seconds, missing)
            self._note(f'cut short: the header says {stream.seconds:.1f} s of {stream.kind}, but it has {found:.1f} s')

    def _note(self, text: str) -> None:
        if text not in self.facts.notes:
            self.facts.notes.append(text)


def _upright(frame: Any) -> np.ndarray:
    """Return the picture of a frame, rotated according to its header; the angle is anticlockwise."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format='rgb24'), round(frame.rotation / 90) % 4))
