"""Parts that are fitted read the training set batch by batch."""

import gc

import pytest
import torch

from avzoo.models.contracts import FittingSet
from avzoo.models.generators import TextGaussian
from avzoo.models.heads import EnsembleHead
from avzoo.models.layers.class_statistics import ClassStatistics
from avzoo.models.projectors import JointWhitening

SIZE, WIDTH, CLASSES = 512, 8, 4
PARTS = {
    'JointWhitening': lambda training: JointWhitening(WIDTH).fit(training),
    'JointWhitening, rotated': lambda training: JointWhitening(WIDTH, max_dim=3).fit(training),
    'TextGaussian': lambda training: TextGaussian(WIDTH, 3, CLASSES).fit(training),
    'EnsembleHead': lambda training: EnsembleHead(
        dict(in_dim=WIDTH, num_classes=CLASSES), heads=[dict(type='LinearHead', rank_by='logits')]
    ).fit(training),
    'ClassStatistics': lambda training: ClassStatistics.of(training.batches(), CLASSES),
}


@pytest.fixture(autouse=True)
def only_what_comes():
    """Leave out what lives already: a process that has run many tests looks through a million objects otherwise."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def numbers_alive() -> int:
    """Return how many numbers the tensors hold that were made in a test."""
    return sum(x.numel() for x in gc.get_objects() if type(x) is torch.Tensor)


def peak(fit, num_batches: int) -> int:
    """Return the most numbers alive in the last batch of a pass, more than before the fit."""
    before, found = numbers_alive(), []

    def batches():
        for i in range(num_batches):
            x = torch.randn(SIZE, WIDTH, generator=torch.Generator().manual_seed(i))
            if i == num_batches - 1:
                found.append(numbers_alive() - before)
            yield x, torch.arange(SIZE) % CLASSES

    words = torch.randn(CLASSES, 3, generator=torch.Generator().manual_seed(0))
    fit(FittingSet(batches, SIZE * num_batches, torch.ones(CLASSES, dtype=torch.bool), words, None, None, 0))
    return max(found)


@pytest.mark.parametrize('name', PARTS)
def test_memory_does_not_grow_with_the_number_of_videos(name):
    few, many = peak(PARTS[name], 3), peak(PARTS[name], 30)
    assert many <= few + SIZE * WIDTH  # One batch more may be alive by chance, not 27.


def test_what_keeps_its_videos_is_noticed():
    kept = []
    few, many = (peak(lambda training: kept.extend(x for x, _ in training.batches()), n) for n in (3, 30))
    assert many > few + SIZE * WIDTH
