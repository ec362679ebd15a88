"""What a feature store keeps, gives back, and refuses."""

import json
import pickle

import numpy as np
import pytest
import torch

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.split_files import add_splits
from avzoo.datasets.store_format import npy_header
from avzoo.utils.errors import DataError

MODALITIES = {'audio': dict(dim=3, seconds_per_step=0.96), 'visual': dict(dim=5, seconds_per_step=0.64)}
CLASSES = ['barking, loud', 'Ärger', 'tap']


def make_videos(num=7, seed=0):
    rng = np.random.default_rng(seed)
    return {f'video, {i}': {key: rng.standard_normal((int(rng.integers(1, 6)), entry['dim'])).astype(np.float32)
                            for key, entry in MODALITIES.items()} for i in range(num)}


def write(out, videos=None, **kwargs):
    videos = make_videos() if videos is None else videos
    with FeatureStoreWriter(out, name='small', modalities=MODALITIES, classes=CLASSES, **kwargs) as writer:
        for i, (video, arrays) in enumerate(videos.items()):
            writer.add(video, CLASSES[i % 3], arrays)
        writer.write_class_embeddings('word2vec', np.eye(3, 4))
        writer.write_splits(5, {'stage1_base': list(videos)[::-1], 'val_base': list(videos)[:2]})
        writer.finish()
    return videos


@pytest.fixture
def root(tmp_path):
    write(tmp_path / 'store')
    return tmp_path / 'store'


def edit_meta(root, **changes):
    meta = json.loads((root / 'store.json').read_text())
    (root / 'store.json').write_text(json.dumps(meta | changes))


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


@pytest.mark.parametrize('starts, max_steps, pad_to', [
    (False, None, None), (True, None, None), (False, 2, None), (True, 2, None), (True, 3, 9), (False, None, 6)])
def test_gather_equals_slices_of_single_videos(root, starts, max_steps, pad_to):
    store, arrays = FeatureStore(root), list(make_videos().values())
    videos = np.array([3, 0, 3, 6, 1])
    first = store.lengths['visual'][videos] // 2 if starts else np.zeros(5, int)
    wanted = [arrays[v]['visual'][s:][:max_steps] for v, s in zip(videos, first, strict=True)]
    features, lengths = store.gather('visual', videos, starts=first if starts else None, max_steps=max_steps,
                                     pad_to=pad_to)
    assert features.shape == (5, pad_to or max(map(len, wanted)), 5)
    assert lengths.tolist() == [len(array) for array in wanted]
    for row, array in zip(features.numpy(), wanted, strict=True):
        np.testing.assert_array_equal(row[:len(array)], array)
        assert not row[len(array):].any()


def test_a_gathered_batch_may_be_changed_without_changing_the_store(root):
    store = FeatureStore(root)
    store.gather('audio', np.arange(3))[0].fill_(7)
    assert (store.gather('audio', np.arange(3))[0] != 7).all()
    FeatureStore(root, verify=True)


def test_gather_refuses_what_would_lose_steps_silently(root):
    store = FeatureStore(root)
    with pytest.raises(ValueError, match='max_steps=1'):
        store.gather('audio', np.arange(7), pad_to=1)
    with pytest.raises(ValueError, match='starts'):
        store.gather('audio', np.array([0]), starts=store.lengths['audio'][:1])
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


@pytest.mark.parametrize('shots, name, words', [
    (1, 'val_base', r'no 1-shot splits; it has \[5\]'), (5, 'val_bas', "Did you mean 'val_base'")])
def test_a_split_that_is_not_there_names_those_that_are(root, shots, name, words):
    with pytest.raises(DataError, match=words):
        FeatureStore(root).split(shots, name)


def test_a_listed_video_that_is_not_in_the_store_is_named(root):
    with open(root / 'splits/5shot/val_base.txt', 'a') as file:
        file.write('ghost\n')
    with pytest.raises(DataError, match=r"val_base.txt: 1 of 3 videos are not in the store, the first is 'ghost'"):
        FeatureStore(root).split(5, 'val_base')


def test_a_missing_store_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r'No feature store at .*data_root'):
        FeatureStore(tmp_path / 'nowhere')


@pytest.mark.parametrize('keep', [0, 60, -20])
def test_a_truncated_array_is_refused_on_opening(root, keep):
    data = (root / 'visual.npy').read_bytes()
    (root / 'visual.npy').write_bytes(data[:keep])
    with pytest.raises(DataError, match=r'visual.npy is cut off'):
        FeatureStore(root)


def test_an_array_of_another_shape_is_refused_on_opening(root):
    np.save(root / 'audio.npy', np.zeros((4, 3), np.float32))
    with pytest.raises(DataError, match=r'audio.npy: float32 array of shape \(4, 3\), store.json says'):
        FeatureStore(root)


@pytest.mark.parametrize('name', ['audio.npy', 'videos.csv', 'text/word2vec.npy', 'splits/5shot/val_base.txt'])
def test_a_changed_byte_is_found_by_verify(root, name):
    data = bytearray((root / name).read_bytes())
    data[-2] ^= 1
    (root / name).write_bytes(data)
    with pytest.raises(DataError, match=f'{name}: wrong checksum'):
        FeatureStore(root, verify=True)


@pytest.mark.parametrize('changes, words', [
    (dict(version=9), 'version 9'), (dict(modalities={'audio': {}}), 'damaged'), (dict(num_videos=8), '7 videos')])
def test_a_damaged_description_is_refused(root, changes, words):
    edit_meta(root, **changes)
    with pytest.raises(DataError, match=words):
        FeatureStore(root)


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_features_that_are_not_numbers_are_refused_with_the_video(tmp_path, value):
    videos = make_videos()
    videos['video, 4']['audio'][-1, -1] = value
    with pytest.raises(DataError, match="'video, 4': NaN or infinity in its audio"):
        write(tmp_path / 'store', videos)


@pytest.mark.parametrize('array, words', [
    (np.zeros((2, 4)), r'shape \(2, 4\)'), (np.zeros((0, 3)), r'shape \(0, 3\)'), (np.zeros(3), r'shape \(3,\)'),
    (np.full((1, 3), 1e5), 'beyond the range of float16'), (np.array([['a'] * 3]), 'not numbers')])
def test_sequences_that_do_not_fit_are_refused_with_the_video(tmp_path, array, words):
    videos = make_videos()
    videos['video, 2']['audio'] = array
    with pytest.raises(DataError, match=f"'video, 2'.*{words}"):
        write(tmp_path / 'store', videos, dtype='float16')


def test_a_video_comes_once_and_has_a_known_class_and_every_modality(tmp_path):
    arrays = make_videos()['video, 0']
    with FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES) as writer:
        writer.add('a', 'tap', arrays)
        for video, label, features, words in [('a', 'tap', arrays, 'twice'), ('b', 'tab', arrays, "mean 'tap'"),
                                              ('b', 'tap', {'audio': arrays['audio']}, 'needs'),
                                              ('b\nc', 'tap', arrays, 'line break')]:
            with pytest.raises(DataError, match=words):
                writer.add(video, label, features)


def test_a_crash_midway_leaves_nothing(tmp_path):
    writer = FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES)
    with pytest.raises(RuntimeError), writer:
        writer.add('a', 'tap', make_videos()['video, 0'])
        assert not (tmp_path / 'store').exists()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_older_store_stays_until_the_new_one_is_complete(root):
    with pytest.raises(DataError):
        write(root, {'only': {'audio': np.zeros((1, 3)), 'visual': np.zeros((1, 4))}})
    assert len(FeatureStore(root, verify=True)) == 7
    write(root, make_videos(4))
    assert len(FeatureStore(root, verify=True)) == 4
    assert [path.name for path in root.parent.iterdir()] == ['store']


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(DataError, match='no feature store'):
        write(tmp_path)
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


def test_added_splits_are_checked_and_fingerprinted(root):
    add_splits(root, {2: {'val_base': ['video, 6']}})
    store = FeatureStore(root, verify=True)
    assert store.shots() == [2, 5] and store.split(2, 'val_base').tolist() == [6]
    with pytest.raises(DataError, match="'ghost'"):
        add_splits(root, {3: {'val_base': ['ghost']}})
    assert FeatureStore(root, verify=True).shots() == [2, 5]


def test_the_array_files_are_plain_npy(root, tmp_path):
    wanted = np.concatenate([arrays['visual'] for arrays in make_videos().values()])
    np.testing.assert_array_equal(np.load(root / 'visual.npy'), wanted)
    assert len(npy_header('float16', (0, 1))) == len(npy_header('float32', (10**15, 10**6))) == 128
