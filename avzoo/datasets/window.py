"""Cut a window of fixed length out of long videos."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from avzoo.protocol import VISUAL


class Window:
    """Choose the steps of each video that enter a batch, in both modalities alike (AV-DIFF, sec. 5.1).

    The window is a number of visual steps; the audio window covers the same time. Shorter videos are used whole and
    padded to the window. With ``long_only`` it limits the time that long videos take, and changes nothing for others.

    Args:
        steps: Number of visual steps; with ``long_only``, of the modality that has the most in a second.
        position: ``random`` (training) or ``center`` (evaluation).
        audio_length: ``seconds``: the audio window lasts as long as the visual window. ``released``: the released
            code multiplies by both step lengths where it should divide, so a window of 60 visual steps has 37 audio
            steps instead of 40.
        last_start: Let a random window end at the very last step. The released code never does.
        long_only: Cut only videos of which a modality has more than ``steps`` steps. All others are used whole, and a
            batch is padded to its longest video, as without a window.
    """

    def __init__(
        self,
        steps: int,
        *,
        position: Literal['random', 'center'] = 'random',
        audio_length: Literal['seconds', 'released'] = 'seconds',
        last_start: bool = True,
        long_only: bool = False,
    ) -> None:
        if position not in ('random', 'center'):
            raise ValueError(f"window.position='{position}'; choose 'random' or 'center'.")
        if audio_length not in ('seconds', 'released'):
            raise ValueError(f"window.audio_length='{audio_length}'; choose 'seconds' or 'released'.")
        if long_only and (audio_length, last_start) != ('seconds', True):
            raise ValueError('window.long_only=True accepts neither audio_length nor last_start; leave them out.')
        self.steps, self.position, self.audio_length, self.last_start = steps, position, audio_length, last_start
        self.long_only = long_only

    def cut(
        self, lengths: Mapping[str, np.ndarray], seconds: Mapping[str, float], seed: int | Sequence[int] = 0
    ) -> dict[str, tuple[np.ndarray, int | np.ndarray]]:
        """Return {modality: (starts (B,), number of steps)}; with ``long_only`` the number of each video, (B,).

        Args:
            lengths: {modality: (B,) number of steps of each video}.
            seconds: {modality: seconds per step}.
            seed: Decides the positions of a random window.
        """
        if self.long_only:
            return self._cut_long(lengths, seconds, seed)
        lead = _leading(lengths)
        starts = self._starts(lengths[lead], seed)
        cuts: dict[str, tuple[np.ndarray, int | np.ndarray]] = {}
        for name in lengths:
            ratio = seconds[lead] / seconds[name]
            factor = ratio if name == lead or self.audio_length == 'seconds' else seconds[lead] * seconds[name]
            steps = max(1, round(self.steps * factor))
            start = np.rint(starts * ratio).astype(np.int64)
            cuts[name] = (np.minimum(start, np.maximum(lengths[name] - 1, 0)), steps)
        return cuts

    def varies(self, lengths: Mapping[str, np.ndarray]) -> bool:
        """Return whether the steps taken of any of these videos are drawn at random."""
        if self.position == 'center':
            return False
        if self.long_only:
            return bool(self.is_long(lengths).any())
        return bool((lengths[_leading(lengths)] > self.steps).any())

    def is_long(self, lengths: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return of which videos a modality has more steps than the window, (B,)."""
        return np.any([counts > self.steps for counts in lengths.values()], axis=0)

    def _cut_long(
        self, lengths: Mapping[str, np.ndarray], seconds: Mapping[str, float], seed: int | Sequence[int]
    ) -> dict[str, tuple[np.ndarray, int | np.ndarray]]:
        cut = self.is_long(lengths)
        span = self.steps * min(seconds[name] for name in lengths)
        room = np.maximum(np.max([counts * seconds[name] for name, counts in lengths.items()], axis=0) - span, 0)
        begin = room * (0.5 if self.position == 'center' else np.random.default_rng(seed).random(len(room)))
        cuts: dict[str, tuple[np.ndarray, int | np.ndarray]] = {}
        for name, counts in lengths.items():
            steps = max(1, round(span / seconds[name]))
            start = np.minimum(np.rint(begin / seconds[name]).astype(np.int64), np.maximum(counts - steps, 0))
            cuts[name] = np.where(cut, start, 0), np.where(cut, steps, counts)
        return cuts

    def _starts(self, lengths: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
        room = np.maximum(lengths - self.steps, 0)
        if self.position == 'center':
            return room // 2
        return np.random.default_rng(seed).integers(0, np.maximum(room + self.last_start, 1))


def _leading(lengths: Mapping[str, np.ndarray]) -> str:
    return VISUAL if VISUAL in lengths else next(iter(lengths))
