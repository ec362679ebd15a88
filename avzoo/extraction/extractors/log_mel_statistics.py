"""Means and deviations of log-mel bands: sound features that need no network."""

from typing import Any

import numpy as np

from avzoo.extraction.extractor import Extractor
from avzoo.extraction.log_mel import BANDS, EXAMPLE_STEP, SAMPLE_RATE, log_mel_examples
from avzoo.extraction.media import MediaFile
from avzoo.registry import EXTRACTORS


@EXTRACTORS.register_module('log_mel_statistics')
class LogMelStatistics(Extractor):
    """Mean, deviation, and mean change of each log-mel band over 0.96 s.

    It lets you try avzoo without a download. A trained network is better; this is not for a benchmark.
    """

    modality = 'audio'
    dim = 3 * BANDS

    def seconds_per_step(self, media: MediaFile) -> float:
        return EXAMPLE_STEP / SAMPLE_RATE

    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        rows = [
            np.concatenate([x.mean(axis=0), x.std(axis=0), np.abs(np.diff(x, axis=0)).mean(axis=0)])
            for x in log_mel_examples(media.samples(SAMPLE_RATE, start, end))
        ]
        return np.array(rows, np.float32).reshape(-1, self.dim)

    def stamp(self) -> dict[str, Any]:
        return dict(extractor='log_mel_statistics')
