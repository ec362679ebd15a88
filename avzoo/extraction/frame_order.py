"""The display order of a video's frames, and where decoding of a part may begin."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avzoo.extraction.media_container import Stream, import_av, open_container

# More than the frames that a codec holds back for reordering: 16 in H.264.
_REORDERED = 17
# Containers that store when a frame is shown and which packets are keyframes, and decoders that keep no state from
# before a keyframe.
_CONTAINERS = {'mov', 'mp4', 'matroska', 'webm'}
_DECODERS = {'h264', 'hevc', 'vp8', 'vp9', 'av1', 'libdav1d', 'mpeg4', 'mjpeg'}


class Doubt(Exception):
    """Frames might differ from those decoded from the beginning."""


@dataclass(frozen=True)
class Entry:
    """A keyframe from which a part is decoded exactly as from the beginning.

    Attributes:
        packets: Number of packets of the stream before it.
        pts: When it is shown.
        first: When the first frame of the stream is shown.
    """

    packets: int
    pts: int
    first: int

    def check(self, frame: Any, before: int | None) -> None:
        """Check a frame decoded from here, given the time of the previous one (``None`` for the first).

        Raises:
            Doubt: If times do not increase, or the first frame is not the keyframe or not an intra picture.
        """
        intra = import_av().video.frame.PictureType.I  # With gradual refresh, keyframes are of other types.
        begins = frame.pts == self.pts and frame.key_frame and frame.pict_type == intra
        if not (begins if before is None else frame.pts is not None and frame.pts > before):
            raise Doubt


def find_entry(path: Path, wanted: Stream, start: float) -> Entry | None:
    """Return where decoding may begin for the frames from ``start`` (seconds), from the packets alone.

    It is the last keyframe with more of its frames shown before ``start`` than a decoder reorders.

    Returns:
        ``None`` for the beginning: there is no such keyframe, or it is doubtful.
    """
    with open_container(path) as container:
        stream = container.streams[wanted.index]
        context = stream.codec_context
        known = _CONTAINERS & set(container.format.name.split(',')) and context.name in _DECODERS
        if not known or not wanted.time_base:
            return None
        try:
            return _last_entry(container.demux(stream), start / float(wanted.time_base), bool(context.has_b_frames))
        except import_av().error.FFmpegError:
            return None


def _last_entry(packets: Iterable[Any], start: float, reorders: bool) -> Entry | None:
    """Return the last entry before ``start``.

    Args:
        packets: Packets of the stream, in decoding order.
        start: In units of the stream, from its first frame.
        reorders: Whether the header says that frames are reordered. Increasing times are then not theirs.
    """
    first = highest = None
    keyframes: deque[tuple[int, int, int]] = deque()  # Packets before it, its time, packets of frames before start.
    early = late = 0
    for number, packet in enumerate(packets):
        if packet.size == 0:
            break
        pts = packet.pts
        if pts is None or packet.is_discard or packet.is_corrupt or (number and _has_new_header(packet)):
            return None
        first = pts if first is None else first
        if pts < first:
            return None
        while keyframes and pts < keyframes[-1][1]:  # An open GOP: frames shown before the keyframe need earlier ones.
            keyframes.pop()
        if highest is None or pts > highest:
            highest = pts
            if packet.is_keyframe:
                keyframes.append((number, pts, early))
        else:
            reorders = False
        if pts - first < start:
            early += 1
            while len(keyframes) > 1 and early - keyframes[1][2] > _REORDERED:
                keyframes.popleft()
        else:
            late += 1
            if late == _REORDERED:
                break
    if first is None or reorders or not keyframes or not keyframes[0][0] or early - keyframes[0][2] <= _REORDERED:
        return None
    return Entry(keyframes[0][0], keyframes[0][1], first)


def _has_new_header(packet: Any) -> bool:
    """Return whether a packet changes its decoder's configuration; with older PyAV, assume so."""
    return not hasattr(packet, 'has_sidedata') or packet.has_sidedata('new_extradata')


def in_display_order(frames: Iterable[Any]) -> Iterator[tuple[Any, int | None]]:
    """Yield frames with increasing times.

    Decoders return frames in display order. In AVI files the times are those of decoding, 1 2 4 3 5, so the i-th
    frame gets the i-th smallest time.
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
