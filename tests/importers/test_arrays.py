"""Importing your own features into a feature store."""

import csv
import shutil

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.importers.arrays import import_arrays
from avzoo.utils.errors import DataError
from tests.importers.own_data import LISTS


@pytest.fixture
def own(tmp_path):
    """Lists of four classes with three videos each a list, and ragged features."""
    rng = np.random.default_rng(0)
    lists = tmp_path / 'lists'
    lists.mkdir()
    videos = {}
    for name, classes in LISTS.items():
        with open(lists / f'{name}.csv', 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['filename', 'label'])
            for label in classes:
                for i in range(3):
                    writer.writerow([f'{name}_{label}{i}', label])
                    videos[f'{name}_{label}{i}'] = {
                        'audio': rng.random((rng.integers(1, 4), 2), np.float32),
                        'visual': rng.random((rng.integers(1, 4), 3), np.float32),
                    }
    np.save(tmp_path / 'E.npy', np.arange(8.0).reshape(4, 2))
    return tmp_path, videos


def run(folder, features, **kwargs):
    return import_arrays(
        folder / 'out',
        features=features,
        lists=folder / 'lists',
        class_embeddings=folder / 'E.npy',
        **{'shots': [1, 2], **kwargs},
    )


def save_npz(folder, videos, layout='object'):
    arrays = {}
    for key in ('audio', 'visual'):
        sequences = [arrays_[key] for arrays_ in videos.values()]
        if layout == 'object':
            arrays[key] = np.empty(len(videos), object)
            for i, sequence in enumerate(sequences):
                arrays[key][i] = sequence
        else:
            arrays[key], arrays[f'{key}_len'] = np.concatenate(sequences), [len(sequence) for sequence in sequences]
    np.savez(folder / 'F.npz', video_id=list(videos), **arrays)
    return folder / 'F.npz'


def save_folder(folder, videos):
    for video, arrays in videos.items():
        for key, array in arrays.items():
            (folder / 'F' / key).mkdir(parents=True, exist_ok=True)
            np.save(folder / 'F' / key / f'{video}.npy', array)
    return folder / 'F'


@pytest.mark.parametrize('layout', ['object', 'packed', 'folder'])
def test_ones_own_features_arrive_whole_in_every_layout(own, layout):
    folder, videos = own
    path = save_folder(folder, videos) if layout == 'folder' else save_npz(folder, videos, layout)
    store = FeatureStore(run(folder, path, seconds_per_step=dict(audio=0.5)), verify=True)
    assert len(store) == len(videos) and store.shots() == [1, 2] and store.name == 'out'
    assert {key: m.seconds_per_step for key, m in store.modalities.items()} == {'audio': 0.5, 'visual': 1.0}
    for i, video in enumerate(store.video_ids.tolist()):
        assert store.class_names[store.labels[i]] == video[-2]
        for key, array in videos[video].items():
            np.testing.assert_array_equal(store.gather(key, np.array([i]))[0][0], array)


def test_class_vectors_follow_the_classes_file(own):
    folder, videos = own
    (folder / 'lists' / 'classes.csv').write_text('label,text\nd,a dog\nunused,?\nb,bee\na,ant\nc,cat\n')
    np.save(folder / 'E.npy', np.arange(5.0)[:, None])
    store = FeatureStore(run(folder, save_folder(folder, videos)))
    assert store.class_names == ['d', 'b', 'a', 'c'] and store.class_texts == ['a dog', 'bee', 'ant', 'cat']
    assert store.class_embeddings().ravel().tolist() == [0, 2, 3, 4]


def test_one_modality_will_do(own):
    folder, videos = own
    path = save_folder(folder, videos)
    shutil.rmtree(path / 'audio')
    assert list(FeatureStore(run(folder, path)).modalities) == ['visual']


def test_listed_videos_without_features_are_refused_or_left_out_on_request(own):
    folder, videos = own
    del videos['stage_1_train_a1']
    path = save_npz(folder, videos)
    with pytest.raises(DataError, match=r"(?s)1 of the 27 videos .*--skip-missing.*'stage_1_train_a1'"):
        run(folder, path)
    store = FeatureStore(run(folder, path, skip_missing=True))
    assert len(store) == 26 and len(store.split(1, 'stage1_base')) == 5


@pytest.mark.parametrize('name', LISTS)
def test_a_list_of_which_every_video_is_missing_is_refused(own, name):
    folder, videos = own
    path = save_npz(folder, {video: arrays for video, arrays in videos.items() if not video.startswith(f'{name}_')})
    with pytest.raises(DataError, match=rf'{name}\.csv: none of its videos can be used'):
        run(folder, path, skip_missing=True)
    assert not (folder / 'out').exists()


@pytest.mark.parametrize(
    'prefix, words',
    [('stage_1_train_a', "class 'a' has no video to train on"), ('stage_1_val_unseen_c', r'stage_1_val_unseen\.csv: ')],
)
def test_a_training_class_of_which_every_video_is_missing_is_refused(own, prefix, words):
    folder, videos = own
    path = save_npz(folder, {video: arrays for video, arrays in videos.items() if not video.startswith(prefix)})
    with pytest.raises(DataError, match=words):
        run(folder, path, skip_missing=True)


def objects(*items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


@pytest.mark.parametrize(
    'values, words',
    [
        (3.0, r'shape \(\)'),
        (None, r'shape \(\)'),
        ([[1, 2], [3]], 'rows of unequal width'),
        ([], r'shape \(0,\)'),
        (np.zeros((2, 0)), r'shape \(2, 0\)'),
        ([['a', 'b']], '<U1'),
        (np.zeros((1, 2, 2)), r'shape \(1, 2, 2\)'),
    ],
)
def test_an_item_that_is_no_sequence_names_the_video(own, values, words):
    folder, videos = own
    sequences = objects(*(arrays['audio'] for arrays in videos.values()))
    sequences[0] = values
    np.savez(folder / 'F.npz', video_id=list(videos), audio=sequences)
    with pytest.raises(DataError, match=f"'{next(iter(videos))}': the audio features are .*{words}"):
        run(folder, folder / 'F.npz')


def test_a_number_in_place_of_a_sequence_names_the_video(own):
    folder, videos = own
    path = save_folder(folder, videos)
    np.save(path / 'audio' / 'stage_1_train_a1.npy', np.float32(3))
    with pytest.raises(DataError, match=r"'stage_1_train_a1': the audio features are float32 of shape \(\)"):
        run(folder, path)


@pytest.mark.parametrize(
    'ids', [lambda names: np.array([name.encode() for name in names]), lambda names: objects(*names)]
)
def test_ids_may_be_utf8_bytes_or_objects(own, ids):
    folder, videos = own
    arrays = np.load(save_npz(folder, videos, 'packed'))
    np.savez(folder / 'F.npz', **{**arrays, 'video_id': ids(list(videos))})
    assert sorted(FeatureStore(run(folder, folder / 'F.npz')).video_ids) == sorted(videos)


@pytest.mark.parametrize(
    'change, words',
    [
        (lambda videos: videos['stage_1_train_a1'].update(audio=np.full((1, 2), np.nan)), "'stage_1_train_a1': NaN"),
        (
            lambda videos: videos['stage_1_train_a1'].update(audio=np.zeros((1, 4))),
            'stage_1_train_a1.*width 4, .* 2',
        ),
    ],
)
def test_bad_features_of_ones_own_name_the_video(own, change, words):
    folder, videos = own
    change(videos)
    with pytest.raises(DataError, match=words):
        run(folder, save_npz(folder, videos))
    assert not (folder / 'out').exists()


@pytest.mark.parametrize(
    'arrays, words',
    [
        (dict(audio=np.zeros((3, 2))), r'audio has shape \(3, 2\) for 2 videos'),
        (dict(audioo=0), "Did you mean 'audio"),
        (dict(audio=np.zeros((5, 2)), audio_len=[2, 2]), 'audio_len .* add up'),
        ({}, 'at least one of audio, visual'),
        (dict(audio=np.zeros((5, 2)), audio_len=[2.7, 3]), 'audio_len .float64'),
        (dict(audio=0), r'audio has shape \(\)'),
        (dict(audio=np.zeros((5, 2)), audio_len=['2', '3']), 'audio_len .<U1'),
        (dict(audio=np.zeros((5, 2)), audio_len=[2**63 - 1, 2**63 - 1]), 'audio_len .int64'),
        (dict(audio=0, audio_len=[1, 1]), r'audio, shape \(\)'),
        (dict(audio=np.zeros((2, 2)), video_id='ab'), r'video_id is <U2 of shape \(\)'),
        (dict(audio=np.zeros((2, 2)), video_id=[['a'], ['b']]), r'video_id is <U1 of shape \(2, 1\)'),
        (dict(audio=np.zeros((2, 2)), video_id=[b'\xff', b'b']), 'video_id holds bytes that are not UTF-8'),
        (dict(audio=np.zeros((2, 2)), video_id=[0.5, 1.5]), 'video_id is float64'),
        (dict(audio=np.zeros((2, 2)), video_id=['a', 'a']), "video 'a' occurs twice"),
        (dict(audio=np.zeros((2, 2)), video_id=['a', 'b\rc']), 'control character'),
        (dict(audio=np.zeros((2, 2)), label=['x']), '1 label for 2 videos'),
        (dict(audio=np.zeros((2, 2)), label=[['x'], ['y']]), r'label is <U1 of shape \(2, 1\)'),
    ],
)
def test_a_malformed_npz_is_one_clear_error(own, arrays, words):
    folder, _ = own
    np.savez(folder / 'F.npz', **{'video_id': ['a', 'b'], **arrays})
    with pytest.raises(DataError, match=words):
        run(folder, folder / 'F.npz')


@pytest.mark.parametrize('shape', [(3, 2), (4, 0), (4,), ()])
def test_class_vectors_of_another_shape_are_refused(own, shape):
    folder, videos = own
    np.save(folder / 'E.npy', np.zeros(shape))
    with pytest.raises(DataError, match=r'\(4, width\) is needed'):
        run(folder, save_folder(folder, videos))


def test_groups_of_the_lists_are_kept_apart_also_where_videos_lack_features(own):
    folder, videos = own
    path = folder / 'lists' / 'stage_2_test_unseen.csv'
    rows = [(f'd{i}', 'd', group) for i, group in enumerate('xxyyz')]
    path.write_text('filename,label,group\n' + ''.join(','.join(row) + '\n' for row in rows))
    videos = {k: v for k, v in videos.items() if 'test_unseen' not in k}
    videos.update({f'd{i}': next(iter(videos.values())) for i in range(4)})  # d4 has no features.
    store = FeatureStore(run(folder, save_folder(folder, videos), shots=[1], skip_missing=True))
    group = dict(zip(('d0', 'd1', 'd2', 'd3'), 'xxyy', strict=True))
    for draw in range(3):
        (shot,), rest = (
            [group[video] for video in store.video_ids[store.split(1, name)]]
            for name in (f'stage2_novel_{draw}', f'test_novel_{draw}')
        )
        assert len(rest) == 2 and shot not in rest


def test_real_video_level_features_are_imported(shared_dir, tmp_path):
    folder = shared_dir / 'data' / 'yt8m_fsl'
    store = FeatureStore(
        import_arrays(
            tmp_path / 'yt8m',
            features=folder / 'features.npz',
            lists=folder,
            shots=[5],
            class_embeddings=folder / 'class_embeddings.npy',
            dtype='float16',
        )
    )
    source = np.load(folder / 'features.npz')
    assert len(store) == len(source['video_id']) == 4223 and set(store.lengths['visual']) == {1}
    place = {video: i for i, video in enumerate(source['video_id'].tolist())}
    order = [place[video] for video in store.video_ids.tolist()]
    assert [store.class_names[label] for label in store.labels] == source['label'][order].tolist()
    np.testing.assert_array_equal(store.gather('visual', np.arange(4223))[0][:, 0], source['visual'][order])
    np.testing.assert_array_equal(store.class_embeddings(), np.load(folder / 'class_embeddings.npy'))
