import numpy as np
import pytest
from scipy import stats

from avzoo.evaluation import functional as F

GOLDEN_NAMES = dict(B='seen', N='unseen', HM='hm', FSL='zsl')


@pytest.fixture(params=['', 'rand_'], ids=['model', 'random'])
def golden(request, shared_dir):
    arrays = np.load(shared_dir / 'golden' / 'avdiff_ucf' / 'metrics.npz', allow_pickle=False)
    mask = np.zeros(arrays['scores'].shape[1], dtype=bool)
    mask[arrays['seen_idx']] = True
    prefix = request.param
    own = {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}
    return own['scores'], own['targets'], mask, own


def random_case(seed, num_samples=200, num_classes=9, dtype=np.float64):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(num_classes, 0.3), num_samples).astype(dtype)
    mask = np.arange(num_classes) % 3 > 0
    return scores, rng.integers(0, num_classes, num_samples), rng.permutation(mask)


def plain_accuracies(scores, labels, base_mask, gamma):
    """The definition, one class at a time."""
    predicted = (scores - gamma * base_mask).argmax(axis=1)
    novel_only = np.where(base_mask, -np.inf, scores).argmax(axis=1)

    def recall(guess, group):
        present = [c for c in np.flatnonzero(group) if (labels == c).any()]
        return 100 * np.mean([(guess[labels == c] == c).mean() for c in present])

    b, n = recall(predicted, base_mask), recall(predicted, ~base_mask)
    return dict(B=b, N=n, HM=2 * b * n / (b + n) if b + n else 0.0, FSL=recall(novel_only, ~base_mask))


# Two base columns, two novel ones; best base minus best novel is .6, .2, -.1, .1 for the four samples.
TINY = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.45, 0.25, 0.1], [0.3, 0.2, 0.4, 0.1], [0.4, 0.1, 0.2, 0.3]])
TINY_LABELS = np.array([0, 1, 2, 3])
TINY_MASK = np.array([True, True, False, False])


def test_tiny_case_by_hand():
    assert F.gfsl_accuracies(TINY, TINY_LABELS, TINY_MASK, 0.0) == pytest.approx(
        dict(B=100.0, N=50.0, HM=200 / 3, FSL=100.0)
    )
    assert F.gfsl_accuracies(TINY, TINY_LABELS, TINY_MASK, 0.15) == pytest.approx(
        dict(B=100.0, N=100.0, HM=100.0, FSL=100.0)
    )
    assert F.gfsl_accuracies(TINY, TINY_LABELS, TINY_MASK, 1.0) == pytest.approx(
        dict(B=0.0, N=100.0, HM=0.0, FSL=100.0)
    )


def test_tiny_area_by_hand():
    # Some gamma gets everything right, so the curve is the whole square.
    assert F.ausuc(TINY, TINY_LABELS, TINY_MASK) == pytest.approx(100.0)
    # With samples 0 and 3 at one margin, B first falls to 50 at N = 50 and then to 0 while N rises to 100.
    scores = TINY.copy()
    scores[0], scores[3] = [0.75, 0.0, 0.25, 0.0], [0.75, 0.0, 0.0, 0.25]
    assert F.ausuc(scores, TINY_LABELS, TINY_MASK) == pytest.approx(25.0 + 37.5)


def test_recall_takes_scores_or_predictions_and_skips_empty_classes():
    labels = np.array([0, 0, 2, 2])
    recall = F.per_class_recall(np.array([0, 1, 2, 2]), labels, 4)
    np.testing.assert_array_equal(recall, [50.0, np.nan, 100.0, np.nan])
    np.testing.assert_array_equal(F.per_class_recall(np.eye(4)[[0, 1, 2, 2]], labels, 4), recall)
    np.testing.assert_array_equal(F.per_class_recall(np.array([0, 1, 1]), np.array([0, 0, 1]), 2), [50.0, 100.0])


def test_the_harmonic_mean_of_small_numbers():
    assert F.harmonic_mean(0.2, 0.3) == pytest.approx(0.24)
    assert F.harmonic_mean(0.0, 0.0) == F.harmonic_mean(0.0, 50.0) == 0.0


def test_golden_lines_at_every_gamma(golden):
    scores, labels, mask, own = golden
    for i, gamma in enumerate(own['betas']):
        row = F.gfsl_accuracies(scores, labels, mask, float(gamma))
        for key, name in GOLDEN_NAMES.items():
            assert row[key] / 100 == pytest.approx(own[name][i], abs=1e-6)


def test_golden_search_and_fixed_gamma(golden):
    scores, labels, mask, own = golden
    row = F.gfsl_metrics(scores, labels, mask)
    fixed = F.gfsl_accuracies(scores, labels, mask, 0.37)
    assert row['gamma'] == pytest.approx(own['best_beta'])
    for key, name in GOLDEN_NAMES.items():
        assert row[key] / 100 == pytest.approx(own[f'best_{name}'], abs=1e-6)
        assert fixed[key] / 100 == pytest.approx(own[f'fixed037_{name}'], abs=1e-6)


def test_golden_novel_recall(golden):
    scores, labels, mask, own = golden
    novel = ~mask[labels]
    recall = F.per_class_recall(np.where(mask, -np.inf, scores)[novel], labels[novel], len(mask))
    np.testing.assert_allclose(np.nan_to_num(recall) / 100, own['best_recall_zsl'][: len(mask)], atol=1e-6)


def test_zero_is_a_gamma_like_any_other(golden):
    scores, labels, mask, own = golden
    row = F.gfsl_metrics(scores, labels, mask, gamma=0.0)
    assert row['gamma'] == 0.0
    assert row['B'] == row['B0'] == pytest.approx(100 * own['seen'][0], abs=1e-4)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_random_scores_agree_with_the_definition(seed, dtype):
    scores, labels, mask = random_case(seed, dtype=dtype)
    for gamma in (-0.3, 0.0, 0.13, 0.5, 1.0):
        assert F.gfsl_accuracies(scores, labels, mask, gamma) == pytest.approx(
            plain_accuracies(scores, labels, mask, gamma)
        )
        np.testing.assert_array_equal(
            F.calibrated_predictions(scores, mask, gamma), (scores - dtype(gamma) * mask).argmax(axis=1)
        )


@pytest.mark.parametrize('seed', range(5))
def test_sweep_equals_brute_force(seed):
    scores, labels, mask = random_case(seed)
    rows = [plain_accuracies(scores, labels, mask, gamma) for gamma in F.DEFAULT_GAMMA_GRID]
    best = int(np.argmax([row['HM'] for row in rows]))
    row = F.gfsl_metrics(scores, labels, mask)
    assert row['gamma'] == F.DEFAULT_GAMMA_GRID[best]
    assert {key: row[key] for key in rows[best]} == pytest.approx(rows[best])


def test_sweep_takes_the_first_of_equal_gammas():
    for grid in ([0.9, 0.15, 0.16], [0.9, 0.16, 0.15]):
        assert F.gfsl_metrics(TINY, TINY_LABELS, TINY_MASK, gamma_grid=grid)['gamma'] == grid[1]


@pytest.mark.parametrize('seed', range(5))
def test_area_equals_brute_force_over_all_breakpoints(seed):
    scores, labels, mask = random_case(seed)
    margins = np.unique(scores[:, mask].max(axis=1) - scores[:, ~mask].max(axis=1))
    gammas = np.concatenate([[-2.0], (margins[1:] + margins[:-1]) / 2, [2.0]])
    rows = [plain_accuracies(scores, labels, mask, gamma) for gamma in gammas]
    b, n = (np.array([row[key] for row in rows]) for key in ('B', 'N'))
    assert F.ausuc(scores, labels, mask) == pytest.approx(((b[:-1] - b[1:]) * (n[:-1] + n[1:])).sum() / 200, abs=1e-9)


def test_area_ignores_a_constant_bias_towards_base():
    scores, labels, mask = random_case(1)
    assert F.ausuc(scores + 0.7 * mask, labels, mask) == pytest.approx(F.ausuc(scores, labels, mask))


def test_tie_goes_to_the_lower_column():
    scores = np.array([[0.5, 0.5, 0.25]])
    assert F.calibrated_predictions(scores, np.array([True, False, False]), 0.0) == 0
    assert F.calibrated_predictions(scores, np.array([False, True, True]), 0.0) == 0
    assert F.calibrated_predictions(scores, np.array([False, True, False]), 0.25) == 0


def test_rounding_does_not_reorder_base_classes():
    scores = np.array([[1e-8, 2e-8, 0.0]], dtype=np.float32)
    assert F.calibrated_predictions(scores, np.array([True, True, False]), -1.0) == 1


def test_half_precision_scores_are_widened():
    scores, labels, mask = random_case(3)
    half = scores.astype(np.float16)
    assert F.gfsl_metrics(half, labels, mask) == F.gfsl_metrics(half.astype(np.float32), labels, mask)


def test_half_precision_is_widened_before_gamma_is_taken_off():
    # A tenth is less than 0.1 in half precision: the base class loses. Subtracted in half precision, they would tie.
    scores = np.array([[0.1, 0.0]], dtype=np.float16)
    assert F.calibrated_predictions(scores, np.array([True, False]), 0.1) == 1


def test_double_precision_is_kept():
    assert F.calibrated_predictions(np.array([[0.5, 0.5 + 1e-12]]), np.array([True, False]), 0.0) == 1


def test_the_mask_may_be_a_list_of_zeros_and_ones():
    found = F.gfsl_metrics(TINY, TINY_LABELS, [1, 1, 0, 0], gamma=0.15)
    assert found == F.gfsl_metrics(TINY, TINY_LABELS, TINY_MASK, gamma=0.15)


def test_group_without_samples_scores_zero():
    row = F.gfsl_metrics(TINY[:2], TINY_LABELS[:2], TINY_MASK)
    assert row == dict(B=100.0, N=0.0, HM=0.0, FSL=0.0, AUSUC=0.0, gamma=0.0, B0=100.0)


@pytest.mark.parametrize('all_base', [True, False])
def test_only_one_group_of_columns(all_base):
    row = F.gfsl_metrics(TINY, TINY_LABELS, np.full(4, all_base), gamma=0.5)
    assert row['B' if all_base else 'N'] == 75.0
    assert row['AUSUC'] == row['HM'] == 0.0


def test_classes_without_samples_do_not_count():
    keep = np.array([0, 2])
    assert F.gfsl_accuracies(TINY[keep], TINY_LABELS[keep], TINY_MASK, 0.0)['B'] == 100.0


def test_bad_arrays_are_refused():
    with pytest.raises(ValueError, match=r'scores must be \(N, C\)'):
        F.gfsl_accuracies(TINY, TINY_LABELS[:3], TINY_MASK, 0.0)
    with pytest.raises(ValueError, match=r'labels must be columns 0\.\.3; got 0\.\.4'):
        F.gfsl_accuracies(TINY, np.array([0, 1, 2, 4]), TINY_MASK, 0.0)
    with pytest.raises(ValueError, match='NaN in 1 of 4 rows'):
        F.ausuc(np.where(TINY == 0.45, np.nan, TINY), TINY_LABELS, TINY_MASK)
    with pytest.raises(ValueError, match='NaN in 2 of 4 rows'):
        F.ausuc(np.where(TINY >= 0.45, np.nan, TINY), TINY_LABELS, TINY_MASK)
    with pytest.raises(ValueError, match='grid of gammas is empty'):
        F.gfsl_metrics(TINY, TINY_LABELS, TINY_MASK, gamma_grid=[])


def test_draws_are_combined_as_the_paper_does():
    draws = [
        dict(B=60.0, N=20.0, HM=30.0, FSL=50.0, AUSUC=10.0, draw=0),
        dict(B=50.0, N=30.0, HM=37.5, FSL=54.0, AUSUC=14.0, draw=1),
        dict(B=40.0, N=40.0, HM=40.0, FSL=52.0, AUSUC=12.0, draw=2),
    ]
    total = F.aggregate_draws(draws)
    low, high = stats.t.interval(0.95, 2, loc=total['HM_mean'], scale=stats.sem([30.0, 37.5, 40.0]))
    assert total['ci95'] == pytest.approx((high - low) / 2)
    assert {key: total[key] for key in ('B', 'N', 'HM', 'FSL', 'AUSUC', 'HM_mean', 'num_draws')} == pytest.approx(
        dict(B=50.0, N=30.0, HM=37.5, FSL=52.0, AUSUC=12.0, HM_mean=107.5 / 3, num_draws=3)
    )


def test_single_draw_has_no_interval():
    assert F.aggregate_draws([dict(B=60.0, N=20.0, HM=30.0, FSL=50.0, AUSUC=10.0)])['ci95'] is None
    with pytest.raises(ValueError, match='no draws'):
        F.aggregate_draws([])
