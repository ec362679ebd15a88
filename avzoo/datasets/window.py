"""Cutting a window of fixed length out of long videos."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from avzoo.datasets.protocol import VISUAL


class Window:
    """Choose the steps of each video that a batch sees, in both modalities alike (AV-DIFF, sec. 5.1).

    The window is a number of visual steps; the audio window covers the same stretch of time. Shorter videos are taken
    whole and padded to the window.

    Args:
        steps: Number of visual steps.
        position: ``random`` (training) or ``center`` (evaluation).
        audio_length: ``seconds``: as many audio steps as last as long as the visual window. ``released``: the released
            code multiplies by both step lengths where it should divide, so a window of 60 visual steps sees 37 audio
            steps instead of 40.
        last_start: Let a random window end at the very last step. The released code never does.
    """

    def __init__(
        self,
        steps: int,
        *,
        position: Literal['random', 'center'] = 'random',
        audio_length: Literal['seconds', 'released'] = 'seconds',
        last_start: bool = True,
    ) -> None:
        if position not in ('random', 'center'):
            raise ValueError(f"window.position='{position}'; choose 'random' or 'center'.")
        if audio_length not in ('seconds', 'released'):
            raise ValueError(f"window.audio_length='{audio_length}'; choose 'seconds' or 'released'.")
        self.steps, self.position, self.audio_length, self.last_start = steps, position, audio_length, last_start

    def cut(
        self, lengths: Mapping[str, np.ndarray], seconds: Mapping[str, float], seed: int | Sequence[int] = 0
    ) -> dict[str, tuple[np.ndarray, int]]:
        """Return {modality: (starts (B,), number of steps)}.

        Args:
            lengths: {modality: (B,) number of steps of each video}.
            seconds: {modality: seconds per step}.
            seed: Decides the positions of a random window.
        """
        lead = VISUAL if VISUAL in lengths else next(iter(lengths))
        starts = self._starts(lengths[lead], seed)
        cuts = {}
        for name in lengths:
            ratio = seconds[lead] / seconds[name]
            factor = ratio if name == lead or self.audio_length == 'seconds' else seconds[lead] * seconds[name]
            steps = max(1, round(self.steps * factor))
            start = np.rint(starts * ratio).astype(np.int64)
            cuts[name] = (np.minimum(start, np.maximum(lengths[name] - 1, 0)), steps)
        return cuts

    def _starts(self, lengths: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
        room = np.maximum(lengths - self.steps, 0)
        if self.position == 'center':
            return room // 2
        return np.random.default_rng(seed).integers(0, np.maximum(room + self.last_start, 1))
