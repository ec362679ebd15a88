"""Draw the shots of one class."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from avzoo.utils.errors import DataError

Drawn = tuple[list[str], list[str]]


def draw_shots(videos: Sequence[str], shots: int, rng: np.random.Generator) -> Drawn:
    """Return K videos of a class and the other ones, both in their order."""
    order = rng.permutation(len(videos))
    return _apart(videos, {videos[i] for i in order[:shots]}, ())


def draw_grouped_shots(groups: Mapping[str, str | None], shots: int, rng: np.random.Generator, what: str) -> Drawn:
    """Return K videos of a class, and those of other groups.

    Groups are drawn until they have K videos: all of each, and of the last one a random part.

    Args:
        groups: Video -> group, or ``None`` for a video that is alone.
        shots: K.
        rng: Draws.
        what: List and class, for the error.

    Raises:
        DataError: No choice of groups has K videos and leaves a group to evaluate on.
    """
    members: dict[tuple[str, str | None], list[str]] = {}
    for video, group in groups.items():
        members.setdefault((video, None) if group is None else ('', group), []).append(video)
    order = [list(members.values())[i] for i in rng.permutation(len(members))]
    kept = next((one for one in order if len(groups) - len(one) >= shots), None)
    if kept is None:
        raise DataError(
            f'{what} has {len(groups)} videos in {len(members)} groups; {shots} shots need that many videos and one '
            'more group to evaluate on. Add videos of other groups, or leave the class or this K out. With an empty '
            'column group, accuracy would be that on videos like those of the training.'
        )
    drawn = _until(order, shots)
    if len(drawn) == len(order):  # Nothing would be left.
        drawn = _until([one for one in order if one is not kept], shots)
    *whole, last = drawn
    taken = [video for one in whole for video in one]
    taken += [last[i] for i in rng.permutation(len(last))[: shots - len(taken)]]
    return _apart(groups, set(taken), {video for one in drawn for video in one})


def _until(order: Sequence[list[str]], shots: int) -> list[list[str]]:
    """Return the first groups that have K videos together."""
    total = np.cumsum([len(one) for one in order])
    return list(order[: int(np.searchsorted(total, shots)) + 1])


def _apart(videos: Iterable[str], taken: set[str], left_out: Iterable[str]) -> Drawn:
    videos = list(videos)
    return [v for v in videos if v in taken], [v for v in videos if v not in taken and v not in left_out]
