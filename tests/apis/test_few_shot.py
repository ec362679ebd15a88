"""The few-shot classifier in the manner of scikit-learn."""

import hashlib
import json
import os
import re
import shutil
import warnings
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score

from avzoo import FewShotClassifier
from avzoo.apis.clip_features import DEFAULT_EXTRACTORS
from avzoo.apis.few_shot_files import METHOD_NAMES, mistakes_line
from avzoo.apis.video_answers import classify_features, classify_videos
from avzoo.evaluation.linear_fits import METHODS, Linear, compare
from avzoo.extraction.clips import Clip
from avzoo.utils.errors import CheckpointError, ConfigError, DataError


@pytest.fixture(scope='module')
def task():
    """Four classes of six clips with sequences of two modalities, and thirty clips to classify."""
    rng = np.random.default_rng(0)
    centres = {m: rng.normal(size=(4, d)) for m, d in dict(audio=8, visual=12).items()}

    def clips(labels):
        steps = rng.integers(1, 5, len(labels))
        return {
            m: [c[k] + rng.normal(size=(t, c.shape[1])) for k, t in zip(labels, steps, strict=True)]
            for m, c in centres.items()
        }

    labels, asked = np.repeat(np.arange(4), 6), np.arange(30) % 4
    names = np.array(['walk', 'bark, loud', 'zoo', 'Ärger'])
    return clips(labels), names[labels], clips(asked), names[asked]


@pytest.fixture(scope='module')
def fitted(task):
    """A function that gives the classifier of a method, which is not to be changed."""
    return cache(lambda method='auto': FewShotClassifier(method=method).fit(*task[:2]))


@pytest.mark.parametrize('method', ['auto', *METHODS])
def test_each_method_learns_the_classes(task, fitted, method):
    _, labels, asked, truth = task
    model = fitted(method)
    assert list(model.classes_) == sorted(set(labels))
    assert model.score(asked, truth) > 0.85
    probabilities = model.predict_proba(asked)
    assert probabilities.shape == (30, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(asked)).all()
    assert model.report_.keys() == (METHODS.keys() if method == 'auto' else {method})


def test_every_method_has_a_name_that_a_file_may_have():
    assert (*METHODS, 'base_discriminant') == METHOD_NAMES


def test_the_best_method_of_validation_is_taken(fitted):
    model = fitted('auto')
    best = max(one['accuracy'] for one in model.report_.values())
    assert model.report_[model.method_]['accuracy'] >= best - 0.01
    assert next(iter(model.report_)) == model.method_


def test_methods_below_the_best_are_ranked_by_accuracy():
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    right, noise = np.eye(2)[labels], rng.normal(size=(20, 2))

    def reading(columns, sharpness):  # Wrong ones that are unsure have a smaller log loss than right ones at times.
        return lambda x, y, settings: [Linear(sharpness * np.eye(6)[columns], np.zeros(2))]

    rows = np.concatenate([right, np.where(np.arange(20)[:, None] < 4, 1 - right, right), noise], axis=1)
    methods = dict(
        poor=(reading([4, 5], 0.01), (1.0,)), good=(reading([2, 3], 99.0), (1.0,)), best=(reading([0, 1], 9.0), (1.0,))
    )
    found = compare(lambda trained: rows, labels, methods, 0)
    assert [one.method for one in found] == ['best', 'good', 'poor']
    assert found[1].log_loss > found[2].log_loss


def test_the_choice_does_not_see_what_is_held_out():
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(40, 200)), np.arange(40) % 4
    found = compare(lambda trained: noise, labels, METHODS, 0)
    assert all(np.mean(one.accuracies) < 0.5 for one in found)  # Chance is 0.25; fitted to themselves all have 1.


@pytest.mark.parametrize('base', [None, 'base'])
def test_accuracy_is_that_of_classifiers_taught_without_the_clips_that_are_held_out(base):
    rng = np.random.default_rng(1)
    labels, noise = np.arange(20) % 2, rng.normal(size=(60, 300))
    rows = np.maximum(noise[:20] + 0.15 * rng.normal(size=(2, 300))[labels] - 1, 0)  # As of a network: most are zero.
    if base is not None:
        base = (np.maximum(noise[20:] - 1, 0), np.arange(100, 140) // 10)
    method = 'prototypes' if base is None else 'base_discriminant'
    found = FewShotClassifier(method=method, base=base).fit(rows, labels).report_[method]
    accuracies = [
        FewShotClassifier(method=method, base=base).fit(rows[one], labels[one]).score(rows[other], labels[other])
        for one, other in RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0).split(rows, labels)
    ]
    assert found['accuracy'] == pytest.approx(np.mean(accuracies)) and 0.55 < found['accuracy'] < 0.95
    assert found['deviation'] == pytest.approx(np.std(accuracies))


def test_a_dimension_that_hardly_varies_among_few_clips_does_not_drown_the_others():
    rng = np.random.default_rng(0)
    rows = np.stack([np.arange(8) % 2 + 0.1 * rng.normal(size=8), 1e-3 * rng.normal(size=8)], axis=1)
    rows = np.concatenate([rows, rng.normal(size=(8, 1))], axis=1)
    model = FewShotClassifier().fit(rows, np.arange(8) % 2)
    assert model.predict([[0.0, 0.3, 0.0], [1.0, -0.3, 0.0]]).tolist() == [0, 1]
    deviations = rows.std(axis=0)
    typical = np.median(deviations)
    np.testing.assert_allclose(model.scale_['features'], np.sqrt((deviations**2 + typical**2) / 2), rtol=1e-6)


def test_clips_that_were_wrong_when_held_out_are_named(task):
    features, labels = task[0], task[1].copy()
    labels[0] = 'zoo'
    model = FewShotClassifier().fit(features, labels)
    assert dict(clip=0, label='zoo', answer=task[1][0]) in model.mistakes_ and len(model.mistakes_) < 4
    assert f'0 (zoo, taken for {task[1][0]})' in mistakes_line(model.mistakes_)
    assert FewShotClassifier().fit(np.eye(3), ['a', 'b', 'c']).mistakes_ == []


def test_a_clip_that_was_right_as_often_as_wrong_is_no_mistake():
    labels, answers = np.array([0, 0, 1, 1]), iter([0, 0, 1, 1] * 2)  # Two folds, each of one answer; four times.

    def fit(features, labels, setting):
        return [Linear(np.zeros((2, 1)), np.eye(2)[next(answers)])]

    (found,) = compare(lambda trained: np.zeros((4, 1)), labels, dict(one=(fit, (1.0,))), 0)
    assert found.accuracies == (0.5,) * 8 and found.answers.tolist() == labels.tolist()


def test_many_mistakes_are_counted():
    line = mistakes_line([dict(clip=f'v{i}', label='a', answer='b') for i in range(12)])
    assert line.startswith('Wrong when held out: v0 (a, taken for b); v1 (')
    assert line.endswith('v9 (a, taken for b); and 2 more.')
    assert mistakes_line([]) == ''


def test_classes_whose_means_coincide_are_no_error():
    rows, labels = np.array([[0, 1], [0, 1], [1, 0], [1, 0]] * 3, float), list('abab') * 3
    with pytest.warns(UserWarning, match='have the same features'):
        probabilities = FewShotClassifier(method='discriminant').fit(rows, labels).predict_proba(rows)
    np.testing.assert_allclose(probabilities, 0.5)


def test_of_single_clips_the_class_means_are_taken():
    model = FewShotClassifier().fit(np.eye(3), ['a', 'b', 'c'])
    assert (model.method_, model.report_) == ('prototypes', {})
    assert model.predict(np.eye(3)).tolist() == ['a', 'b', 'c']


def test_it_follows_the_conventions_of_scikit_learn(task):
    features = np.stack([rows.mean(axis=0) for rows in task[0]['visual']])
    model = FewShotClassifier(method='prototypes', random_state=3)
    assert clone(model).get_params() == model.get_params()
    assert cross_val_score(model, features, task[1], cv=3).mean() > 0.8
    assert model.fit(features, task[1]) is model
    assert model.fit(features[:, :5], task[1]).predict(features[:, :5]).shape == (24,)  # It forgets what it knew.


def test_the_same_seed_gives_the_same_classifier(task):
    def seeded(seed):
        return FewShotClassifier(method='prototypes', random_state=seed).fit(*task[:2])

    first, second = seeded(1), seeded(1)
    np.testing.assert_array_equal(first.linear_.weight, second.linear_.weight)
    assert first.report_ == second.report_
    assert first.report_ != seeded(2).report_


def test_the_discriminant_is_that_of_scikit_learn(task):
    features = np.stack([rows.mean(axis=0) for rows in task[0]['visual']])
    columns = np.repeat(np.arange(4), 6)
    shrunk = ledoit_wolf(
        features - np.stack([features[columns == c].mean(axis=0) for c in range(4)])[columns], assume_centered=True
    )[1]
    model = LinearDiscriminantAnalysis(solver='lsqr', shrinkage=shrunk, priors=np.full(4, 0.25)).fit(features, columns)
    (found,) = METHODS['discriminant'][0](features, columns, [1.0])
    # scikit-learn divides the covariance by the number of clips, this by the degrees of freedom.
    expected = model.decision_function(features) * (20 / 24)
    ours = found.logits(features)
    np.testing.assert_allclose(
        ours - ours.mean(axis=1, keepdims=True), expected - expected.mean(axis=1, keepdims=True), rtol=0.05, atol=0.05
    )


def test_two_classes_have_two_columns():
    rows = np.array([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.2]])
    for method in METHODS:
        model = FewShotClassifier(method=method).fit(rows, [0, 0, 5, 5])
        probabilities = model.predict_proba(rows)
        assert probabilities.shape == (4, 2)
        assert model.predict(rows).tolist() == [0, 0, 5, 5]
        # Of two classes scikit-learn expects one number, which is the logit of the second class.
        np.testing.assert_allclose(expit(model.decision_function(rows)), probabilities[:, 1], atol=1e-12)


@pytest.mark.parametrize('scoring', ['roc_auc', 'average_precision', 'neg_log_loss', 'f1'])
def test_scores_of_scikit_learn_for_two_classes_work(scoring):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 12)
    rows = rng.normal(size=(24, 8)) + 2 * labels[:, None]
    scores = cross_val_score(
        FewShotClassifier(method='prototypes'), rows, labels, cv=3, scoring=scoring, error_score='raise'
    )
    assert scores.min() > (-0.7 if scoring == 'neg_log_loss' else 0.7)


def test_a_saved_classifier_says_the_same(task, fitted, tmp_path):
    model = fitted('auto')
    again = FewShotClassifier.from_pretrained(model.save_pretrained(tmp_path / 'model'))
    np.testing.assert_allclose(again.predict_proba(task[2]), model.predict_proba(task[2]), atol=1e-5)
    assert (again.predict(task[2]) == model.predict(task[2])).all()
    assert again.report_ == model.report_
    # The extractors are named, should other ones become the default.
    assert again.get_params() == dict(model.get_params(), extractor=DEFAULT_EXTRACTORS)
    card = (tmp_path / 'model' / 'README.md').read_text(encoding='utf-8')
    assert all(name in card for name in METHODS) and f'Method: {model.method_}' in card
    assert 'A clip of an unknown class gets one of these' in card


@pytest.fixture(scope='module')
def saved(fitted, tmp_path_factory):
    """The folder of a saved classifier."""
    return fitted('prototypes').save_pretrained(tmp_path_factory.mktemp('saved') / 'model')


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / 'model')


def damaged(arrays, facts, damage):
    """Change what was saved in one way."""
    kinds = dict(
        negative=('scale.audio', lambda x: -x),
        zero=('scale.audio', lambda x: 0 * x),
        nan=('weight', lambda x: x * np.float32('nan')),
        doubles=('weight', lambda x: x.astype(np.float64)),
        column=('bias', lambda x: x[:, None]),
        short=('centre.audio', lambda x: x[1:]),
    )
    if isinstance(damage, str) and damage in kinds:
        name, change = kinds[damage]
        arrays[name] = change(arrays[name])
    elif damage == 'more':
        arrays['x'] = arrays['bias']
    else:
        key, value = damage
        facts[key] = value


@pytest.mark.parametrize(
    'damage',
    ['negative', 'zero', 'nan', 'doubles', 'column', 'short', 'more']
    + [
        ('classes', value)
        for value in (['a'], 'abcd', None, ['a', 'a', 'b', 'c'], ['a', 1, 'b', 'c'], [[1], [2], [3], [4]])
    ]
    + [('format', 'x'), ('method', 'evil'), ('report', 5), ('report', {'a': 1}), ('stamps', None), ('extractor', 5)]
    + [('parameters', {}), ('modalities', ['audio']), ('modalities', 5), ('sha256', '0' * 64)],
)
def test_a_changed_classifier_is_refused(folder, damage):
    facts = json.loads((folder / 'config.json').read_text(encoding='utf-8'))
    arrays = load_file(folder / 'model.safetensors')
    damaged(arrays, facts, damage)
    data = save(arrays)
    if damage[0] != 'sha256':
        facts['sha256'] = hashlib.sha256(data).hexdigest()
    (folder / 'model.safetensors').write_bytes(data)
    (folder / 'config.json').write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match='holds no readable avzoo classifier'):
        FewShotClassifier.from_pretrained(folder)


@pytest.mark.parametrize('damage', ['facts', 'cut', 'deep', 'bit', 'weights', 'pipe', 'nothing'])
def test_a_damaged_classifier_is_refused(folder, tmp_path, damage, monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    facts, weights = folder / 'config.json', folder / 'model.safetensors'
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    changes = dict(
        facts=facts.unlink,
        cut=lambda: facts.write_text('{"format":'),
        deep=lambda: facts.write_text('[' * 100_000),
        bit=lambda: weights.write_bytes(content),
        weights=lambda: weights.write_bytes(content[: len(content) // 2]),
        pipe=lambda: (weights.unlink(), os.mkfifo(weights)),
        nothing=lambda: None,
    )
    changes[damage]()
    with pytest.raises(CheckpointError):
        FewShotClassifier.from_pretrained(tmp_path / 'other' if damage == 'nothing' else folder)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that is a folder."""
    import huggingface_hub

    class Api:
        def create_repo(self, name, *, private, exist_ok):
            (tmp_path / 'hub' / name).mkdir(parents=True, exist_ok=exist_ok)
            return SimpleNamespace(repo_id=name)

        def upload_folder(self, *, repo_id, folder_path):
            shutil.copytree(folder_path, tmp_path / 'hub' / repo_id, dirs_exist_ok=True)

    def fetch(name, *, allow_patterns, local_files_only):
        if local_files_only:
            raise FileNotFoundError('offline')
        names = [path.name for path in (tmp_path / 'hub' / name).iterdir()]
        assert set(allow_patterns) < set(names) == {*allow_patterns, 'README.md'}
        return str(tmp_path / 'hub' / name)

    monkeypatch.setattr(huggingface_hub, 'HfApi', Api)
    monkeypatch.setattr(huggingface_hub, 'snapshot_download', fetch)


def test_a_classifier_goes_to_the_hub_and_comes_from_it(task, hub, monkeypatch):
    model = FewShotClassifier(method='prototypes').fit(*task[:2])
    model.push_to_hub('someone/classifier')
    again = FewShotClassifier.from_pretrained('someone/classifier')
    assert (again.predict(task[2]) == model.predict(task[2])).all()
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    with pytest.raises(CheckpointError, match='offline'):
        FewShotClassifier.from_pretrained('someone/classifier')


def test_a_hub_that_refuses_is_told(task, monkeypatch):
    monkeypatch.setattr('huggingface_hub.HfApi.create_repo', lambda *args, **kwargs: 1 / 0)
    with pytest.raises(CheckpointError, match=r'division by zero.*hf auth login'):
        FewShotClassifier(method='prototypes').fit(*task[:2]).push_to_hub('someone/classifier')


def test_of_settings_that_validate_alike_the_softest_is_taken():
    rows = 5 * np.eye(4)[np.arange(20) % 4] + 0.01 * np.random.default_rng(0).normal(size=(20, 4))
    methods = dict(discriminant=METHODS['discriminant'])
    (found,) = compare(lambda trained: rows, np.arange(20) % 4, methods, 0)
    assert found.setting < METHODS['discriminant'][1][-1]
    assert found.log_loss < 0.03


@pytest.mark.parametrize(
    ('clips', 'labels', 'words'),
    [
        (np.eye(3), ['a', 'b'], 'one label per clip'),
        (np.eye(3), ['a', 'a', 'a'], 'all clips are of one class'),
        (np.eye(3), None, 'requires y'),
        (np.zeros((0, 3)), [], 'no clips'),
        (np.full((2, 3), np.nan), ['a', 'b'], 'clip 0 has NaN or infinity'),
        ([np.ones((2, 3)), np.ones((0, 3))], ['a', 'b'], 'clip 1 has no features'),
        ([np.ones((2, 3)), np.ones((2, 4))], ['a', 'b'], r'widths \[3, 4\]'),
        (dict(audio=np.eye(2), visual=np.eye(3)), ['a', 'b'], 'different numbers of clips'),
        ([['x'], ['y']], ['a', 'b'], 'of numbers'),
        (np.eye(2) * 1j, ['a', 'b'], 'of numbers'),
        (np.ma.masked_array(np.eye(2), np.eye(2) > 0), ['a', 'b'], 'masked'),
        (np.eye(2), [None, 'a'], 'labels of dtype object'),
        (np.eye(2), [0.5, np.nan], 'labels of dtype float64'),
        (np.eye(2), [b'a', b'b'], 'labels of dtype'),
        (np.eye(2), np.ma.masked_array([0, 1], [True, False]), 'labels of dtype'),
        (np.eye(2), np.ma.masked_array([0.0, 1.0], [True, False]), 'labels of dtype'),
        (np.eye(2), np.array(['a', 1], object), 'labels of dtype object'),
        (np.eye(2), np.array([0.5, 1.5], object), 'labels of dtype float64'),
        (np.arange(2.0), ['a', 'b'], r'shape \(\). Reshape your data: give one clip as \[clip\]'),
        (np.eye(2), [1, 'a'], 'labels of dtype object: give only text or only whole numbers'),
        (np.eye(2), ('a', 1), 'labels of dtype object'),
        (np.eye(2), [0.5, 1.5], 'no continuous or missing values'),
        (np.eye(2), [1.0, np.inf], 'labels of dtype float64'),
        (csr_array(np.eye(2)), ['a', 'b'], r'a sparse matrix. Give an array: features.toarray\(\)'),
        (['a.mp4', np.eye(2)], ['a', 'b'], 'ndarray in a list of videos'),
        (1e25 * np.eye(2), ['a', 'b'], 'numbers beyond'),
        (np.ones((4, 3)), [0, 0, 1, 1], 'the same features'),
        (torch.ones(2, 3, requires_grad=True), [0, 1], 'of numbers'),
    ],
)
def test_what_cannot_be_learned_from_is_refused(clips, labels, words):
    with pytest.raises(DataError, match=words):
        FewShotClassifier().fit(clips, labels)


def test_an_unknown_method_and_other_features_are_refused(task):
    with pytest.raises(ConfigError, match="Did you mean 'prototypes'"):
        FewShotClassifier(method='prototype').fit(*task[:2])
    with pytest.raises(ConfigError, match='method=prototypes does not use base: leave it out'):
        FewShotClassifier(method='prototypes', base=task[:2]).fit(*task[:2])
    model = FewShotClassifier(method='prototypes').fit(*task[:2])
    with pytest.raises(DataError, match='was fitted to'):
        model.predict(task[2]['audio'])


def test_a_number_of_answers_that_cannot_be_is_refused():
    for classify in (classify_videos, classify_features):
        with pytest.raises(ConfigError, match='top=0'):
            list(classify(FewShotClassifier(), [], top=0))


def test_a_classifier_that_was_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        FewShotClassifier().predict(np.eye(2))
    with pytest.raises(ConfigError, match="extractor='c3d'"):
        FewShotClassifier('c3d').fit(['a.mp4', 'b.mp4'], ['a', 'b'])


def test_equal_clips_of_two_classes_are_warned_of(task):
    clips, labels, *_ = task
    with pytest.warns(UserWarning, match='clip 1 of class a and clip 2 of class b'):
        FewShotClassifier(method='prototypes').fit(np.eye(3)[[0, 1, 1, 2]], list('aabb'))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        FewShotClassifier(method='prototypes').fit(clips, labels)
        FewShotClassifier(method='prototypes').fit(np.eye(3)[[0, 0, 1, 2]], list('aabb'))


@pytest.mark.parametrize(
    ('files', 'taken'),
    [
        ({}, True),
        ({'.gitattributes': ''}, True),
        ({'model.safetensors': 'x', 'README.md': 'x'}, True),  # A writing that was stopped.
        ({'README.md': 'mine'}, False),
        ({'model.safetensors': 'x', 'notes': 'x'}, False),
        ({'model.safetensors': 'x', 'config.json': '{"format": "other"}'}, False),
        ({'config.json': 'no JSON'}, False),
    ],
)
def test_a_folder_of_other_things_is_not_written_into(task, tmp_path, files, taken):
    model = FewShotClassifier(method='prototypes').fit(*task[:2])
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if taken:
        model.save_pretrained(model.save_pretrained(tmp_path))
        return
    with pytest.raises(CheckpointError, match='something other'):
        model.save_pretrained(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_a_classifier_is_not_saved_as_a_file(task, tmp_path):
    (tmp_path / 'model').write_text('mine')
    with pytest.raises(CheckpointError, match='is a file'):
        FewShotClassifier(method='prototypes').fit(*task[:2]).save_pretrained(tmp_path / 'model')


def test_videos_are_taught_and_asked(tmp_path):
    pytest.importorskip('av')
    from tests.extraction.made_videos import make_video

    times = np.arange(16000) / 16000
    sounds = {name: 0.5 * np.sin(2 * np.pi * hertz * times) for name, hertz in dict(low=200, high=3000).items()}
    rng = np.random.default_rng(0)
    for name, sound in sounds.items():
        (tmp_path / 'clips' / name).mkdir(parents=True)
        for i in range(3):
            noisy = (sound + 0.01 * rng.normal(size=len(sound))).astype(np.float32)[None]
            make_video(tmp_path / 'clips' / name / f'{name}{i}.mkv', seconds=0.2, sound=noisy)
    extractor = dict(audio='log_mel_statistics')
    model = FewShotClassifier(extractor).fit(tmp_path / 'clips')
    assert model.classes_.tolist() == ['high', 'low']
    asked = [tmp_path / 'clips' / 'low' / 'low0.mkv', tmp_path / 'clips' / 'high' / 'high2.mkv']
    assert model.predict(asked).tolist() == ['low', 'high']
    for one in (asked[0], str(asked[0]), Clip('', asked[0]), [Clip('', str(asked[0]))]):
        assert model.predict(one).tolist() == ['low']
    again = FewShotClassifier.from_pretrained(model.save_pretrained(tmp_path / 'model'))
    np.testing.assert_allclose(again.predict_proba(asked), model.predict_proba(asked), atol=1e-5)
    again = FewShotClassifier.from_pretrained(tmp_path / 'model')
    again.stamps_ = {'audio': {'extractor': 'log_mel_statistics', 'bands': 32}}
    with pytest.raises(DataError, match=r'bands=32.*here they would be'):
        again.predict(asked)
    (tmp_path / 'bad.mkv').write_text('x')
    with pytest.raises(DataError, match=r'2 of 3 clips cannot be used(.|\n)*bad.mkv(.|\n)*gone.mkv'):
        model.predict([asked[0], tmp_path / 'bad.mkv', tmp_path / 'gone.mkv'])


class Frame:
    """A table as others have it: it is an array when asked, and its items are the names of its columns."""

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.rows, dtype)

    def __iter__(self):
        return iter(range(self.rows.shape[1]))

    def __len__(self):
        return len(self.rows)


@pytest.fixture(scope='module')
def rows(task):
    return np.stack([clip.mean(axis=0) for clip in task[0]['visual']])


@pytest.mark.parametrize(
    'change',
    [
        Frame,
        torch.as_tensor,
        lambda x: [row.tolist() for row in x],
        lambda x: np.asfortranarray(x)[::-1][::-1],
        lambda x: x.astype('>f8'),
        lambda x: 1e-20 * x,
        lambda x: 1e14 * x,
        lambda x: x[:, None].repeat(3, axis=1),
    ],
)
def test_features_in_another_form_or_unit_give_the_same_classifier(task, rows, change):
    expected = FewShotClassifier(method='prototypes').fit(rows, task[1]).predict_proba(rows)
    model = FewShotClassifier(method='prototypes').fit(change(rows), task[1])
    np.testing.assert_allclose(model.predict_proba(change(rows)), expected, atol=1e-4)


@pytest.mark.parametrize('method', sorted({*METHODS} - {'prototypes'}))
def test_no_method_depends_on_the_unit_of_the_features(task, rows, method):
    found = [
        FewShotClassifier(method=method).fit(unit * rows, task[1]).predict_proba(unit * rows) for unit in (1.0, 1e-20)
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_a_list_of_dicts_is_a_dict_of_lists(task):
    features, labels, asked, _ = task
    one, other = ([dict(zip(x, row, strict=True)) for row in zip(*x.values(), strict=True)] for x in (features, asked))
    expected, found = FewShotClassifier().fit(features, labels), FewShotClassifier().fit(one, labels)
    np.testing.assert_array_equal(found.predict_proba(other), expected.predict_proba(asked))
    scores = cross_val_score(FewShotClassifier(method='prototypes'), one, labels, cv=3)
    assert len(scores) == 3 and scores.mean() > 0.5


@pytest.mark.parametrize(('other', 'told'), [(dict(audio=[1.0]), r"\['audio'\]"), ([1.0], 'list')])
def test_a_list_of_dicts_of_other_modalities_is_refused(other, told):
    clips = [dict(audio=[1.0], visual=[2.0]), dict(audio=[2.0], visual=[1.0]), other]
    with pytest.raises(DataError, match=rf"clip 2 has {told}, clip 0 has \['audio', 'visual'\]. Give the same"):
        FewShotClassifier().fit(clips, ['a', 'b', 'b'])


def test_a_square_table_is_not_read_by_the_names_of_its_columns(rows):
    square, labels = rows[:12, :12], np.arange(12) % 2
    expected = FewShotClassifier(method='prototypes').fit(square, labels).predict_proba(square)
    found = FewShotClassifier(method='prototypes').fit(Frame(square), labels).predict_proba(Frame(square))
    np.testing.assert_array_equal(found, expected)


def test_a_constant_dimension_does_not_count_however_large_it_is(task, rows):
    def asked(value):
        model = FewShotClassifier(method='prototypes').fit(np.insert(rows, 3, 12345.678, axis=1), task[1])
        return model.predict_proba(np.insert(rows, 3, value, axis=1))

    np.testing.assert_allclose(asked(12345.678), asked(12345.679), atol=1e-2)
    without = FewShotClassifier(method='prototypes').fit(rows, task[1]).predict_proba(rows)
    np.testing.assert_allclose(asked(12345.678), without, atol=1e-2)


def test_whole_numbers_are_labels_as_floats_too_and_objects_that_are_numbers_are_features(rows, tmp_path):
    labels = np.arange(len(rows)) % 3
    model = FewShotClassifier(method='prototypes').fit(rows.astype(object), labels.astype(float))
    assert model.classes_.tolist() == [0.0, 1.0, 2.0]
    again = FewShotClassifier.from_pretrained(model.save_pretrained(tmp_path / 'model'))
    expected = FewShotClassifier(method='prototypes').fit(rows, labels).predict(rows)
    assert (model.predict(rows) == expected).all() and (again.predict(rows) == expected).all()


@pytest.mark.parametrize('of_columns', [str, int, np.int64, np.str_])
def test_labels_of_a_column_of_objects_are_those_of_a_list(rows, of_columns):
    labels = [of_columns(i % 3) for i in range(len(rows))]
    model = FewShotClassifier(method='prototypes').fit(rows, np.array(labels, object))
    assert model.classes_.tolist() == sorted(set(labels))


def test_truth_values_of_a_column_of_objects_are_labels(rows):
    labels = np.arange(len(rows)) % 2 == 0
    model = FewShotClassifier(method='prototypes').fit(rows, labels.astype(object))
    assert model.classes_.tolist() == [False, True]


@pytest.mark.parametrize('seed', [None, np.int64(3), np.random.RandomState(0)])
def test_classifiers_of_truth_values_and_of_any_seed_can_be_saved(rows, tmp_path, seed):
    model = FewShotClassifier(method='prototypes', random_state=seed).fit(rows, np.arange(len(rows)) % 2 == 1)
    again = FewShotClassifier.from_pretrained(model.save_pretrained(tmp_path / 'model'))
    assert (again.predict(rows) == model.predict(rows)).all() and again.classes_.dtype == bool
    assert again.random_state == (3 if isinstance(seed, np.int64) else None)


@pytest.mark.parametrize('seed', [-1, 2**32, 1.5, 'x'])
def test_a_seed_that_cannot_be_is_refused(rows, task, seed):
    with pytest.raises(ConfigError, match='random_state='):
        FewShotClassifier(random_state=seed).fit(rows, task[1])


def test_a_fit_that_failed_leaves_nothing_behind(rows, task):
    model = FewShotClassifier(method='prototypes').fit(rows, task[1])
    with pytest.raises(DataError):
        model.fit(rows * np.nan, task[1])
    with pytest.raises(NotFittedError):
        model.predict(rows)
    model.stamps_ = {'visual': {'extractor': 'of videos that could not be learned from'}}
    assert model.fit(rows, task[1]).stamps_ == {}


@pytest.fixture
def extracted(tmp_path):
    """A folder of extracted features of two modalities, six clips of two classes."""
    made_by = dict(visual='onnx:net.onnx', audio='vggish')
    stamps = {m: dict(extractor=name, dim=3) for m, name in made_by.items()}
    (tmp_path / 'extraction.json').write_text(json.dumps(dict(modalities=stamps)))
    (tmp_path / 'clips.csv').write_text('video,label\n' + ''.join(f'v{i},{"ab"[i % 2]}\n' for i in range(6)))
    for number, modality in enumerate(made_by):
        (tmp_path / modality).mkdir()
        for i in range(6):
            np.save(tmp_path / modality / f'v{i}.npy', np.random.default_rng([number, i]).normal(size=(2, 3)))
    return tmp_path


@pytest.mark.parametrize(
    ('extractor', 'taken'),
    [
        (None, {'visual', 'audio'}),
        (dict(visual='onnx:models/net.onnx'), {'visual'}),
        (dict(visual='c3d'), 'has visual features from onnx:net.onnx, not c3d'),
        (dict(visual='onnx:net.onnx', depth='midas'), 'has no depth features'),
    ],
)
def test_of_extracted_features_the_named_modalities_are_taken(extracted, extractor, taken):
    model = FewShotClassifier(extractor, 'prototypes')
    if isinstance(taken, str):
        with pytest.raises(DataError, match=taken):
            model.fit(extracted)
        return
    assert model.fit(extracted).centre_.keys() == model.stamps_.keys() == taken


def test_teaching_without_sound_leaves_the_extracted_sound_out(extracted, tmp_path, capsys):
    from tools.adapt import main

    out = tmp_path / 'taught'
    assert main(['--support', str(extracted), '--audio', 'none', '--out', str(out)]) == 0
    assert FewShotClassifier.from_pretrained(out).centre_.keys() == {'visual'}
    assert re.search(r'Wrong when held out: v\d \([ab], taken for [ab]\)', capsys.readouterr().out)


@pytest.mark.parametrize('other', ['v1', 'v2'])
def test_a_copy_among_extracted_clips_is_named_in_another_class_and_in_its_own(extracted, other):
    for modality in ('audio', 'visual'):
        shutil.copy(extracted / modality / 'v0.npy', extracted / modality / f'{other}.npy')
    with pytest.warns(UserWarning, match=f'^v0 of class a and {other} of class . have the same features. Remove one.$'):
        FewShotClassifier(method='prototypes').fit(extracted)


def test_classes_in_two_spellings_are_warned_of():
    with pytest.warns(UserWarning, match="'Dog' and 'dog ' differ only in spelling"):
        FewShotClassifier(method='prototypes').fit(np.eye(4), ['Dog', 'cat', 'dog ', 'cat'])


def test_rows_of_an_array_may_be_repeated(recwarn):
    FewShotClassifier(method='prototypes').fit(np.eye(3)[[0, 1, 1]], ['a', 'b', 'b'])
    assert not recwarn.list


def test_a_folder_is_not_asked_about_as_one_video(tmp_path):
    x, y = np.eye(4).repeat(2, axis=0), np.arange(4).repeat(2)
    with pytest.raises(DataError, match=r'is a folder. Give its videos as a list'):
        FewShotClassifier().fit(x, y).predict(tmp_path)
