import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from avzoo.config.settings import REFERENCES
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.evaluation.functional import aggregate_draws, gfsl_metrics
from avzoo.evaluation.linear_references import evaluate_references
from avzoo.evaluation.predictions import read_predictions
from avzoo.evaluation.reference_features import Task
from avzoo.evaluation.reference_methods import METHODS, Method
from avzoo.utils.errors import ConfigError, DataError

# Classes 0-4 are base, 5-6 novel in stage 1, 7-8 novel in stage 2.
NUM_CLASSES, PER_CLASS, SHOTS = 9, 24, 3


def make_splits(ids):
    stage1, novel1, novel2 = range(0, 5), range(5, 7), range(7, 9)
    rows = {c: ids[c * PER_CLASS : (c + 1) * PER_CLASS] for c in range(NUM_CLASSES)}

    def take(classes, begin, end):
        return [video for c in classes for video in rows[c][begin:end]]

    splits = dict(
        stage1_base=take(stage1, 0, 12),
        stage1_novel=take(novel1, 0, SHOTS),
        val_base=take(stage1, 12, 18),
        val_novel=take(novel1, SHOTS, 18),
        stage2_base=take(range(7), 0, 18),
        test_base=take(range(7), 18, 24),
    )
    for draw in range(3):
        begin = draw * SHOTS
        splits[f'stage2_novel_{draw}'] = take(novel2, begin, begin + SHOTS)
        splits[f'test_novel_{draw}'] = take(novel2, 0, begin) + take(novel2, begin + SHOTS, PER_CLASS)
    return splits


def write_store(path, *, informative=('audio', 'visual'), change_splits=lambda splits: None, flip=None):
    rng = np.random.default_rng(0)
    dims = dict(audio=6, visual=10)
    centres = {m: 2.0 * rng.normal(size=(NUM_CLASSES, dim)) * (m in informative) for m, dim in dims.items()}
    ids = [f'{c}_{i}' for c in range(NUM_CLASSES) for i in range(PER_CLASS)]
    splits = make_splits(ids)
    change_splits(splits)
    noisy = set(splits[flip]) if flip else set()
    with FeatureStoreWriter(
        path,
        name='toy',
        classes=[f'class {c}' for c in range(NUM_CLASSES)],
        modalities={m: dict(dim=dim, seconds_per_step=1.0) for m, dim in dims.items()},
    ) as writer:
        for video in ids:
            label = int(video.split('_')[0])
            features = {m: centres[m][label] + rng.normal(size=(rng.integers(1, 5), dim)) for m, dim in dims.items()}
            writer.add(video, f'class {label}', {m: -x if video in noisy else x for m, x in features.items()})
        writer.write_splits(SHOTS, splits)
        writer.finish()
    return FeatureStore(path)


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp('references') / 'store')


@pytest.fixture(scope='module')
def results(store):
    return evaluate_references(store, SHOTS)


def test_every_reference_solves_separable_classes(results):
    assert list(results) == list(METHODS)
    for result in results.values():
        assert [row['draw'] for row in result['draws']] == [0, 1, 2]
        assert result['aggregate'] == aggregate_draws(result['draws'])
        assert result['aggregate']['HM'] > 75.0
        assert result['aggregate']['FSL'] > 85.0


@pytest.fixture
def task():
    """Three classes with 20, 6 and 3 training videos, far from the origin and of unequal length; and five to score."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [20, 6, 3])
    centres = np.array([[9.0, 2.0, 5.0], [8.0, 3.0, 6.0], [9.0, 3.0, 4.0]])
    train, held_out = (centres[y] + rng.normal(size=(len(y), 3)) for y in (labels, np.array([0, 1, 2, 2, 1])))
    return Task(train, labels, held_out * rng.uniform(0.5, 2.0, (5, 1)), np.array([0, 1, 2, 2, 1]), np.arange(3) < 2)


@pytest.mark.parametrize('scale', [10.0, 30.0])
def test_nearest_class_mean_is_the_softmax_of_scaled_cosines(task, scale):
    found = METHODS['nearest_class_mean'].score(task, scale=scale)
    for row, x in zip(found, task.features, strict=True):
        means = [task.train_features[task.train_labels == c].mean(0) for c in range(3)]
        odds = np.exp([scale * x @ mean / np.sqrt((x @ x) * (mean @ mean)) for mean in means])
        np.testing.assert_allclose(row, odds / odds.sum())


def test_a_scale_of_thousands_overflows_nowhere(task):
    found = METHODS['nearest_class_mean'].score(task, scale=1e5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


@pytest.mark.parametrize('inverse_penalty', [0.1, 1.0])
def test_logistic_regression_counts_each_class_alike_on_centred_features_of_one_scale(task, inverse_penalty):
    centre = task.train_features.mean(axis=0)
    scale = np.sqrt(np.square(task.train_features - centre).mean())
    weights = len(task.train_labels) / (3 * np.bincount(task.train_labels)[task.train_labels])
    model = LogisticRegression(C=inverse_penalty, max_iter=1000)
    model.fit((task.train_features - centre) / scale, task.train_labels, sample_weight=weights)
    found = METHODS['logistic_regression'].score(task, C=inverse_penalty)
    np.testing.assert_allclose(found, model.predict_proba((task.features - centre) / scale), atol=1e-4)


@pytest.fixture
def recorded(monkeypatch):
    """A reference whose settings 1, 2, 3 get all but 3, 2 and 2 of 30 base videos right, and the tasks it was given."""
    tasks = []

    def score(task, *, width):
        tasks.append(task)
        base, novel = (np.flatnonzero(task.base_mask[task.labels] == wanted) for wanted in (True, False))
        guesses = task.labels.copy()
        wrong = base[:3] if width == 1 else base[:2]
        guesses[wrong] = (task.labels[wrong] + 1) % task.base_mask.sum()
        guesses[novel[3:]] = task.base_mask.sum() + (task.labels[novel[3:]] == task.base_mask.sum())
        return np.eye(len(task.base_mask))[guesses]

    monkeypatch.setitem(METHODS, 'recorded', Method(score, {'width': (1.0, 2.0, 3.0)}))
    return tasks


def test_validation_chooses_the_first_of_the_best_settings_however_small_the_lead(store, recorded):
    found = evaluate_references(store, SHOTS, methods=['recorded'])['recorded']
    assert found['setting'] == {'width': 2.0}
    assert found['validation']['HM'] == pytest.approx(2 * 28 * 3 / 31 / 30 * 100)  # 18.06, and 18.0 under setting 1
    assert len(recorded) == 3 + 3  # Three settings on validation, the chosen one on three draws.


def test_the_calibration_of_validation_is_kept_where_another_would_be_better_on_the_test_set(store, monkeypatch):
    def score(task, *, x):
        bias = 0.35 if task.base_mask.sum() == 7 else 0.0  # Stage 2: base classes are preferred.
        return np.eye(len(task.base_mask))[task.labels] * 0.3 + bias * task.base_mask

    monkeypatch.setitem(METHODS, 'biased', Method(score, {'x': (1.0,)}))
    found = evaluate_references(store, SHOTS, methods=['biased'])['biased']
    assert found['gamma'] == 0.0 and found['validation']['HM'] == pytest.approx(100.0)
    assert [(row['gamma'], row['N'], row['HM']) for row in found['draws']] == [(0.0, 0.0, 0.0)] * 3


def test_a_reference_sees_unit_means_over_time_of_the_splits_of_its_stage(store, recorded):
    evaluate_references(store, SHOTS, draws=[1], methods=['recorded'])
    names = ('stage1_base', 'stage1_novel', 'val_base', 'val_novel')
    stage2 = ('stage2_base', 'stage2_novel_1', 'test_base', 'test_novel_1')
    for task, splits, base in ((recorded[0], names, 5), (recorded[-1], stage2, 7)):
        assert task.base_mask.tolist() == [True] * base + [False] * 2
        videos = [np.concatenate([store.split(SHOTS, name) for name in pair]) for pair in (splits[:2], splits[2:])]
        for ids, x, y in zip(videos, task[:3:2], task[1:4:2], strict=True):
            assert np.array_equal(y, store.labels[ids])
            for row, video in zip(x, ids, strict=True):
                means = [store.temporal_mean(m, np.array([video]))[0] for m in ('audio', 'visual')]
                want = np.concatenate([mean / np.sqrt(mean @ mean) for mean in means])
                np.testing.assert_allclose(row, want, rtol=1e-5)


def test_all_draws_use_the_gamma_of_validation(results):
    for result in results.values():
        assert {row['gamma'] for row in result['draws']} == {result['gamma']}
        assert result['validation']['gamma'] == result['gamma']


@pytest.mark.parametrize('method', METHODS)
def test_test_videos_choose_nothing(store, results, tmp_path, method):
    spoilt = write_store(tmp_path / 'store', flip='test_base')
    other = evaluate_references(spoilt, SHOTS, methods=[method])[method]
    for key in ('gamma', 'setting', 'validation'):
        assert other[key] == results[method][key]
    assert other['aggregate']['B'] < results[method]['aggregate']['B']


def test_modalities_are_taken_by_name(tmp_path):
    store = write_store(tmp_path / 'store', informative=('visual',))
    audio, visual = (
        evaluate_references(store, SHOTS, modalities=[name], methods=['nearest_class_mean'])['nearest_class_mean'][
            'aggregate'
        ]['FSL']
        for name in ('audio', 'visual')
    )
    assert audio < 75.0 < visual


def test_draws_methods_and_grid_can_be_picked(store):
    picked = evaluate_references(store, SHOTS, draws=[2], methods=['nearest_class_mean'], gamma_grid=[0.3])
    assert list(picked) == ['nearest_class_mean']
    assert [row['draw'] for row in picked['nearest_class_mean']['draws']] == [2]
    assert picked['nearest_class_mean']['gamma'] == 0.3


def test_same_numbers_every_time(store, results):
    assert evaluate_references(store, SHOTS) == results


def test_unknown_names_are_refused(store):
    with pytest.raises(ValueError, match="'knn'; choose from nearest_class_mean, logistic_regression, tuned"):
        evaluate_references(store, SHOTS, methods=['knn'])
    with pytest.raises(ConfigError, match=r"no modality 'video'.*It has audio, visual"):
        evaluate_references(store, SHOTS, modalities=['video'])
    with pytest.raises(ConfigError, match=r"no modality 'visuals'.*Did you mean 'visual'"):
        evaluate_references(store, SHOTS, modalities=['visuals'])
    with pytest.raises(ConfigError, match='no modality to use; choose from audio, visual'):
        evaluate_references(store, SHOTS, modalities=[])
    with pytest.raises(DataError):
        evaluate_references(store, 7)


def test_class_without_shots_is_an_error(tmp_path):
    def drop(splits):
        splits['stage2_novel_1'] = [v for v in splits['stage2_novel_1'] if not v.startswith('8_')]

    store = write_store(tmp_path / 'store', change_splits=drop)
    with pytest.raises(DataError, match="class 'class 8' is in some but not all of the splits"):
        evaluate_references(store, SHOTS, draws=[1], methods=['nearest_class_mean'])


def test_predictions_give_the_metrics_of_the_test_again(store, results, tmp_path):
    evaluate_references(store, SHOTS, draws=[1], predictions_dir=tmp_path)
    for name, result in results.items():
        found = read_predictions(tmp_path / f'{name}_draw1.npz')
        videos = np.concatenate([store.split(SHOTS, split) for split in ('test_base', 'test_novel_1')])
        assert found['video_id'].tolist() == store.video_ids[videos].tolist()
        assert found['classes'].tolist() == [f'class {c}' for c in range(9)] and found['base_mask'].sum() == 7
        again = gfsl_metrics(found['scores'], found['label'], found['base_mask'], gamma=float(found['gamma']))
        assert dict(again, draw=1) == pytest.approx(result['draws'][1], abs=1e-4)


def test_a_config_may_name_every_reference():
    assert tuple(METHODS) == REFERENCES
