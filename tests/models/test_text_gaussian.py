"""TextGaussian against its formulas, written by hand."""

import numpy as np
import pytest
import torch

from avzoo.models.generators import TextGaussian
from tests.models.fitting import clustered, fitting_set

DIM, WORDS, NUM_BASE = 3, 5, 6
COUNTS = [5, 4, 6, 3, 5, 4, 2, 1]  # Six base classes, two novel ones; the ninth class has no video.
NUM_CLASSES = len(COUNTS) + 1
X, LABELS = clustered(COUNTS, DIM)
VECTORS = torch.randn(NUM_CLASSES, WORDS, generator=torch.Generator().manual_seed(1))
SPREAD = torch.tensor([4.0, 1.0, 0.25])


def fitted(vectors=VECTORS, x=X, labels=LABELS, *, num_base=NUM_BASE, spread=SPREAD, **arguments):
    part = TextGaussian(x.shape[1], vectors.shape[1], len(vectors), **arguments)
    facts = dict(conditions=vectors, class_variance=spread)
    return part, part.fit(fitting_set(x, labels, num_base, len(vectors), **facts))


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def predictions(means: np.ndarray, words: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Return p of all classes, base ones from the other base classes, and p of the whole map."""
    words = unit(unit(words) - unit(words)[:NUM_BASE].mean(0))
    mu = means[:NUM_BASE].mean(0)
    targets, kernel = means[:NUM_BASE] - mu, words[:NUM_BASE] @ words[:NUM_BASE].T
    added = ridge * np.trace(kernel) / NUM_BASE
    whole = mu + words @ words[:NUM_BASE].T @ np.linalg.inv(kernel + added * np.eye(NUM_BASE)) @ targets
    left_out = whole.copy()
    for c in range(NUM_BASE):  # The kernel regression without class c.
        rest = [i for i in range(NUM_BASE) if i != c]
        weights = np.linalg.inv(kernel[np.ix_(rest, rest)] + added * np.eye(len(rest))) @ targets[rest]
        left_out[c] = mu + kernel[c, rest] @ weights
    return left_out, whole


def class_means() -> tuple[np.ndarray, np.ndarray]:
    x, labels, counts = X.double().numpy(), LABELS.numpy(), np.array([*COUNTS, 0])
    return np.stack([x[labels == c].mean(0) if counts[c] else np.zeros(DIM) for c in range(NUM_CLASSES)]), counts


@pytest.mark.parametrize('ridge', [0.2, 3.0])
def test_class_means_are_the_posterior_of_text_and_shots(ridge):
    part, log = fitted(text_ridge=ridge)
    means, counts = class_means()
    prior, _ = predictions(means, VECTORS.double().numpy(), ridge)
    spread = SPREAD.double().numpy()
    variance = 1 / (1 / spread + counts[:, None])
    expected = variance * (prior / spread + counts[:, None] * means)
    np.testing.assert_allclose(part.class_means.numpy(), expected, rtol=1e-4, atol=1e-4)
    found_mean, found_variance = part.posterior(VECTORS)
    torch.testing.assert_close(found_mean, part.class_means)
    np.testing.assert_allclose(found_variance.numpy(), variance, rtol=1e-5)
    errors = ((prior - means)[:NUM_BASE] ** 2).sum() / ((means[:NUM_BASE] - means[:NUM_BASE].mean(0)) ** 2).sum()
    assert log['text_error'] == pytest.approx(errors, rel=1e-4)


def test_a_class_without_videos_has_the_prediction_of_its_text():
    part, _ = fitted()
    _, whole = predictions(class_means()[0], VECTORS.double().numpy(), 0.2)
    np.testing.assert_allclose(part.class_means[-1].numpy(), whole[-1], rtol=1e-4, atol=1e-5)
    assert torch.equal(part.posterior(VECTORS[-1:])[1][0], SPREAD)


def test_a_vector_that_was_never_seen_has_the_prediction_of_the_text_and_the_variance_of_all_classes():
    part, _ = fitted()
    unseen = torch.full((1, WORDS), 0.3)
    _, whole = predictions(class_means()[0], np.concatenate([VECTORS.numpy(), unseen.numpy()]), 0.2)
    mean, variance = part.posterior(unseen)
    np.testing.assert_allclose(mean[0].numpy(), whole[-1], rtol=1e-4, atol=1e-5)
    assert torch.equal(variance[0], SPREAD)


def test_many_videos_leave_nothing_to_the_text():
    x, labels = clustered([400, 400, 400], DIM)
    part, _ = fitted(VECTORS[:3], x, labels, num_base=3)
    means = torch.stack([x[labels == c].mean(0) for c in range(3)])
    assert (part.class_means - means).abs().max() < 0.1


def test_without_text_the_vectors_are_ignored():
    part, log = fitted(text=False)
    other, _ = fitted(VECTORS.flip(0), text=False)
    assert torch.equal(part.class_means, other.class_means) and log['text_error'] == 1.0
    means, _ = class_means()
    np.testing.assert_allclose(part.class_means[-1].numpy(), means[:NUM_BASE].mean(0), rtol=1e-5)
    torch.testing.assert_close(part.posterior(torch.ones(1, WORDS))[0][0], part.class_means[-1])


def tied() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Thirty base and ten novel classes whose means are a linear map of their vectors, five videos and one video."""
    rng = torch.Generator().manual_seed(4)
    vectors = torch.randn(40, 6, generator=rng)
    means = torch.nn.functional.normalize(vectors, dim=1) @ torch.randn(6, 8, generator=rng) * 3
    labels = torch.cat([torch.arange(30).repeat(5), torch.arange(30, 40)])
    return means[labels] + torch.randn(len(labels), 8, generator=rng), labels, vectors, means


def test_shuffled_vectors_are_worse_where_the_text_says_something():
    x, labels, vectors, means = tied()
    right, right_log = fitted(vectors, x, labels, num_base=30, spread=None)
    wrong, wrong_log = fitted(vectors.roll(7, 0), x, labels, num_base=30, spread=None)
    without, _ = fitted(vectors, x, labels, num_base=30, spread=None, text=False)

    def novel_error(part):
        return float((part.class_means - means)[30:].square().mean())

    assert right_log['text_error'] < 0.5 < 0.9 < wrong_log['text_error']
    assert novel_error(right) < 0.9 * min(novel_error(without), novel_error(wrong))


def test_the_spread_of_classes_is_estimated_where_the_projector_does_not_know_it():
    x, labels, vectors, _ = tied()
    part, _ = fitted(vectors, x, labels, num_base=30, spread=None)
    base = labels < 30
    found = torch.stack([x[labels == c].mean(0) for c in range(30)])
    within = sum((x[labels == c] - found[c]).square().sum(0) for c in range(30)) / (int(base.sum()) - 30)
    torch.testing.assert_close(part.spread, found.var(0) - within / 5, rtol=1e-4, atol=1e-4)


def test_a_dimension_in_which_classes_do_not_differ_keeps_a_small_spread():
    x, labels, vectors, _ = tied()
    x[:, 0] = torch.randn(len(x), generator=torch.Generator().manual_seed(0))
    x[:, 0] -= torch.stack([x[labels == c, 0].mean() for c in range(40)])[labels]
    part, _ = fitted(vectors, x, labels, num_base=30, spread=None)
    assert 0 < part.spread[0] < 2e-3 * part.spread.mean()


def test_samples_have_the_mean_and_the_variance_of_the_class():
    part, _ = fitted()
    condition = VECTORS[7:8].expand(20_000, -1)  # One video.
    drawn = part.sample(condition, generator=torch.Generator().manual_seed(0))
    variance = 1 + 1 / (1 / SPREAD + 1)
    torch.testing.assert_close(drawn.mean(0), part.class_means[7], rtol=0, atol=0.05)
    torch.testing.assert_close(drawn.t().cov(), torch.diag(variance), rtol=0, atol=0.08)


@pytest.mark.parametrize('ridge', [0.0, -1.0])
def test_a_ridge_that_is_not_above_zero_is_refused(ridge):
    with pytest.raises(ValueError, match='text_ridge'):
        TextGaussian(2, 2, 2, text_ridge=ridge)
