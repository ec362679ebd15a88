"""Draw the shots of one class."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError


def units(videos: Iterable[str], groups: Mapping[str, str]) -> list[list[str]]:
    """Return the videos that stay together: each group, and each video without a group.

    Args:
        videos: Some videos.
        groups: Video -> its group; a video that is not in it has none.
    """
    members: dict[tuple[bool, str], list[str]] = {}
    for video in videos:
        members.setdefault((True, groups[video]) if video in groups else (False, video), []).append(video)
    return list(members.values())


def draw_shots(
    videos: Sequence[str], groups: Mapping[str, str], shots: int, rng: np.random.Generator, what: str
) -> tuple[list[str], list[str]]:
    """Return K videos of a class, and those of other groups, both in their order.

    Groups are drawn until they have K videos: all of each, and of the last one a random part.

    Args:
        videos: Those of the class.
        groups: As for :func:`units`.
        shots: K.
        rng: Draws.
        what: List and class, for the error.

    Raises:
        DataError: No choice of groups has K videos and leaves a group to evaluate on.
    """
    together = units(videos, groups)
    order = [together[i] for i in rng.permutation(len(together))]
    kept = next((one for one in order if len(videos) - len(one) >= shots), None)
    if kept is None:
        raise DataError(
            f'{what} has {number_of(len(videos), "video")} in {number_of(len(order), "group")}; '
            f'{number_of(shots, "shot needs", "shots need")} that many videos and another group to evaluate on. Add '
            'videos of other groups, or leave the class or this K out.'
        )
    drawn = _until(order, shots)
    if len(drawn) == len(order):  # Nothing would be left.
        drawn = _until([one for one in order if one is not kept], shots)
    *whole, last = drawn
    taken = {video for one in whole for video in one}
    taken |= {last[i] for i in rng.permutation(len(last))[: shots - len(taken)]}
    used = {video for one in drawn for video in one}
    return [video for video in videos if video in taken], [video for video in videos if video not in used]


def _until(order: Sequence[list[str]], shots: int) -> list[list[str]]:
    """Return the first groups that have K videos together."""
    total = np.cumsum([len(one) for one in order])
    return list(order[: int(np.searchsorted(total, shots)) + 1])
