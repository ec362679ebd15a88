"""Features in two dimensions."""

import numpy as np
import pytest

from avzoo.evaluation.feature_samples import FeatureSamples
from avzoo.evaluation.projections import principal_components, project
from avzoo.utils.errors import ConfigError


def samples(real=60, synthetic=60, shots=4):
    """Two classes far apart, novel and base."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(['real', 'shot', 'synthetic'], [real, shots, synthetic])
    labels = np.arange(len(kinds)) % 2
    x = (rng.normal(size=(len(kinds), 5)) + 20 * labels[:, None]).astype(np.float32)
    return FeatureSamples(x=x, labels=labels, base=labels == 0, kinds=kinds, by_class=[], classes=['a', 'b'])


def test_components_are_those_of_the_real_rows():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 3)) * [1, 5, 3] + 7
    xy, explained = principal_components(real, real)
    np.testing.assert_allclose(xy.var(0), real.var(0)[[1, 2]], rtol=0.1)
    assert abs(np.corrcoef(xy[:, 0], real[:, 1])[0, 1]) > 0.95 and explained.sum() == pytest.approx(34 / 35, abs=0.02)
    moved, _ = principal_components(np.concatenate([real, real + 100]), real)  # Others do not turn the picture.
    np.testing.assert_allclose(moved[:200], xy, rtol=1e-5, atol=1e-5)
    assert principal_components(real[:1], real[:1])[0].shape == (1, 2) and principal_components(
        real[:, :1], real[:, :1]
    )[0].shape == (200, 2)


def test_tsne_keeps_neighbours_together_and_is_the_same_each_time():
    one, other = (project(samples(), 'tsne') for _ in range(2))
    assert np.array_equal(one.xy, other.xy)
    first, second = (one.xy[one.samples.labels == column] for column in range(2))
    apart = np.linalg.norm(first.mean(0) - second.mean(0))
    assert apart > max(np.linalg.norm(part - part.mean(0), axis=1).max() for part in (first, second))
    assert not any(one.axes) and 't-SNE' in one.text


def test_axes_of_principal_components_say_their_share_of_the_variance():
    found = project(samples())
    assert [axis.rsplit(' ', 2)[0] for axis in found.axes] == ['first component', 'second component']
    share = int(found.axes[0].split('(')[1].split()[0])
    assert 90 < share <= 100


@pytest.mark.parametrize('count', [1, 2, 3])
def test_tsne_of_a_few_features_places_each(count):
    assert project(samples(count, 0, 0), 'tsne').xy.shape == (count, 2)


def test_of_many_features_some_of_each_kind_and_every_shot_are_kept():
    kept = samples(400, 200, 5).some(150)
    assert [int((kept.kinds == kind).sum()) for kind in ('real', 'shot', 'synthetic')] == [100, 5, 50]
    assert len(kept.x) == len(kept.labels) == len(kept.base) == 155
    assert len(samples().some(1000).x) == 124


def test_another_projection_is_refused():
    with pytest.raises(ConfigError, match='pca, tsne'):
        project(samples(), 'mds')
