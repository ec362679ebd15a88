import numpy as np
import pytest

from avzoo.evaluation.functional import ausuc, gfsl_accuracies
from avzoo.report.numbers import (
    chosen_point,
    class_counts,
    confusion,
    hardest_videos,
    probabilities,
    reliability,
    seen_unseen_curve,
    worst_pairs,
)
from tests.report.conftest import BASE, predictions


def few(scores, labels, gamma=0.0):
    scores = np.array(scores, np.float32)
    ids, classes = (np.array([f'v{i}' for i in range(size)]) for size in scores.shape)
    mask = np.arange(scores.shape[1]) < scores.shape[1] // 2
    return dict(
        video_id=ids, label=np.array(labels), scores=scores, classes=classes, base_mask=mask, gamma=np.float64(gamma)
    )


def test_the_curve_runs_from_base_alone_to_novel_alone_and_has_the_area_of_ausuc():
    one = predictions(0, 1.0)
    curve = seen_unseen_curve(one)
    all_base, all_novel = (gfsl_accuracies(one['scores'], one['label'], BASE, gamma) for gamma in (-np.inf, np.inf))
    assert (curve.base[0], curve.novel[0]) == pytest.approx((all_base['B'], 0))
    assert (curve.base[-1], curve.novel[-1]) == pytest.approx((0, all_novel['N']), abs=1e-9)
    area = -np.trapezoid(curve.novel, curve.base) if hasattr(np, 'trapezoid') else -np.trapz(curve.novel, curve.base)
    assert area / 100 == pytest.approx(ausuc(one['scores'], one['label'], BASE))


def test_every_point_of_the_curve_is_what_its_gamma_gives():
    one = predictions(0, 1.0)
    for gamma, base, novel in list(zip(*seen_unseen_curve(one), strict=True))[1:-1]:
        above = gfsl_accuracies(one['scores'].astype(np.float64), one['label'], BASE, gamma + 1e-6)
        assert (above['B'], above['N']) == pytest.approx((base, novel), abs=1e-6)


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    one = few(rng.normal(size=(5000, 4)), np.arange(5000) % 4)
    curve = seen_unseen_curve(one)
    assert len(curve.base) == 400
    assert (curve.novel[0], curve.base[-1]) == pytest.approx((0, 0))


def test_the_chosen_point_is_at_the_gamma_of_the_test():
    one = predictions(0, 1.0)
    expected = gfsl_accuracies(one['scores'], one['label'], BASE, 0.1)
    assert chosen_point(one) == (expected['B'], expected['N'])


def test_confusions_count_calibrated_predictions_of_all_draws():
    first = few([[5, 0, 0, 0], [5, 0, 4, 0], [0, 0, 5, 0]], [0, 2, 2])
    second = few([[5, 0, 0, 0], [5, 0, 4, 0], [0, 0, 5, 0]], [0, 2, 2], gamma=2.0)
    counts = confusion([first, second])
    assert counts.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0]]
    assert worst_pairs(counts) == [(2, 0, 1, 25.0)]


def test_reliability_bins_by_probability_and_multiplies_scores_by_the_scale():
    logits = np.log([[0.91, 0.09], [0.91, 0.09], [0.55, 0.45]])
    one = few(logits / 4, [0, 1, 1])
    found = reliability([one], [4.0])
    assert found.videos.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert found.confidence[[5, 9]] == pytest.approx([55, 91], abs=1e-3)
    assert found.accuracy[[5, 9]].tolist() == [0, 50]
    assert found.error == pytest.approx((2 * 41 + 55) / 3, abs=1e-3)


def test_scores_that_are_probabilities_stay_as_they_are():
    rows = np.array([[0.2, 0.8], [0.5, 0.5]])
    assert probabilities(few(rows, [0, 1])) == pytest.approx(rows)
    assert probabilities(few(10 * rows, [0, 1])).sum(1) == pytest.approx(1)


def test_the_hardest_video_is_farthest_from_its_class_over_all_draws():
    first = few([[1, 0], [0, 3], [5, 0]], [1, 0, 0])
    second = few([[1, 0], [3, 0], [5, 0]], [1, 0, 0])
    hard, easier = hardest_videos([first, second])
    assert (hard['video_id'], hard['predicted'], hard['wrong'], hard['tests'], hard['margin']) == ('v1', 1, 1, 2, 1.5)
    assert (easier['video_id'], easier['wrong'], easier['margin']) == ('v0', 2, 1.0)
    assert len(hardest_videos([first, second], limit=1)) == 1


def test_counts_of_a_class_are_means_over_draws():
    assert class_counts([few([[1, 0]], [0]), few([[1, 0]], [1])]).tolist() == [0.5, 0.5]
