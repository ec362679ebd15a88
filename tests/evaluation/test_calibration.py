import numpy as np
import pytest

from avzoo.evaluation.calibration import best_offset
from avzoo.evaluation.functional import gfsl_accuracies

MASK = np.array([True, True, False])


def case(seed, bias=0.0):
    rng = np.random.default_rng(seed)
    labels = np.array([0] * 9 + [1] * 5 + [2] * 7)
    return rng.normal(size=(21, 3)) + 2 * np.eye(3)[labels] + bias * MASK, labels


@pytest.mark.parametrize(('seed', 'bias'), [(0, 0.0), (1, 5.0), (2, -5.0), (3, 300.0)])
def test_no_real_number_gives_a_better_hm(seed, bias):
    scores, labels = case(seed, bias)
    gamma = best_offset(scores, labels, MASK)
    best = max(gfsl_accuracies(scores, labels, MASK, g)['HM'] for g in bias + np.linspace(-8, 8, 4001))
    assert gfsl_accuracies(scores, labels, MASK, gamma)['HM'] == pytest.approx(best)
    assert abs(gamma - bias) < 8


def test_it_lies_in_the_middle_between_two_samples_that_count():
    # Novel samples at -1 and 1, base samples at 3 and 4. That at 2 is of class 1, so it is wrong whichever side wins.
    scores = np.array([[margin, -9.0, 0.0] for margin in (-1, 1, 3, 4, 2)])
    assert best_offset(scores, np.array([2, 2, 0, 0, 1]), MASK) == 2.0  # With the wrong one it would be 1.5 or 2.5.


def test_of_equal_results_the_lowest_wins():
    scores = np.array([[0.0, -9, 0], [2.0, -9, 0], [1.0, -9, 0], [3.0, -9, 0]])
    labels = np.array([2, 2, 0, 0])
    # Below 1: novel 1 of 2, base all. Between 2 and 3 the mirror image. From 1 to 2: half of each.
    assert best_offset(scores, labels, MASK) == 0.5


def test_without_a_positive_hm_it_is_zero():
    scores, labels = case(0)
    assert best_offset(scores, np.zeros(21, dtype=int), MASK) == 0.0
    assert best_offset(scores[:, :2], np.minimum(labels, 1), MASK[:2]) == 0.0
