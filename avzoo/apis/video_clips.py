"""Videos as clips of features, whole or window by window."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avzoo.extraction.clips import Clip as VideoPart
from avzoo.extraction.clips import find_clips
from avzoo.extraction.extractor import Extractor
from avzoo.extraction.media import MediaFile
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError


@dataclass(frozen=True)
class VideoClip:
    """The features of a video, or of a window of it.

    Attributes:
        video: Name of the video.
        start: Where it begins, in seconds.
        end: Where it ends, in seconds; ``None`` for the end of the video.
        features: {modality: (T, D)}.
    """

    video: str
    start: float
    end: float | None
    features: dict[str, np.ndarray]


def find_videos(paths: Sequence[str | os.PathLike[str]]) -> list[VideoPart]:
    """Return the videos of files, folders and tables, see :func:`find_clips`."""
    return [clip for path in paths for clip in find_clips(path)]


def names_of(parts: Sequence[VideoPart]) -> list[str]:
    """Return the name of each video: that of its file, or its path if other files have the same name."""
    paths: dict[str, set[Path]] = {}
    for part in parts:
        paths.setdefault(part.path.name, set()).add(part.path)
    return [part.path.name if len(paths[part.path.name]) == 1 else str(part.path) for part in parts]


def read_steps(
    media: MediaFile, extractors: Mapping[str, Extractor], start: float = 0.0, end: float | None = None
) -> dict[str, np.ndarray]:
    """Return the features (T, D) of a video by modality, from ``start`` to before ``end`` (seconds).

    Raises:
        DataError: If it is shorter than one step of a modality, or has features that are not finite.
    """
    steps = {m: extractor.steps(media, start, end) for m, extractor in extractors.items()}
    for modality, array in steps.items():
        if not len(array):
            part = f' from {start:g} s on; check where the video ends' if start else ''
            raise DataError(f'{media.path} has less than one step of {modality} features{part}.')
        if not np.isfinite(array).all():
            raise DataError(f'{media.path}: its {modality} features are not finite.')
    return steps


def read_video(
    part: VideoPart, extractors: Mapping[str, Extractor], every: float | None = None, name: str | None = None
) -> list[VideoClip]:
    """Extract the features of a video; it is decoded once, however many windows it is cut into.

    Args:
        part: The video, or a part of it.
        extractors: By modality.
        every: Seconds per window; by default the whole video is one clip. The last window may be shorter; windows in
            which a modality has ended are left out, with a warning.
        name: Name of the video (by default that of its file).

    Raises:
        DataError: If it cannot be read, is shorter than one step of a modality or than a window, or has features that
            are not finite.
    """
    media = MediaFile(part.path)
    steps = read_steps(media, extractors, part.start, part.end)
    name = name or part.path.name
    if every is None:
        return [VideoClip(name, part.start, part.end, steps)]
    seconds = {m: extractor.seconds_per_step(media) for m, extractor in extractors.items()}
    if every < max(seconds.values()):
        raise DataError(
            f'{part.path}: a window of {every:g} s is shorter than a step of its features '
            f'({max(seconds.values()):g} s). Use longer windows.'
        )
    ends = {m: len(array) * seconds[m] for m, array in steps.items()}
    shortest, longest = min(ends.values()), max(ends.values())
    length = longest if part.end is None else min(longest, part.end - part.start)
    windows, left_out = [], 0
    for number in range(int(np.ceil(length / every - 1e-6))):
        since, until = number * every, (number + 1) * every
        cut = {m: a[round(since / seconds[m]) : round(until / seconds[m])] for m, a in steps.items()}
        if all(len(array) for array in cut.values()):
            windows.append(VideoClip(name, part.start + since, part.start + min(until, length), cut))
        else:
            left_out += until <= length
    if left_out:
        first = min(ends, key=ends.__getitem__)
        lack = f'only {shortest:.1f} of {longest:.1f} s have {first} features'
        warnings.warn(f'{name}: {lack}. {number_of(left_out, "window has", "windows have")} no answer.', stacklevel=2)
    return windows
