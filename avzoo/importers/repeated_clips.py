"""Find clips whose features are those of another: a copy of a training video in the test spoils its numbers."""

import hashlib
from collections.abc import Mapping

import numpy as np

from avzoo.utils.counts import number_of
from avzoo.utils.equal_items import equal_groups

_MOST_STEPS = 16  # That are compared, evenly spread over a clip.


class RepeatedClips:
    """Notice clips that have the same features as an earlier one; no features are kept."""

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}

    @property
    def found(self) -> list[tuple[str, str]]:
        """Each such clip and the earliest one of its features, by names."""
        return [(clip, first) for first, *others in equal_groups(self._digests.items()) for clip in others]

    def add(self, name: str, features: Mapping[str, np.ndarray]) -> None:
        """Look at a clip, {modality: (T, D)}; one in which nothing varies, such as zeros, is skipped."""
        digest, varies = hashlib.blake2b(digest_size=16), False
        for modality in sorted(features):
            rows = features[modality]
            taken = np.ascontiguousarray(rows[:: -(-len(rows) // _MOST_STEPS)])
            digest.update(f'{modality} {rows.shape} {rows.dtype}'.encode() + taken.tobytes())
            varies = varies or bool((taken != taken[:1, :1]).any())
        if varies:
            self._digests[name] = digest.digest()

    def warning(self, lists: Mapping[str, str]) -> str:
        """Return a warning; empty if no clip can be trained on while a copy of it is evaluated on.

        Args:
            lists: The list that each clip is in.
        """
        apart = [(a, b) for a, b in self.found if lists[a] != lists[b] or lists[a].endswith('_unseen')]
        if not apart:
            return ''
        one, other = apart[0]
        return (
            f'{number_of(len(apart), "video has", "videos have")} the same features as another, e.g. {one!r} of '
            f'{lists[one]}.csv and {other!r} of {lists[other]}.csv. One may be trained on and the other evaluated '
            'on. Leave one of each pair out.'
        )
