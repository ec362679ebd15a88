"""How validation chooses a calibration: the scale of logits, gamma on a grid, or the best offset."""

import numpy as np
import pytest
import torch

from avzoo.evaluation.functional import best_offset, gfsl_accuracies, gfsl_metrics, score_scale
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
    assert hm(case, found) == pytest.approx(max(hm(case, o) for o in np.linspace(-12, 12, 4801)), abs=1e-9)
    assert abs(found - shift) < 1.5


def test_the_best_offset_may_be_negative():
    case = logits_case(0, shift=-3.0)
    assert best_offset(*case) < -1 and hm(case, best_offset(*case)) > hm(case, 0.0)


def test_the_best_offset_is_the_middle_of_the_widest_best_interval():
    scores = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    # Margins 3, 1 and -5: both base videos are right below 1, the novel one above -5.
    assert best_offset(scores, np.array([0, 0, 1]), np.array([True, False])) == pytest.approx(-2.0)


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


@pytest.mark.parametrize('gamma', ['search', 'offset', 0.3])
def test_metrics_of_plain_arrays_follow_the_rule(gamma):
    case = logits_case(4)
    found = gfsl_metrics(*case, gamma=gamma)
    assert found['HM'] == pytest.approx(hm(case, found['gamma']))
    if gamma == 'offset':
        assert found['gamma'] == best_offset(*case)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match='calibration'):
        GFSLMetric(calibration='best')
