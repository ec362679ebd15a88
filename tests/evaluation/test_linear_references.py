import numpy as np
import pytest

from avzoo.config.settings import REFERENCES
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.evaluation.functional import aggregate_draws
from avzoo.evaluation.linear_references import _METHODS, evaluate_references
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


def test_both_references_solve_separable_classes(results):
    assert list(results) == ['nearest_class_mean', 'logistic_regression']
    for result in results.values():
        assert [row['draw'] for row in result['draws']] == [0, 1, 2]
        assert result['aggregate'] == aggregate_draws(result['draws'])
        assert result['aggregate']['HM'] > 75.0
        assert result['aggregate']['FSL'] > 85.0


def test_all_draws_use_the_gamma_of_validation(results):
    for result in results.values():
        assert {row['gamma'] for row in result['draws']} == {result['gamma']}
        assert result['validation']['gamma'] == result['gamma']


@pytest.mark.parametrize('method', ['nearest_class_mean', 'logistic_regression'])
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
    with pytest.raises(ValueError, match="'knn'; choose from nearest_class_mean, logistic_regression"):
        evaluate_references(store, SHOTS, methods=['knn'])
    with pytest.raises(ConfigError, match=r"no modality 'video'.*It has audio, visual"):
        evaluate_references(store, SHOTS, modalities=['video'])
    with pytest.raises(ConfigError, match='no modality to use'):
        evaluate_references(store, SHOTS, modalities=[])
    with pytest.raises(DataError):
        evaluate_references(store, 7)


def test_class_without_shots_is_an_error(tmp_path):
    def drop(splits):
        splits['stage2_novel_1'] = [v for v in splits['stage2_novel_1'] if not v.startswith('8_')]

    store = write_store(tmp_path / 'store', change_splits=drop)
    with pytest.raises(DataError, match="class 'class 8' is in some but not all of the splits"):
        evaluate_references(store, SHOTS, draws=[1], methods=['nearest_class_mean'])


def test_a_config_may_name_every_reference():
    assert tuple(_METHODS) == REFERENCES
