"""How validation chooses a calibration: the scale of logits, gamma on a grid, or the best offset."""

import numpy as np
import pytest
import torch

from avzoo.evaluation.calibration import best_offset, calibration_warning, score_scale
from avzoo.evaluation.functional import gfsl_accuracies, gfsl_metrics
from avzoo.evaluation.gfsl_metric import GFSLMetric

NUM_CLASSES = 8
BASE = np.arange(NUM_CLASSES) < 5


def logits_case(seed, shift=2.0, num=120):
    """Logits whose base classes are ``shift`` too large."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, NUM_CLASSES, num)
    logits = rng.normal(size=(num, NUM_CLASSES)) + 2.0 * np.eye(NUM_CLASSES)[labels] + shift * BASE
    return logits, labels, BASE


def hm(case, offset):
    return gfsl_accuracies(*case, offset)['HM']


@pytest.mark.parametrize('shift', [-3.0, 0.0, 2.0])
@pytest.mark.parametrize('seed', range(4))
def test_the_best_offset_is_the_best_of_all_numbers(seed, shift):
    case = logits_case(seed, shift)
    found = best_offset(*case)
    assert hm(case, found) >= max(hm(case, o) for o in np.linspace(-12, 12, 1201)) - 1e-9
    assert abs(found - shift) < 1.5


def test_the_best_offset_may_be_negative():
    case = logits_case(0, shift=-3.0)
    assert best_offset(*case) < -1 and hm(case, best_offset(*case)) > hm(case, 0.0)


@pytest.mark.parametrize('mask', [np.ones(NUM_CLASSES, dtype=bool), np.zeros(NUM_CLASSES, dtype=bool)])
def test_without_a_group_there_is_no_offset(mask):
    scores, labels, _ = logits_case(0)
    assert best_offset(scores, labels, mask) == 0.0


def test_the_scale_covers_95_of_100_margins():
    scores, _, mask = logits_case(1)
    margins = np.abs(scores[:, mask].max(1) - scores[:, ~mask].max(1))
    assert (margins <= score_scale(scores, mask)).mean() == pytest.approx(0.95, abs=0.01)
    assert score_scale(10 * scores, mask) == pytest.approx(10 * score_scale(scores, mask))


@pytest.mark.parametrize(
    ('scores', 'mask'), [(np.zeros((3, NUM_CLASSES)), BASE), (np.ones((3, NUM_CLASSES)), np.ones(NUM_CLASSES, bool))]
)
def test_without_margins_the_scale_is_one(scores, mask):
    assert score_scale(scores, mask) == 1.0


def evaluated(case, *, scale=1.0, **arguments):
    scores, labels, mask = case
    metric = GFSLMetric(**arguments)
    metric.dataset_meta = dict(
        classes=[f'class {i}' for i in range(NUM_CLASSES)],
        base_mask=mask.tolist(),
        video_ids=[f'video {i}' for i in range(len(labels))],
    )
    sample = dict(
        index=torch.arange(len(labels)), label=torch.as_tensor(labels), scores=torch.as_tensor(scores), scale=scale
    )
    metric.process({}, [sample])
    return metric.evaluate(len(labels)), metric


@pytest.mark.parametrize('calibration', ['gamma', 'offset'])
def test_the_scale_of_logits_does_not_change_the_result(calibration):
    scores, *rest = logits_case(2)
    one, _ = evaluated((scores, *rest), gamma='search', calibration=calibration)
    ten, _ = evaluated((10 * scores, *rest), gamma='search', calibration=calibration)
    for key in ('B', 'N', 'HM', 'FSL', 'AUSUC', 'B0', 'gamma', 'offset'):
        assert one[key] == pytest.approx(ten[key], abs=1e-4)
    assert ten['scale'] == pytest.approx(10 * one['scale'], rel=1e-5)


def test_a_scale_that_was_divided_by_already_is_undone_first():
    scores, *rest = logits_case(2)
    one, _ = evaluated((scores, *rest), gamma='search')
    again, _ = evaluated((scores / 4, *rest), gamma='search', scale=4.0)
    assert again == pytest.approx(one, rel=1e-5)


def test_both_rules_are_named_and_the_asked_for_one_is_taken():
    case = logits_case(3)
    on_grid, _ = evaluated(case, gamma='search', calibration='gamma')
    free, _ = evaluated(case, gamma='search', calibration='offset')
    assert on_grid['gamma'] in [round(0.1 * i, 1) for i in range(11)] and free['gamma'] == free['offset']
    assert on_grid['offset'] == free['offset'] and free['HM'] >= on_grid['HM']
    scaled = (case[0] / free['scale'], *case[1:])
    assert free['HM'] == pytest.approx(hm(scaled, free['offset']), abs=1e-3)


def test_scores_that_are_not_logits_have_no_scale():
    case = logits_case(3)
    found, metric = evaluated(case, scale=None, gamma='search')
    assert not {'scale', 'offset'} & found.keys()
    np.testing.assert_allclose(metric.predictions['scores'], case[0], rtol=1e-6)


def test_what_is_kept_of_the_predictions_is_on_the_scale_of_gamma():
    case = logits_case(3)
    found, metric = evaluated(case, gamma='search')
    np.testing.assert_allclose(metric.predictions['scores'], case[0] / found['scale'], rtol=1e-5)
    again, _ = evaluated((metric.predictions['scores'], *case[1:]), gamma=found['gamma'])
    assert again['HM'] == pytest.approx(found['HM'])


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match='calibration'):
        GFSLMetric(calibration='best')


MASK = np.array([True, True, False])


def case(seed, bias=0.0):
    rng = np.random.default_rng(seed)
    labels = np.array([0] * 9 + [1] * 5 + [2] * 7)
    return rng.normal(size=(21, 3)) + 2 * np.eye(3)[labels] + bias * MASK, labels


@pytest.mark.parametrize(('seed', 'bias'), [(0, 0.0), (1, 5.0), (2, -5.0), (3, 300.0)])
def test_no_real_number_gives_a_better_hm(seed, bias):
    scores, labels = case(seed, bias)
    gamma = best_offset(scores, labels, MASK)
    best = max(gfsl_accuracies(scores, labels, MASK, g)['HM'] for g in bias + np.linspace(-8, 8, 1001))
    assert gfsl_accuracies(scores, labels, MASK, gamma)['HM'] >= best - 1e-9
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


GRID = tuple(round(0.1 * i, 1) for i in range(11))


def searched(scores, labels, mask, grid=GRID):
    return gfsl_metrics(scores, labels, mask, gamma='search', gamma_grid=grid)


def test_logits_beyond_the_grid_are_named_with_what_is_possible():
    scores, labels, mask = logits_case(0, shift=30.0)
    found = searched(scores, labels, mask)
    assert found['HM'] == 0 and found['AUSUC'] > 30
    warning = calibration_warning(found, GRID)
    assert (
        'HM of 0.00' in warning and f'{found["AUSUC"]:.2f}' in warning and "curriculum.calibration='offset'" in warning
    )
    possible = float(warning.split('at least ')[1].split('. ')[0])
    assert 5 < possible <= hm((scores, labels, mask), best_offset(scores, labels, mask))


def test_the_largest_value_of_a_grid_is_named_even_where_it_serves():
    case = logits_case(0, shift=1.0)
    found = searched(*case, grid=(0.0, 0.4))
    assert found['gamma'] == 0.4 and found['HM'] > 30
    assert 'it is the largest' in calibration_warning(found, (0.0, 0.4))


@pytest.mark.parametrize('seed', range(4))
def test_a_grid_that_suits_the_scores_is_not_named(seed):
    scores, labels, mask = logits_case(seed, shift=2.0)
    assert calibration_warning(searched(scores / 6, labels, mask), GRID) == ''


@pytest.mark.parametrize('scores', [np.zeros((120, NUM_CLASSES)), np.random.default_rng(0).random((120, NUM_CLASSES))])
def test_scores_at_chance_are_no_fault_of_the_grid(scores):
    labels = np.arange(120) % NUM_CLASSES
    assert calibration_warning(searched(scores, labels, BASE), GRID) == ''


def test_a_calibration_that_was_not_searched_is_not_named():
    found = searched(*logits_case(0, shift=30.0))
    assert calibration_warning(found, (0.5,)) == '' and calibration_warning(dict(found, gamma=None), GRID) == ''
