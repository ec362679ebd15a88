"""The released layout becomes a feature store."""

import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from avzoo.avdiff_release.features import import_released_features
from avzoo.datasets.feature_store import FeatureStore
from avzoo.protocol import split_names
from avzoo.utils.errors import DataError

SIZES = {
    'stage1_base': 24 * 16,
    'stage1_novel': 8 * 5,
    'val_base': 24 * 6,
    'val_novel': 8 * 10,
    'stage2_base': 24 * 22 + 8 * 15,
    'test_base': 32 * 6,
    **{f'stage2_novel_{d}': 6 * 5 for d in range(3)},
    **{f'test_novel_{d}': 6 * 10 for d in range(3)},
}


@pytest.fixture(scope='module')
def released(shared_dir, tmp_path_factory):
    root = tmp_path_factory.mktemp('released')
    with zipfile.ZipFile(shared_dir / 'golden' / 'avdiff_ucf' / 'dataset_small_ucf.zip') as archive:
        archive.extractall(root)
    return root


@pytest.fixture(scope='module')
def golden_store(released, tmp_path_factory):
    out = tmp_path_factory.mktemp('stores') / 'ucf'
    return FeatureStore(import_released_features(released, out), verify=True)


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


def spell_first_class(root, text, **more):
    """Give ApplyDrum another name in words, in the list of names and in the table of vectors."""
    path = root / 'class-split/ucf_w2v_class_names.csv'
    path.write_text(path.read_text().replace('apply drum,', f'{text},'))
    path = root / 'features/5-shot/text/word_embeddings_ucf_normed.npy'
    table = np.load(path, allow_pickle=True).item()
    table[text] = table.pop('apply drum')
    np.save(path, table | more)


@pytest.mark.parametrize('order', ['name', 'released'])
def test_word_vectors_by_name_or_by_the_place_of_the_spelled_out_name(own_copy, golden_store, tmp_path, order):
    own = golden_store.class_embeddings('word2vec')
    alike = FeatureStore(import_released_features(own_copy, tmp_path / 'alike', text_order=order))
    np.testing.assert_array_equal(alike.class_embeddings('word2vec'), own)
    spell_first_class(own_copy, 'zz')  # The first class, whose name in words is now the last.
    store = FeatureStore(import_released_features(own_copy, tmp_path / 'out', text_order=order))
    assert store.class_texts[0] == 'zz'
    np.testing.assert_array_equal(store.class_embeddings('word2vec'), own if order == 'name' else np.roll(own, -1, 0))


def test_places_of_word_vectors_need_one_for_each_class(own_copy, tmp_path):
    spell_first_class(own_copy, 'zz', other=np.zeros(300))
    with pytest.raises(DataError, match=r'39 vectors for the 38 classes of .*all_class\.txt'):
        import_released_features(own_copy, tmp_path / 'out', text_order='released')
    with pytest.raises(ValueError, match="choose 'name' or 'released'"):
        import_released_features(own_copy, tmp_path / 'out', text_order='sorted')


def test_videos_that_several_shots_share_are_stored_once(own_copy, tmp_path):
    for part in ('features', 'class-split'):
        shutil.copytree(own_copy / part / '5-shot', own_copy / part / '1-shot')
    store = FeatureStore(import_released_features(own_copy, tmp_path / 'out', dtype='float16'))
    assert store.shots() == [1, 5] and len(store) == 930
    np.testing.assert_array_equal(store.split(1, 'test_novel_2'), store.split(5, 'test_novel_2'))


def test_file_names_may_differ_in_case(own_copy, tmp_path):
    for modality in ('audio', 'video'):
        path = class_file(own_copy, modality)
        path.rename(path.with_name('blowbell.pkl'))
    store = FeatureStore(import_released_features(own_copy, tmp_path / 'out'))
    assert 'BlowBell' in store.class_names and 'blowbell' not in store.class_names


def test_shots_that_are_not_there_are_named(released, tmp_path):
    with pytest.raises(DataError, match=r'no 20-shot folder; it has K = \[5\]'):
        import_released_features(released, tmp_path / 'out', shots=[5, 20])
    with pytest.raises(DataError, match='no K-shot folder'):
        import_released_features(tmp_path, tmp_path / 'out')


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r'There is no folder .*/nowhere'):
        import_released_features(tmp_path / 'nowhere', tmp_path / 'store')


def test_videos_are_matched_by_name_not_by_position(own_copy, golden_store, tmp_path):
    def turn_round(content):
        for key in content:
            content[key] = content[key][::-1]

    edit(class_file(own_copy, 'video'), turn_round)
    store = FeatureStore(import_released_features(own_copy, tmp_path / 'out'))
    assert store.video_ids.tolist() == golden_store.video_ids.tolist()
    videos = store.split(5, 'stage1_novel')
    np.testing.assert_array_equal(*(one.gather('visual', videos)[0] for one in (store, golden_store)))


@pytest.mark.parametrize(
    'change, words',
    [
        (lambda content: content['features'][2].__setitem__((0, 0), np.nan), r"video 'BlowBell_\d+': NaN"),
        (lambda content: content['features'].__setitem__(1, np.zeros((3, 65), np.float32)), r'shape \(3, 65\)'),
        (lambda content: content['features'].pop(), '4 features and 5 video names'),
        (lambda content: content['video_names'].__setitem__(0, 'other'), 'hold different videos'),
        (lambda content: content.pop('features'), 'expected a dict'),
        (lambda content: content.update(features=None), 'expected a dict'),
    ],
)
def test_a_bad_class_file_is_one_clear_error_and_leaves_no_store(own_copy, tmp_path, change, words):
    edit(class_file(own_copy, 'video'), change)
    with pytest.raises(DataError, match=words):
        import_released_features(own_copy, tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['copy']


@pytest.mark.parametrize(
    'training, evaluation',
    [
        ('stage_1_train_novel', 'stage_1_val_novel'),
        ('stage_1_val_novel', 'stage_2_test_seen'),
        ('stage_2_train_novel_1', 'stage_2_test_novel_1'),
    ],
)
def test_what_is_trained_on_is_never_evaluated_on(own_copy, tmp_path, training, evaluation):
    label = sorted((own_copy / 'features/5-shot/audio' / training).glob('*.pkl'))[0].stem
    for modality in ('audio', 'video'):
        first = pickle.loads(class_file(own_copy, modality, training, label).read_bytes())
        edit(
            class_file(own_copy, modality, evaluation, label),
            lambda content, first=first: [content[key].append(first[key][0]) for key in ('features', 'video_names')],
        )
    with pytest.raises(DataError, match=rf"video '{label}_\d+' lies in {training}, .* and in {evaluation}, "):
        import_released_features(own_copy, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_missing_class_file_is_named(own_copy, tmp_path):
    class_file(own_copy).unlink()
    with pytest.raises(DataError, match="no file for class 'BlowBell'"):
        import_released_features(own_copy, tmp_path / 'out')


class Hostile:
    def __reduce__(self):
        return os.system, ('touch ran',)


def test_a_hostile_class_file_runs_nothing(own_copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edit(class_file(own_copy), lambda content: content.update(fps=Hostile()))
    with pytest.raises(DataError, match=r'BlowBell\.pkl: the pickle asks for \w+\.system'):
        import_released_features(own_copy, tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['copy']


@pytest.mark.parametrize('vector', [np.full(300, 1e39), np.full(300, 1j), np.full(300, '1.0'), np.full(300, np.nan)])
def test_word_vectors_are_checked_before_they_are_converted(released, tmp_path, vector):
    root = shutil.copytree(released, tmp_path / 'copy')
    path = root / 'features/5-shot/text/word_embeddings_ucf_normed.npy'
    table = np.load(path, allow_pickle=True).item()
    table['apply drum'] = vector
    np.save(path, table)
    with pytest.raises(DataError, match=r'class embeddings|word vectors'):
        import_released_features(root, tmp_path / 'store')
