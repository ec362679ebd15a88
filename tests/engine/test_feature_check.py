"""Features from which nothing can be learned are named before a run is spent on them."""

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.feature_check import check_features
from avzoo.utils.errors import DataError
from tests.datasets.small_store import make_videos, write

BOTH = ('audio', 'visual')


def store_of(tmp_path, change):
    videos = make_videos()
    for arrays in videos.values():
        change(arrays)
    write(tmp_path / 'store', videos)
    return FeatureStore(tmp_path / 'store')


def overwrite(store, modality, value):
    rows = np.lib.format.open_memmap(store.root / f'{modality}.npy', mode='r+')
    rows[0] = value
    rows.flush()


def test_ordinary_features_are_accepted(tmp_path):
    store = store_of(tmp_path, lambda arrays: None)
    assert check_features(store, BOTH, np.arange(len(store))) == []


def test_one_video_has_nothing_to_differ_from(tmp_path):
    write(tmp_path / 'store', make_videos(2))
    store = FeatureStore(tmp_path / 'store')
    store.video_ids = store.video_ids[:1]
    assert check_features(store, BOTH, np.arange(len(store))) == []


@pytest.mark.parametrize(('value', 'word'), [(0.0, 'zero'), (0.1, 'the same'), (-7.0, 'the same')])
def test_constant_features_are_named_for_their_modality_alone(tmp_path, value, word):
    store = store_of(tmp_path, lambda arrays: arrays['audio'].fill(value))
    (warning,) = check_features(store, BOTH, np.arange(len(store)))
    assert f'the audio features are {word} in all of 7 videos' in warning and str(store.root) in warning
    assert check_features(store, ('visual',), np.arange(len(store))) == []


def test_a_dimension_that_differs_is_enough(tmp_path):
    store = store_of(tmp_path, lambda arrays: arrays['audio'].__setitem__((slice(None), slice(1, None)), 1.0))
    assert check_features(store, BOTH, np.arange(len(store))) == []


def test_features_that_a_normalisation_takes_for_zero_are_named_unless_they_are_scaled(tmp_path):
    store = store_of(tmp_path, lambda arrays: arrays['audio'].__imul__(1e-20))
    (warning,) = check_features(store, BOTH, np.arange(len(store)))
    assert 'data_preprocessor.scale.audio' in warning
    assert check_features(store, BOTH, np.arange(len(store)), dict(audio=1e-20)) == []


@pytest.mark.parametrize(('value', 'words'), [(1e30, r'1e\+15'), (np.nan, 'NaN'), (np.inf, 'infinity')])
def test_numbers_that_no_network_survives_are_refused_with_the_video(tmp_path, value, words):
    store = store_of(tmp_path, lambda arrays: None)
    overwrite(store, 'visual', value)
    with pytest.raises(DataError, match=rf"{words}.* visual features of video 'video, 0'"):
        check_features(FeatureStore(store.root), BOTH, np.arange(len(store)))
