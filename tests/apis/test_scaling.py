"""What few clips say of the mean and the scale of their features."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage

from avzoo import FewShotClassifier
from avzoo.apis import scaling
from avzoo.apis.clip_features import pooled
from avzoo.apis.scaling import moments, standardised
from avzoo.evaluation.linear_fits import class_means, discriminant

LABELS = np.arange(12) % 4


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 30)) + rng.normal(size=(4, 30))[LABELS]


def kept(rows):
    """Return which share of the mean of the classes becomes the centre."""
    centre, _ = moments(dict(x=rows), LABELS)
    means = class_means(rows, LABELS)
    share = centre['x'] @ means.mean(axis=0) / np.square(means.mean(axis=0)).sum()
    np.testing.assert_allclose(centre['x'], share * means.mean(axis=0), atol=1e-4 * np.abs(rows).max())
    return share


def test_the_mean_of_few_classes_is_drawn_towards_zero(rows):
    means = class_means(rows, LABELS) + 1
    scale = moments(dict(x=rows), LABELS)[1]['x']
    known, noise = means.mean(axis=0) / scale, means.std(axis=0, ddof=1) / scale
    assert kept(rows + 1) == pytest.approx(1 - np.square(noise).sum() / 4 / np.square(known).sum(), abs=1e-5)
    assert 0 <= kept(rows) < 0.5 < kept(rows + 1) < 0.9 and kept(rows + 100) == pytest.approx(1, abs=1e-3)
    assert kept(rows - class_means(rows, LABELS).mean(axis=0) + 1e-9) == 0


def test_each_class_has_the_same_say_in_the_centre(rows):
    more, labels = np.concatenate([rows, *[rows[:1]] * 9]), np.append(LABELS, [0] * 9)
    balanced = np.concatenate([more[labels == c][:3] for c in range(4)])
    balanced[:3] = more[labels == 0].mean(axis=0)
    scale = dict(x=np.ones(30))
    found = moments(dict(x=more + 9), labels, scale)[0]['x']
    np.testing.assert_allclose(found, moments(dict(x=balanced + 9), np.repeat(range(4), 3), scale)[0]['x'], rtol=1e-5)


def test_a_dimension_that_does_not_vary_keeps_its_mean(rows):
    centre, scale = moments(dict(x=np.insert(rows, 0, 7.0, axis=1)), LABELS)
    alone = moments(dict(x=rows), LABELS)
    assert centre['x'][0] == 7 and scale['x'][0] > 0
    np.testing.assert_allclose(centre['x'][1:], alone[0]['x'])
    np.testing.assert_allclose(scale['x'][1:], alone[1]['x'])


def test_scales_that_are_known_better_are_taken(rows):
    scale = dict(x=np.linspace(0.5, 2, 30, dtype=np.float32))
    centre, found = moments(dict(x=rows + 1), LABELS, scale)
    assert found == scale and not np.allclose(centre['x'], moments(dict(x=rows + 1), LABELS)[0]['x'])


def test_modalities_are_scaled_apart(rows):
    both = moments(dict(x=rows, y=1000 + 50 * rows[:, :5]), LABELS)
    np.testing.assert_array_equal(both[0]['x'], moments(dict(x=rows), LABELS)[0]['x'])
    lengths = np.linalg.norm(standardised(dict(x=rows, y=1000 + 50 * rows[:, :5]), *both)[:, :30], axis=1)
    np.testing.assert_allclose(lengths, 1)


def test_after_one_clip_of_each_class_more_answers_are_right_than_around_their_mean(monkeypatch):
    def accuracy():
        rng, right = np.random.default_rng(0), []
        for classes in rng.normal(size=(40, 3, 60)):
            asked = classes.repeat(20, axis=0) + 2 * rng.normal(size=(60, 60))
            model = FewShotClassifier(method='prototypes').fit(classes + 2 * rng.normal(size=(3, 60)), range(3))
            right.append(model.score(asked, np.arange(60) // 20))
        return np.mean(right)

    ours = accuracy()
    monkeypatch.setattr(scaling, '_centre', lambda rows, columns, scale: rows.mean(axis=0))
    assert ours > accuracy() + 0.02


@pytest.mark.parametrize(('deviation', 'varies'), [(1e-4, True), (1e-8, False)])
def test_a_dimension_varies_unless_it_is_rounding(rows, deviation, varies):
    rows = np.concatenate([rows, 1 + deviation * rows[:, :1]], axis=1)
    centre, scale = moments(dict(x=rows), LABELS)
    typical = np.median(rows[:, : None if varies else -1].std(axis=0))
    own = rows[:, -1].std() if varies else 0.0
    assert scale['x'][-1] == pytest.approx(np.sqrt((own**2 + typical**2) / 2), rel=1e-5)
    assert (centre['x'][-1] == np.float32(class_means(rows, LABELS).mean(axis=0)[-1])) == (not varies)


def test_equal_steps_have_one_mean_however_many_there_are():
    silence = np.full(8, np.log(1e-5), np.float32)
    rows = pooled(dict(audio=[np.tile(silence, (count, 1)) for count in (1, 7, 60, 3000)]))['audio']
    assert np.array_equal(rows, np.tile(silence, (4, 1)))


@pytest.mark.parametrize('width', [5, 50])  # Fewer numbers than clips, and more.
def test_a_discriminant_divides_by_the_shrunk_covariance(width):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, width)) * np.linspace(1, 3, width)
    means = class_means(rows, LABELS)
    residuals = rows - means[LABELS]
    shrinkage = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    covariance = residuals.T @ residuals / (12 - 4)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / width * np.eye(width)
    (found,) = discriminant(rows, LABELS, [1.0])
    np.testing.assert_allclose(found.weight, means @ np.linalg.inv(shrunk), rtol=1e-6, atol=1e-8)
