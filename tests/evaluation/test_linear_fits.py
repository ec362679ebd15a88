"""How methods for a few clips are compared, and what a logistic regression of them is."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from avzoo.evaluation.linear_fits import Linear, compare, logistic_regression, usual_setting

LABELS = np.arange(8) % 2


def features(some):
    """One number: which class a clip is of."""
    return np.where(LABELS == 1, 1.0, -1.0)[:, None]


def of_logits(logits):
    """A method that gives a clip of class 1 the logits (0, x) for x in ``logits``, and one of class 0 (0, -x)."""

    def fit(rows, labels, settings):
        return [Linear(np.array([[0.0], [setting]]), np.zeros(2)) for setting in settings]

    return fit, tuple(logits)


def loss(logit):
    return np.log1p(np.exp(-logit))


def logit_of(wanted):
    return -np.log(np.expm1(wanted))


@pytest.mark.parametrize(('worse_by', 'softest'), [(0.019, True), (0.021, False)])
def test_of_settings_whose_log_loss_hardly_differs_the_softest_is_taken(worse_by, softest):
    soft, sharp = logit_of(0.1 + worse_by), logit_of(0.1)
    (found,) = compare(features, LABELS, dict(one=of_logits([soft, sharp])), 0)
    assert found.setting == (soft if softest else sharp)
    assert found.log_loss == pytest.approx(loss(found.setting)) and set(found.accuracies) == {1.0}


@pytest.mark.parametrize(('mistakes', 'order'), [(1, ['sharp', 'right']), (4, ['right', 'sharp'])])
def test_methods_within_a_hundredth_are_ranked_by_log_loss(mistakes, order):
    labels = np.arange(240) % 2
    rows = np.where(labels == 1, 1.0, -1.0)[:, None]
    mistaken = rows.copy()
    mistaken[:mistakes] *= -1  # Of 240 clips.

    def scaled(some):
        return np.concatenate([rows, mistaken], axis=1)

    def method(column, logit):
        weight = np.zeros((2, 2))
        weight[1, column] = logit
        return (lambda x, y, settings: [Linear(weight, np.zeros(2)) for _ in settings]), (1.0,)

    found = compare(scaled, labels, dict(right=method(0, 0.5), sharp=method(1, 4.0)), 0)
    assert [one.method for one in found] == order


def test_folds_in_which_a_class_has_no_clip_to_train_on_are_left_out():
    labels, groups, trained = np.array([1, 1, 0, 1, 0]), np.array([2, 2, 0, 3, 2]), []

    def fit(rows, of, settings):
        trained.append(set(of))
        return [Linear(np.zeros((2, 1)), np.zeros(2)) for _ in settings]

    (found,) = compare(lambda some: np.zeros((5, 1)), labels, dict(one=(fit, (1.0,))), 0, groups)
    # Of two folds, four times, some hold out a whole class.
    assert len(trained) == len(found.accuracies) < 8 and all(classes == {0, 1} for classes in trained)


@pytest.mark.parametrize('classes', [2, 3])
def test_a_logistic_regression_weighs_classes_alike_and_has_an_intercept(classes):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), [20, 4, 6][:classes])
    rows = rng.normal(size=(len(labels), 3)) + labels[:, None] + 1
    (found,) = logistic_regression(rows, labels, [1.0])
    scale = 1 / rows.std()
    wanted = LogisticRegression(C=1.0, class_weight='balanced', max_iter=2000).fit(rows * scale, labels)
    logits = found.logits(rows)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), wanted.predict_proba(rows * scale), atol=1e-6)


def test_where_nothing_is_validated_the_middle_setting_is_usual():
    assert [usual_setting((None, (1.0, 2.0, 3.0, 4.0)[:n])) for n in (1, 2, 3, 4)] == [1.0, 1.0, 2.0, 2.0]
