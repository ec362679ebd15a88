"""Generators that are known to have learned, or not to have, are told apart."""

import pytest
import torch

from avzoo.evaluation.generator_check import Features, check_generator, check_line

CLASSES, DIM = 6, 4
BASE = torch.arange(CLASSES) < 2
MEANS = 4 * torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(0))


def drawn(columns: torch.Tensor, seed: int) -> torch.Tensor:
    return MEANS[columns] + torch.randn(len(columns), DIM, generator=torch.Generator().manual_seed(seed))


# What a generator has to reach; FSL, of a chance of 25, half of what is left to 100.
DISTANCE, FSL = 'distance < that of one shot', 'FSL of its features >= 62.5'
HELD_OUT_LABELS = torch.arange(CLASSES).repeat(40)
HELD_OUT = Features(drawn(HELD_OUT_LABELS, 1), HELD_OUT_LABELS)
SHOTS = Features(drawn(torch.arange(2, CLASSES), 2), torch.arange(2, CLASSES))


def good(columns):
    return drawn(columns, 3)


def error(features, columns):
    return float((features.x - MEANS[columns]).square().mean())


def check(sample=good, error=error):
    return check_generator(sample, error, SHOTS, HELD_OUT, BASE)


def test_a_generator_of_the_true_distribution_has_learned():
    found = check()
    assert found['learned'] and found['synthetic_accuracy'] > 90 and found['chance'] == 25
    assert 'generator: learned' in check_line(found) and 'needed' not in check_line(found)
    # Of 50 samples the mean is 50 times closer than one shot, beside the distance of the held-out mean itself.
    assert found['shot_mean_distance'] == pytest.approx(DIM * (1 + 1 / 40), rel=0.6)
    assert found['mean_distance'] == pytest.approx(DIM * (1 / 50 + 1 / 40), rel=0.6)
    assert found['loss_true'] == pytest.approx(1, abs=0.1) and found['loss_shuffled'] > 5


@pytest.mark.parametrize(
    ('failing', 'needed'),
    [
        # Another novel class's features.
        (dict(sample=lambda columns: good((columns - 1) % 4 + 2)), [DISTANCE, FSL]),
        # Far away, although nothing changes among the classes.
        (dict(sample=lambda columns: good(columns) + 3), [DISTANCE]),
        (dict(sample=lambda columns: torch.zeros(len(columns), DIM)), [DISTANCE, FSL]),
        (dict(error=lambda features, columns: 0.9), ['loss with shuffled conditions >= 0.990']),
    ],
)
def test_a_generator_that_fails_one_of_the_tests_has_not_learned_and_is_told_its_bar(failing, needed):
    found = check(**failing)
    assert not found['learned'] and 'not learned' in check_line(found)
    assert check_line(found).endswith(f', chance 25.0); needed: {", ".join(needed)}')


def test_a_generator_without_a_loss_is_judged_by_its_samples():
    found = check(error=None)
    assert found['learned'] and 'loss_true' not in found and 'shuffled' not in check_line(found)
