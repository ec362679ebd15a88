"""The linear classifiers of a few clips."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage

from avzoo.evaluation import linear_fits


@pytest.mark.parametrize('shape', [(200, 7), (9, 40), (12, 12), (2, 2)])
def test_the_shrinkage_is_that_of_scikit_learn_from_either_gram_matrix(shape):
    rows = np.random.default_rng(0).normal(size=shape) * np.linspace(0.01, 3, shape[1])
    expected = pytest.approx(ledoit_wolf_shrinkage(rows, assume_centered=True), rel=1e-9)
    for gram in (rows @ rows.T, rows.T @ rows):
        assert linear_fits._shrinkage(rows, gram) == expected


def test_clips_that_are_all_zero_shrink_nothing():
    assert linear_fits._shrinkage(np.zeros((3, 2)), np.zeros((2, 2))) == 0
