"""Reading what a feature store holds, and what it refuses."""

import pickle

import numpy as np
import pytest
import torch

from avzoo.datasets.collate import Take
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.utils.errors import DataError
from tests.datasets.small_store import CLASSES, make_videos, write


@pytest.mark.parametrize('dtype', ['float32', 'float16'])
def test_what_was_written_is_read_back(tmp_path, dtype):
    videos = write(tmp_path / 'store', dtype=dtype)
    store = FeatureStore(tmp_path / 'store', verify=True)
    assert store.video_ids.tolist() == list(videos)
    assert store.class_names == store.class_texts == CLASSES
    assert store.labels.tolist() == [0, 1, 2, 0, 1, 2, 0] and store.labels.dtype == np.int64
    assert [m.dtype for m in store.modalities.values()] == [dtype, dtype]
    np.testing.assert_array_equal(store.class_embeddings(), np.eye(3, 4, dtype=np.float32))
    for i, arrays in enumerate(videos.values()):
        for key, array in arrays.items():
            features, lengths = store.gather(key, np.array([i]))
            assert features.dtype == torch.float32 and lengths.tolist() == [len(array)]
            np.testing.assert_array_equal(features[0].numpy(), array.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    'starts, max_steps, pad_to',
    [(False, None, None), (True, None, None), (False, 2, None), (True, 2, None), (True, 3, 9), (False, None, 6)],
)
def test_gather_equals_slices_of_single_videos(root, starts, max_steps, pad_to):
    store, arrays = FeatureStore(root), list(make_videos().values())
    videos = np.array([3, 0, 3, 6, 1])
    first = store.lengths['visual'][videos] // 2 if starts else np.zeros(5, int)
    wanted = [arrays[v]['visual'][s:][:max_steps] for v, s in zip(videos, first, strict=True)]
    features, lengths = store.gather('visual', videos, Take(first if starts else None, max_steps, pad_to))
    assert features.shape == (5, pad_to or max(map(len, wanted)), 5)
    assert lengths.tolist() == [len(array) for array in wanted]
    for row, array in zip(features.numpy(), wanted, strict=True):
        np.testing.assert_array_equal(row[: len(array)], array)
        assert not row[len(array) :].any()


def test_a_gathered_batch_may_be_changed_without_changing_the_store(root):
    store = FeatureStore(root)
    store.gather('audio', np.arange(3))[0].fill_(7)
    assert (store.gather('audio', np.arange(3))[0] != 7).all()
    FeatureStore(root, verify=True)


def test_gather_refuses_what_would_lose_steps_silently(root):
    store = FeatureStore(root)
    with pytest.raises(ValueError, match='max_steps=1'):
        store.gather('audio', np.arange(7), Take(pad_to=1))
    with pytest.raises(ValueError, match='starts'):
        store.gather('audio', np.array([0]), Take(starts=store.lengths['audio'][:1]))
    with pytest.raises(DataError, match="Did you mean 'audio'"):
        store.gather('audi', np.array([0]))


def test_temporal_mean_equals_the_mean_of_each_video_also_in_chunks(root, monkeypatch):
    arrays, videos = list(make_videos().values()), np.array([5, 2, 2, 0])
    wanted = [arrays[v]['visual'].mean(axis=0) for v in videos]
    np.testing.assert_allclose(FeatureStore(root).temporal_mean('visual', videos), wanted, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr('avzoo.datasets.feature_store._CHUNK_BYTES', 64)  # three steps: videos longer than a chunk
    np.testing.assert_allclose(FeatureStore(root).temporal_mean('visual', videos), wanted, rtol=1e-5, atol=1e-6)


def test_a_store_goes_to_another_process_without_its_features(root):
    store = FeatureStore(root)
    data = pickle.dumps(store)
    assert torch.equal(pickle.loads(data).gather('audio', np.arange(7))[0], store.gather('audio', np.arange(7))[0])
    assert make_videos()['video, 3']['visual'].tobytes() not in data


def test_features_held_in_memory_give_the_same_batches(root):
    mapped, held = FeatureStore(root), FeatureStore(root).load('cpu')
    batches = [store.gather('visual', np.arange(7)) for store in (mapped, held)]
    assert all(map(torch.equal, *batches))


def test_splits_keep_the_order_of_their_file(root):
    store = FeatureStore(root)
    assert store.shots() == [5]
    assert store.split(5, 'stage1_base').tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert store.split_sizes(5) == {'stage1_base': 7, 'val_base': 2}


@pytest.mark.parametrize(
    'shots, name, words',
    [(1, 'val_base', r'no 1-shot splits; it has \[5\]'), (5, 'val_bas', "Did you mean 'val_base'")],
)
def test_a_split_that_is_not_there_names_those_that_are(root, shots, name, words):
    with pytest.raises(DataError, match=words):
        FeatureStore(root).split(shots, name)


def test_a_listed_video_that_is_not_in_the_store_is_named(root):
    with open(root / 'splits/5shot/val_base.txt', 'a') as file:
        file.write('ghost\n')
    with pytest.raises(DataError, match=r"val_base.txt: the store lacks 1 of 3 videos, the first is 'ghost'"):
        FeatureStore(root).split(5, 'val_base')


def test_a_store_without_class_vectors_says_so(tmp_path):
    modalities = dict(audio=dict(dim=1, seconds_per_step=1))
    with FeatureStoreWriter(tmp_path / 'store', name='x', modalities=modalities, classes=['a']) as writer:
        writer.add('video', 'a', dict(audio=np.zeros((1, 1))))
        writer.finish()
    with pytest.raises(DataError, match=r'store has no class vectors .*--class-embeddings'):
        FeatureStore(tmp_path / 'store').class_embeddings()
