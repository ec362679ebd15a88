"""JointWhitening against the same computation in numpy."""

import numpy as np
import pytest
import torch

from avzoo.models.projectors import JointWhitening
from avzoo.utils.errors import DataError
from tests.models.fitting import clustered, fitting_set

COUNTS, NUM_BASE, DIM = [9, 8, 7, 6, 9, 3, 2], 5, 4
NUM_CLASSES = len(COUNTS)
X, LABELS = clustered(COUNTS, DIM)


def fitted(x=X, labels=LABELS, *, num_base=NUM_BASE, num_classes=NUM_CLASSES, batch=7, seed=0, **arguments):
    part = JointWhitening(x.shape[1], **arguments)
    log = part.fit(fitting_set(x, labels, num_base, num_classes, batch=batch, seed=seed))
    return part, log


def covariances(x, labels, num_base, a=0.7, shape=(0.4, 0.3, 0.3)):
    """W_a and B' of features, by the formulas, in their own unit."""
    x, labels = x.double().numpy(), labels.numpy()
    x = (x - x.mean(0)) / np.sqrt(x.var(0).mean())
    classes = np.unique(labels)
    within = sum(
        (x[labels == c] - x[labels == c].mean(0)).T @ (x[labels == c] - x[labels == c].mean(0)) for c in classes
    )
    within = within / (len(x) - len(classes))
    base = [c for c in classes if c < num_base]
    means = np.stack([x[labels == c].mean(0) for c in base])
    between = np.cov(means.T) - np.mean([1 / (labels == c).sum() for c in base]) * within
    d, full, (b_1, b_2, b_3) = len(within), np.eye(len(within)), shape
    level = np.trace(between) / d
    between = b_1 * between + b_2 * np.diag(np.maximum(np.diag(between), 1e-3 * level)) + b_3 * level * full
    return (1 - a) * within + a * np.trace(within) / d * full, between, np.sqrt(np.var(X.double().numpy(), 0).mean())


def test_the_map_diagonalises_both_covariances():
    part, log = fitted()
    within, between, deviation = covariances(X, LABELS, NUM_BASE)
    t = part.weight.double().numpy() * deviation
    np.testing.assert_allclose(t @ within @ t.T, np.eye(DIM), atol=1e-5)
    np.testing.assert_allclose(t @ between @ t.T, np.diag(part.class_variance.numpy()), atol=1e-4)
    assert log == dict(dimensions=DIM, class_variance=pytest.approx(float(part.class_variance.mean())))


def test_dimensions_come_in_the_order_of_falling_class_variance():
    variance = fitted()[0].class_variance
    assert (variance.diff() < 0).all() and variance.min() > 0


def test_projected_training_features_have_mean_zero():
    assert fitted()[0](X).mean(0).abs().max() < 1e-5


def test_the_scale_of_the_features_changes_nothing():
    one, other = fitted()[0], fitted(X * 37 + 4)[0]
    torch.testing.assert_close(one(X).abs(), other(X * 37 + 4).abs(), rtol=1e-3, atol=1e-3)


def test_readouts_are_projected_one_by_one():
    part, _ = fitted()
    both = torch.stack([X, 2 * X], 1)
    torch.testing.assert_close(part(both)[:, 1], part(2 * X))


@pytest.mark.parametrize('batch', [1, 5, len(X)])
def test_how_the_videos_are_batched_does_not_matter(batch):
    one, other = fitted()[0], fitted(batch=batch)[0]
    torch.testing.assert_close(one.weight.abs(), other.weight.abs(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.class_variance, other.class_variance)


@pytest.mark.parametrize(
    'arguments', [dict(within_shrinkage=0.2), dict(between_shape=(0.8, 0.1, 0.1)), dict(max_dim=2)]
)
def test_every_argument_changes_the_projection(arguments):
    assert not torch.allclose(fitted()[0](X)[:, :2], fitted(**arguments)[0](X)[:, :2], atol=1e-2)


@pytest.mark.parametrize(('a', 'shape'), [(0.2, (0.4, 0.3, 0.3)), (1.0, (0.0, 0.5, 0.5)), (0.7, (1.0, 0.5, 0.5))])
def test_the_shapes_are_those_of_the_formula(a, shape):
    part, _ = fitted(within_shrinkage=a, between_shape=shape)
    within, between, deviation = covariances(X, LABELS, NUM_BASE, a, shape)
    t = part.weight.double().numpy() * deviation
    np.testing.assert_allclose(t @ within @ t.T, np.eye(DIM), atol=1e-5)
    np.testing.assert_allclose(t @ between @ t.T, np.diag(part.class_variance.numpy()), atol=1e-3)


def test_a_direction_in_which_classes_differ_less_than_videos_keeps_a_small_variance():
    part, _ = fitted(between_shape=(1.0, 0.0, 1e-3))
    _, between, _ = covariances(X, LABELS, NUM_BASE, shape=(1.0, 0.0, 1e-3))
    assert np.linalg.eigvalsh(between)[0] < 0 < part.class_variance[-1] < 1e-6


def test_novel_classes_enter_the_covariance_within_classes_alone():
    moved, scattered = X.clone(), X.clone()
    novel = LABELS == NUM_BASE
    moved[novel] += 0.5  # The mean of a novel class moves, its scatter does not.
    scattered[novel] *= 3.0
    variance = fitted()[0].class_variance
    torch.testing.assert_close(fitted(moved)[0].class_variance, variance, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(fitted(scattered)[0].class_variance, variance, rtol=0.05)


# More dimensions than videos.
WIDE, WIDE_LABELS = clustered([5, 4, 4, 3], 40)


def wide(**arguments):
    return fitted(WIDE, WIDE_LABELS, num_base=3, num_classes=4, **arguments)


def test_with_more_dimensions_than_videos_all_of_the_training_span_is_used():
    part, log = wide()
    used = len(WIDE) - 1
    assert log['dimensions'] == used and part.out_dim == 40
    assert not part.weight[used:].any() and part.weight[:used].any(1).all()
    centred = WIDE.double() - WIDE.double().mean(0)
    outside = torch.eye(40).double() - torch.linalg.pinv(centred) @ centred
    assert (part.weight.double() @ outside).abs().max() < 1e-4  # What no training video has is ignored.


def test_the_rotation_of_the_span_gives_what_a_computation_with_any_other_basis_gives():
    part, _ = wide()
    centred = WIDE.double() - WIDE.double().mean(0)
    basis = torch.linalg.svd(centred, full_matrices=False)[2][: len(WIDE) - 1]
    # diag(B) depends on the axes, so only B in full and alike everywhere can be compared.
    shape = dict(between_shape=(0.6, 0.0, 0.4))
    direct, _ = fitted((WIDE.double() @ basis.t()).float(), WIDE_LABELS, num_base=3, num_classes=4, **shape)
    rotated, _ = wide(**shape)
    ours, theirs = rotated(WIDE)[:, : len(basis)], direct((WIDE.double() @ basis.t()).float())
    # The unit differs: one deviation over 40 dimensions against one over those of the span. It cancels.
    torch.testing.assert_close(torch.cdist(ours, ours), torch.cdist(theirs, theirs), rtol=1e-3, atol=1e-2)
    assert not torch.allclose(part.class_variance, rotated.class_variance)


def test_max_dim_keeps_the_strongest_directions():
    rng = torch.Generator().manual_seed(0)
    x, labels = torch.randn(60, 30, generator=rng) * 0.01, torch.arange(60) % 4
    x[:, :3] += torch.randn(4, 3, generator=rng)[labels] + 0.3 * torch.randn(60, 3, generator=rng)
    part, log = fitted(x, labels, num_base=4, num_classes=4, max_dim=3)
    assert part.out_dim == log['dimensions'] == 3 and part.weight.shape == (3, 30)
    assert part.weight[:, 3:].norm() < 0.05 * part.weight[:, :3].norm()


def test_the_seed_decides_the_projection():
    one, again, other = (wide(seed=seed, max_dim=6)[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_a_second_fit_forgets_the_first():
    part, _ = fitted()
    part.fit(fitting_set(X * 3, LABELS.flip(0), NUM_BASE, len(COUNTS)))
    torch.testing.assert_close(part.weight, fitted(X * 3, LABELS.flip(0))[0].weight)


@pytest.mark.parametrize('num_base', [0, 1])
def test_fewer_than_two_base_classes_are_refused(num_base):
    with pytest.raises(DataError, match=rf'two or more base classes; there are {num_base}'):
        fitted(num_base=num_base)


def test_base_classes_without_videos_do_not_count():
    keep = (LABELS == 0) | (LABELS >= NUM_BASE)
    with pytest.raises(DataError, match='there are 1'):
        fitted(X[keep], LABELS[keep])


def test_one_video_for_each_class_is_refused():
    with pytest.raises(DataError, match='two different videos of some class'):
        fitted(X[:7], torch.arange(7))


def test_equal_videos_in_each_class_are_refused():
    with pytest.raises(DataError, match='two different videos of some class'):
        fitted(X[:7].repeat(3, 1), torch.arange(7).repeat(3))  # The means are rounded: not all equal the videos.


def test_videos_that_differ_little_are_enough():
    noise = 1e-5 * torch.randn(21, X.shape[1], generator=torch.Generator().manual_seed(0))
    part, _ = fitted(X[:7].repeat(3, 1) + noise, torch.arange(7).repeat(3))
    assert part.weight.isfinite().all()


@pytest.mark.parametrize(
    ('arguments', 'name'),
    [
        (dict(within_shrinkage=0.0), 'within_shrinkage'),
        (dict(within_shrinkage=1.1), 'within_shrinkage'),
        (dict(between_shape=(0.5, 0.5, 0.0)), 'between_shape'),
        (dict(between_shape=(-0.1, 0.5, 0.5)), 'between_shape'),
        (dict(between_shape=(0.5, 0.5)), 'between_shape'),
    ],
)
def test_impossible_shapes_are_refused(arguments, name):
    with pytest.raises(ValueError, match=name):
        JointWhitening(4, **arguments)
