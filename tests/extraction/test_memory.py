"""Memory does not grow with the length of a video."""

import resource
import tracemalloc
from functools import partial

import numpy as np
import pytest
import torch

from avzoo.extraction.extractors import C3D, LogMelStatistics, TimmFrames, VGGish
from avzoo.extraction.frame_steps import frame_windows
from avzoo.extraction.media import Frame, MediaFile
from avzoo.extraction.sound_windows import sound_windows
from tests.extraction.made_videos import make_video

PICTURE = 270 * 480 * 3


class Endless:
    """A video of a given number of seconds, whose pictures are made when they are looked at."""

    frame_rate = 25

    def __init__(self, seconds):
        self._seconds = seconds

    def frames(self, start=0.0, end=None):
        for i in range(25 * self._seconds):
            yield Frame(i / 25, partial(np.zeros, (270, 480, 3), np.uint8))

    def samples(self, rate, start=0.0, end=None):
        for _ in range(10 * self._seconds):
            yield np.zeros(rate // 10, np.float32)


def peak_of(work):
    work()  # What is made once, such as a table of mel bands.
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope='module')
def extractors(tmp_path_factory):
    """Extractors without the work of their networks."""
    made = dict(log_mel_statistics=LogMelStatistics())
    for kind in (TimmFrames, VGGish, C3D):
        extractor = kind.__new__(kind)
        extractor.batch_size = 4
        made[kind.__name__] = extractor
    made['TimmFrames'].seconds, made['TimmFrames'].dim = 0.64, 8
    made['TimmFrames']._transform = lambda picture: torch.zeros(3, 32, 32)
    made['C3D'].colour, made['VGGish']._pca = 'bgr', None
    for extractor in made.values():
        extractor.compute = lambda batch, dim=extractor.dim: np.zeros((len(batch), dim), np.float32)
    return made


@pytest.mark.parametrize('name', ['log_mel_statistics', 'TimmFrames', 'VGGish', 'C3D'])
def test_an_extractor_keeps_only_its_features(extractors, name):
    extractor = extractors[name]
    seconds = (4, 16) if name == 'C3D' else (10, 60)
    short, long = (peak_of(partial(extractor.steps, Endless(n))) for n in seconds)
    features = (seconds[1] + 1) / 0.64 * extractor.dim * 4
    assert long - short < 2.5 * features + 6 * PICTURE  # Joined at the end. Of all steps: 19 to 78 more.


def test_windows_keep_one_window():
    short, long = (
        peak_of(lambda n=n: sum(len(x) for x in frame_windows(Endless(n).frames(), 1.0, 4, 0.0))) for n in (5, 50)
    )
    assert long - short < PICTURE
    short, long = (
        peak_of(lambda n=n: sum(len(x) for x in sound_windows(Endless(n).samples(8000), 8000))) for n in (5, 50)
    )
    assert long - short < 8000 * 4


def test_decoding_keeps_few_frames(tmp_path):
    path = make_video(tmp_path / 'clip.mkv', seconds=30, size=(640, 480))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(frame.rgb.shape == (480, 640, 3) for frame in MediaFile(path).frames()) == 750
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 100e6 < 750 * 640 * 480 * 1.5 / 3  # A third of what the frames take in the codec's colours.
