"""What a metric would silently convert is refused: labels that are not whole numbers, masks of texts."""

import numpy as np
import pytest
import torch

from avzoo.evaluation.functional import calibrated_predictions, gfsl_metrics, per_class_recall
from avzoo.evaluation.gfsl_metric import GFSLMetric
from avzoo.utils.errors import DataError

SCORES = np.array([[0.1, 0.9], [0.8, 0.2]], np.float32)
LABELS, MASK = np.array([1, 0]), np.array([True, False])


def metric_of(base_mask=(True, False), **kwargs):
    metric = GFSLMetric(0.0, **kwargs)
    metric.dataset_meta = dict(classes=['a', 'b'], base_mask=list(base_mask), video_ids=['v', 'w'])
    return metric


def evaluate(metric, scores=SCORES, label=(1, 0), index=(0, 1)):
    sample = dict(index=torch.tensor(index), label=torch.tensor(label), scores=torch.as_tensor(scores))
    metric.process({}, [sample])
    return metric.evaluate(2)


@pytest.mark.parametrize('labels', [[1.0, 0.0], [0.5, 0.9], ['1', '0'], [True, False], [1j, 0], [None, 0]])
def test_labels_are_whole_numbers(labels):
    for compute in (
        lambda: gfsl_metrics(SCORES, np.array(labels), MASK),
        lambda: per_class_recall(SCORES, np.array(labels), 2),
    ):
        with pytest.raises(ValueError, match='labels must be whole numbers'):
            compute()


@pytest.mark.parametrize('mask', [['True', 'False'], ['', 'x'], [1.0, 0.0], [2, 0], [-1, 0], [None, True]])
def test_a_base_mask_is_true_or_false(mask):
    for compute in (
        lambda: gfsl_metrics(SCORES, LABELS, mask),
        lambda: calibrated_predictions(SCORES, mask, 0.0),
    ):
        with pytest.raises(ValueError, match='base_mask must be'):
            compute()
    with pytest.raises(DataError, match='base_mask must be'):
        evaluate(metric_of(mask))


@pytest.mark.parametrize('mask', [[True, False], [1, 0], np.array([1, 0], np.uint8)])
def test_ones_and_zeros_serve_as_a_mask(mask):
    assert gfsl_metrics(SCORES, LABELS, mask) == gfsl_metrics(SCORES, LABELS, MASK)


@pytest.mark.parametrize('scores', [SCORES.astype(complex), SCORES.astype(str), SCORES.astype(object)])
def test_scores_are_real_numbers(scores):
    with pytest.raises(ValueError, match='scores must be numbers'):
        gfsl_metrics(scores, LABELS, MASK)


@pytest.mark.parametrize(
    ('given', 'name'),
    [(dict(label=(1.0, 0.0)), 'label'), (dict(index=(0.0, 1.0)), 'index'), (dict(label=(True, False)), 'label')],
)
def test_the_metric_takes_no_fractions_for_columns_and_places(given, name):
    with pytest.raises(DataError, match=f'{name} is torch'):
        evaluate(metric_of(), **given)


@pytest.mark.parametrize(('value', 'word'), [(np.nan, 'NaN'), (np.inf, 'infinite'), (-np.inf, 'infinite')])
def test_scores_without_an_order_name_the_video(value, word):
    scores = SCORES.copy()
    scores[1, 0] = value
    with pytest.raises(DataError, match=f"1 sample are {word}, first video 'w'"):
        evaluate(metric_of(), scores)


@pytest.mark.parametrize('arguments', [dict(gamma=float('nan')), dict(gamma_grid=[0.0, float('inf')])])
def test_a_calibration_is_a_finite_number(arguments):
    with pytest.raises(ValueError, match='finite'):
        GFSLMetric(**arguments)


@pytest.mark.parametrize('mask', [(True, False), (False, True)])
def test_of_equal_scores_the_lowest_column_wins(mask):
    metric = metric_of(mask)
    evaluate(metric, np.full((2, 2), 0.5, np.float32))
    assert metric.per_class_recall == {'a': 100.0, 'b': 0.0}
    assert calibrated_predictions(np.full((3, 2), 0.5), np.array(mask), 0.0).tolist() == [0, 0, 0]
