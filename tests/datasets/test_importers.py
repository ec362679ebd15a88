"""The released layout and features of one's own become feature stores."""

import csv
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.importers.arrays import import_arrays
from avzoo.datasets.importers.official import import_official
from avzoo.datasets.store_format import split_names
from avzoo.utils.errors import DataError

SIZES = {'stage1_base': 24 * 16, 'stage1_novel': 8 * 5, 'val_base': 24 * 6, 'val_novel': 8 * 10,
         'stage2_base': 24 * 22 + 8 * 15, 'test_base': 32 * 6,
         **{f'stage2_novel_{d}': 6 * 5 for d in range(3)}, **{f'test_novel_{d}': 6 * 10 for d in range(3)}}


@pytest.fixture(scope='module')
def released(shared_dir, tmp_path_factory):
    root = tmp_path_factory.mktemp('released')
    with zipfile.ZipFile(shared_dir / 'golden' / 'avdiff_ucf' / 'dataset_small_ucf.zip') as archive:
        archive.extractall(root)
    return root


@pytest.fixture(scope='module')
def golden_store(released, tmp_path_factory):
    out = tmp_path_factory.mktemp('stores') / 'ucf'
    return FeatureStore(import_official(released, out), verify=True)


@pytest.fixture
def own_copy(released, tmp_path):
    shutil.copytree(released, tmp_path / 'copy')
    return tmp_path / 'copy'


def class_file(root, modality='audio', folder='stage_1_train_novel', label='BlowBell'):
    return root / 'features/5-shot' / modality / folder / f'{label}.pkl'


def edit(path, change):
    content = pickle.loads(path.read_bytes())
    change(content)
    path.write_bytes(pickle.dumps(content))


def test_the_released_layout_gives_every_split_in_full(golden_store):
    assert golden_store.name == 'ucf_fsl' and golden_store.shots() == [5] and len(golden_store) == 930
    assert sorted(SIZES) == sorted(split_names())
    for name, size in SIZES.items():
        assert len(golden_store.split(5, name)) == size, name


def test_labels_and_vectors_are_those_of_the_released_code(golden_store, shared_dir):
    golden = np.load(shared_dir / 'golden' / 'avdiff_ucf' / 'inputs.npz')
    assert golden_store.class_names == golden['all_class_names'].tolist()
    np.testing.assert_array_equal(golden_store.class_embeddings('word2vec'), golden['text_by_class_id'])
    place = {video: i for i, video in enumerate(golden_store.video_ids)}
    for prefix in ('', 'novel_', 'base_'):
        videos = np.array([place[video] for video in golden[f'{prefix}video_names']])
        np.testing.assert_array_equal(golden_store.labels[videos], golden[f'{prefix}target_class_id'])
        for ours, theirs in (('audio', 'audio'), ('visual', 'video')):
            features, lengths = golden_store.gather(ours, videos)
            np.testing.assert_array_equal(features, golden[f'{prefix}{theirs}'])
            np.testing.assert_array_equal(lengths, golden[f'{prefix}{theirs}_mask'].sum(axis=1))


def test_class_texts_are_the_names_in_words(golden_store):
    assert dict(zip(golden_store.class_names, golden_store.class_texts, strict=True))['ApplyDrum'] == 'apply drum'


def test_videos_that_several_shots_share_are_stored_once(own_copy, tmp_path):
    for part in ('features', 'class-split'):
        shutil.copytree(own_copy / part / '5-shot', own_copy / part / '1-shot')
    store = FeatureStore(import_official(own_copy, tmp_path / 'out', dtype='float16'))
    assert store.shots() == [1, 5] and len(store) == 930
    np.testing.assert_array_equal(store.split(1, 'test_novel_2'), store.split(5, 'test_novel_2'))


def test_file_names_may_differ_in_case(own_copy, tmp_path):
    for modality in ('audio', 'video'):
        path = class_file(own_copy, modality)
        path.rename(path.with_name('blowbell.pkl'))
    store = FeatureStore(import_official(own_copy, tmp_path / 'out'))
    assert 'BlowBell' in store.class_names and 'blowbell' not in store.class_names


def test_shots_that_are_not_there_are_named(released, tmp_path):
    with pytest.raises(DataError, match=r'no 20-shot folder; it has K = \[5\]'):
        import_official(released, tmp_path / 'out', shots=[5, 20])
    with pytest.raises(DataError, match='no K-shot folder'):
        import_official(tmp_path, tmp_path / 'out')


def test_videos_are_matched_by_name_not_by_position(own_copy, golden_store, tmp_path):
    def turn_round(content):
        for key in content:
            content[key] = content[key][::-1]
    edit(class_file(own_copy, 'video'), turn_round)
    store = FeatureStore(import_official(own_copy, tmp_path / 'out'))
    assert store.video_ids.tolist() == golden_store.video_ids.tolist()
    videos = store.split(5, 'stage1_novel')
    np.testing.assert_array_equal(*(one.gather('visual', videos)[0] for one in (store, golden_store)))


@pytest.mark.parametrize('change, words', [
    (lambda content: content['features'][2].__setitem__((0, 0), np.nan), r"video 'BlowBell_\d+': NaN"),
    (lambda content: content['features'].__setitem__(1, np.zeros((3, 65), np.float32)), r'shape \(3, 65\)'),
    (lambda content: content['features'].pop(), '4 features and 5 video names'),
    (lambda content: content['video_names'].__setitem__(0, 'other'), 'hold different videos'),
    (lambda content: content.pop('features'), 'expected a dict')])
def test_a_bad_class_file_is_one_clear_error_and_leaves_no_store(own_copy, tmp_path, change, words):
    edit(class_file(own_copy, 'video'), change)
    with pytest.raises(DataError, match=words):
        import_official(own_copy, tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['copy']


def test_a_missing_class_file_is_named(own_copy, tmp_path):
    class_file(own_copy).unlink()
    with pytest.raises(DataError, match="no file of class 'BlowBell'"):
        import_official(own_copy, tmp_path / 'out')


class Hostile:
    def __reduce__(self):
        return os.system, ('touch ran',)


def test_a_hostile_class_file_runs_nothing(own_copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edit(class_file(own_copy), lambda content: content.update(fps=Hostile()))
    with pytest.raises(DataError, match=r'BlowBell\.pkl: the pickle asks for \w+\.system'):
        import_official(own_copy, tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['copy']


# Features of one's own --------------------------------------------------------------------------------------------

LISTS = {'stage_1_train': 'ab', 'stage_1_val_seen': 'ab', 'stage_1_val_unseen': 'c', 'stage_2_test_seen': 'abc',
         'stage_2_test_unseen': 'd'}


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
                    videos[f'{name}_{label}{i}'] = {'audio': rng.random((rng.integers(1, 4), 2), np.float32),
                                                    'visual': rng.random((rng.integers(1, 4), 3), np.float32)}
    np.save(tmp_path / 'E.npy', np.arange(8.0).reshape(4, 2))
    return tmp_path, videos


def run(folder, features, **kwargs):
    return import_arrays(folder / 'out', features=features, lists=folder / 'lists',
                         class_embeddings=folder / 'E.npy', **{'shots': [1, 2], **kwargs})


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
    with pytest.raises(DataError, match=r"1 of the 27 videos .* 'stage_1_train_a1'.*--skip-missing"):
        run(folder, path)
    store = FeatureStore(run(folder, path, skip_missing=True))
    assert len(store) == 26 and len(store.split(1, 'stage1_base')) == 5


@pytest.mark.parametrize('change, words', [
    (lambda videos: videos['stage_1_train_a1'].update(audio=np.full((1, 2), np.nan)), "'stage_1_train_a1': NaN"),
    (lambda videos: videos['stage_1_train_a1'].update(audio=np.zeros((1, 4))), r"'stage_1_train_a1'.*\(1, 4\)")])
def test_bad_features_of_ones_own_name_the_video(own, change, words):
    folder, videos = own
    change(videos)
    with pytest.raises(DataError, match=words):
        run(folder, save_npz(folder, videos))
    assert not (folder / 'out').exists()


@pytest.mark.parametrize('arrays, words', [
    (dict(audio=np.zeros((3, 2))), r'audio has shape \(3, 2\) for 2 videos'), (dict(audioo=0), "Did you mean 'audio"),
    (dict(audio=np.zeros((5, 2)), audio_len=[2, 2]), 'sum up'), ({}, 'at least one of audio, visual')])
def test_a_malformed_npz_is_one_clear_error(own, arrays, words):
    folder, _ = own
    np.savez(folder / 'F.npz', video_id=['a', 'b'], **arrays)
    with pytest.raises(DataError, match=words):
        run(folder, folder / 'F.npz')


def test_class_vectors_of_another_count_are_refused(own):
    folder, videos = own
    np.save(folder / 'E.npy', np.zeros((3, 2)))
    with pytest.raises(DataError, match=r'\(4, width\) is needed'):
        run(folder, save_folder(folder, videos))


def test_real_video_level_features_are_imported(shared_dir, tmp_path):
    folder = shared_dir / 'data' / 'yt8m_fsl'
    store = FeatureStore(import_arrays(tmp_path / 'yt8m', features=folder / 'features.npz', lists=folder, shots=[5],
                                       class_embeddings=folder / 'class_embeddings.npy', dtype='float16'))
    source = np.load(folder / 'features.npz')
    assert len(store) == len(source['video_id']) == 4223 and set(store.lengths['visual']) == {1}
    place = {video: i for i, video in enumerate(source['video_id'].tolist())}
    order = [place[video] for video in store.video_ids.tolist()]
    assert [store.class_names[label] for label in store.labels] == source['label'][order].tolist()
    np.testing.assert_array_equal(store.gather('visual', np.arange(4223))[0][:, 0], source['visual'][order])
    np.testing.assert_array_equal(store.class_embeddings(), np.load(folder / 'class_embeddings.npy'))
