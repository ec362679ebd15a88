"""Clips of other classes beside the examples of a few-shot classifier."""

import json
import shutil

import numpy as np
import pytest

from avzoo import FewShotClassifier
from avzoo.apis.base_clips import BaseClips, read_base
from avzoo.apis.clip_features import pooled
from avzoo.apis.few_shot_methods import Examples
from avzoo.apis.scaling import moments
from avzoo.datasets.feature_store import FeatureStore
from avzoo.evaluation.linear_fits import METHODS, base_discriminant
from avzoo.utils.errors import ConfigError, DataError


@pytest.fixture(scope='module')
def task():
    """Base clips of 30 classes, three examples of each of four classes, and clips to classify, in 40 dimensions.

    Classes differ in ten dimensions; in the others, clips of one class lie far apart.
    """
    rng = np.random.default_rng(0)
    spread = np.where(np.arange(40) < 10, 0.5, 3.0)

    def clips(first, count, each):
        labels = np.repeat(np.arange(first, first + count), each)
        centres = np.zeros((count, 40))
        centres[:, :10] = np.random.default_rng(first).normal(size=(count, 10))
        return centres[labels - first] + spread * rng.normal(size=(len(labels), 40)), labels

    state = {name: clips(*numbers) for name, numbers in dict(base=(100, 30, 20), taught=(0, 4, 3)).items()}
    return state | dict(asked=clips(0, 4, 50))


def test_the_scales_are_those_of_the_base_clips_and_the_centres_those_of_the_examples(task):
    (rows, labels), (clips, taught) = task['base'], task['taught']
    model = FewShotClassifier(base=(1000 * rows, labels)).fit(clips, taught)
    centre, scale = moments(dict(features=1000 * rows), labels - labels.min())
    (name,) = model.scale_
    np.testing.assert_allclose(model.scale_[name], scale['features'], rtol=1e-5)
    wanted, _ = moments(dict(features=clips), taught, scale)
    np.testing.assert_allclose(model.centre_[name], wanted['features'], atol=1e-6)
    # What base clips tell of classes is counted from their own centre, in which each of their classes has the same say.
    examples = Examples(dict(features=clips), taught, base=BaseClips(dict(features=1000 * rows), labels))
    assert np.array_equal(examples._base_moments[0]['features'], centre['features'])


def test_base_clips_make_a_better_classifier_and_validation_takes_it(task):
    alone = FewShotClassifier().fit(*task['taught'])
    model = FewShotClassifier(base=task['base']).fit(*task['taught'])
    assert model.method_ == 'base_discriminant'
    assert model.report_.keys() == {*METHODS, 'base_discriminant'}
    assert model.score(*task['asked']) > alone.score(*task['asked']) + 0.1


def test_it_is_the_discriminant_of_the_covariance_of_the_base_clips():
    rng = np.random.default_rng(1)
    residuals = rng.normal(size=(50_000, 3)) * [1.0, 2.0, 0.5]
    features, labels = rng.normal(size=(6, 3)), np.array([0, 0, 1, 1, 2, 2])
    (found,) = base_discriminant(residuals, 10)[0](features, labels, [1.0])
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    distances = ((features[:, None] - means) ** 2 / np.square([1.0, 2.0, 0.5])).sum(axis=2)
    expected = -0.5 * distances
    ours = found.logits(features)
    np.testing.assert_allclose(ours - ours[:, :1], expected - expected[:, :1], atol=0.05)


def test_clips_of_the_classes_that_are_taught_are_left_out(task):
    rows, labels = task['base']
    found = read_base((rows, labels % 30), dict(features=task['taught'][0]), {}, [3, 4])
    assert set(found.labels) == set(range(30)) - {3, 4}
    assert len(found.features['features']) == len(found.labels) == 28 * 20
    residuals, count = found.residuals(found.features['features'])
    assert count == 28
    means = [residuals[found.labels == label].mean(axis=0) for label in (0, 29)]
    np.testing.assert_allclose(means, 0, atol=1e-6)


def test_a_saved_classifier_of_base_clips_needs_them_no_more(task, tmp_path):
    model = FewShotClassifier(method='base_discriminant', base=task['base']).fit(*task['taught'])
    again = FewShotClassifier.from_pretrained(model.save_pretrained(tmp_path / 'model'))
    rows = task['asked'][0]
    np.testing.assert_allclose(again.predict_proba(rows), model.predict_proba(rows), atol=1e-5)
    with pytest.raises(ConfigError, match='give base'):
        again.fit(*task['taught'])


@pytest.mark.parametrize(
    ('base', 'named'),
    [
        ((np.ones((4, 3)), list('aabb')), 'widths'),
        ((np.ones((4, 40)), list('aab')), 'labels'),
        ((np.ones((2, 40)), list('ab')), 'no class has two clips'),
        ('nowhere', 'nowhere does not exist'),
    ],
)
def test_base_clips_that_do_not_fit_are_refused(task, base, named):
    with pytest.raises(DataError, match=named):
        FewShotClassifier(base=base).fit(*task['taught'])


@pytest.fixture
def store(tiny_store, tmp_path):
    root = shutil.copytree(tiny_store, tmp_path / 'store')
    content = json.loads((root / 'store.json').read_text())
    (root / 'store.json').write_text(json.dumps(content | dict(features=dict(audio='sounds v1', visual='pictures'))))
    return root


def examples(store):
    videos = np.concatenate([np.flatnonzero(store.labels == c)[:3] for c in range(2)])
    return {m: store.temporal_mean(m, videos) for m in store.modalities}, store.labels[videos]


def test_a_store_is_a_base_and_other_features_are_refused(store):
    rows, labels = examples(FeatureStore(store))
    stamps = dict(audio=dict(extractor='sounds', version='v1'), visual=dict(extractor='pictures'))
    with pytest.raises(DataError, match='audio features differ'):
        read_base(store, rows, stamps, labels)
    known = dict(stamps, audio=dict(extractor='sounds v1'))
    names = np.array(FeatureStore(store).class_names)
    found = read_base(store, rows, known, names[:2])
    assert set(found.labels) == set(names[2:])
    assert FewShotClassifier(base=store).fit(rows, names[labels]).report_.keys() >= {'base_discriminant'}


def test_examples_among_the_base_clips_are_left_out_under_any_label(task, caplog):
    (rows, labels), (clips, taught) = task['base'], task['taught']
    alone = FewShotClassifier(base=(rows, labels)).fit(clips, taught)
    assert not caplog.messages
    base = (np.concatenate([rows, clips]), np.concatenate([labels, 1000 + taught]))
    both = FewShotClassifier(base=base).fit(clips, taught)
    assert both.report_ == alone.report_
    np.testing.assert_array_equal(both.linear_.weight, alone.linear_.weight)
    (told,) = caplog.messages
    assert told.startswith('the base clips: 12 clips have the features of examples under another label; left out')
    with pytest.raises(DataError, match='no class has two clips'):
        FewShotClassifier(base=(clips, 1000 + taught)).fit(clips, taught)


def test_examples_are_found_in_a_store_whose_means_are_rounded_in_another_way(store, caplog):
    data = FeatureStore(store)
    videos = np.arange(4)
    steps = {m: [rows[:n] for rows, n in zip(*data.gather(m, videos), strict=True)] for m in data.modalities}
    examples = pooled({m: [rows.numpy() for rows in clips] for m, clips in steps.items()})
    whole = read_base(store, {m: rows + 1 for m, rows in examples.items()}, {}, [])
    found = read_base(store, examples, {}, [])
    assert len(found.labels) == len(whole.labels) - 4 and '4 clips have' in caplog.text
    one = {m: rows if m == 'audio' else rows + 1 for m, rows in examples.items()}  # Silent, say, as many others.
    assert len(read_base(store, one, {}, []).labels) == len(whole.labels)


@pytest.mark.parametrize('unit', [1e-30, 1e-40])
@pytest.mark.parametrize('columns', [slice(None), slice(1)])
def test_examples_are_found_among_base_clips_whatever_their_unit(task, unit, columns):
    (rows, labels), (clips, _) = task['base'], task['taught']
    rows, clips = rows.astype(np.float32), clips.astype(np.float32)
    rows[:, columns] *= unit
    clips[:, columns] *= unit
    base = (np.concatenate([rows, clips]), np.concatenate([labels, 1000 + np.arange(len(clips))]))
    assert len(read_base(base, dict(features=clips), {}, []).labels) == len(rows)
