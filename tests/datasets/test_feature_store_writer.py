"""What a writer of feature stores refuses, and what it then leaves behind."""

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.store_format import npy_header
from avzoo.utils.errors import DataError
from tests.datasets.small_store import CLASSES, MODALITIES, make_videos, write


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_features_that_are_not_numbers_are_refused_with_the_video(tmp_path, value):
    videos = make_videos()
    videos['video, 4']['audio'][-1, -1] = value
    with pytest.raises(DataError, match="'video, 4': NaN or infinity in its audio"):
        write(tmp_path / 'store', videos)


@pytest.mark.parametrize(
    'array, words',
    [
        (np.zeros((2, 4)), r'shape \(2, 4\)'),
        (np.zeros((0, 3)), r'shape \(0, 3\)'),
        (np.zeros(3), r'shape \(3,\)'),
        (np.full((1, 3), 1e5), 'beyond the range of float16'),
        (np.full((1, 3), -5e-5), 'below 6e-05 only, of which float16 keeps next to nothing'),
        (np.array([['a'] * 3]), 'not numbers'),
        (np.ma.masked_array(np.ones((2, 3)), np.eye(2, 3)), 'masked'),
    ],
)
def test_sequences_that_do_not_fit_are_refused_with_the_video(tmp_path, array, words):
    videos = make_videos()
    videos['video, 2']['audio'] = array
    with pytest.raises(DataError, match=f"'video, 2'.*{words}"):
        write(tmp_path / 'store', videos, dtype='float16')


def test_zeros_and_small_numbers_beside_others_are_stored_in_half_precision(tmp_path):
    videos = make_videos()
    videos['video, 2']['audio'] = np.zeros((1, 3))
    videos['video, 3']['audio'] = np.array([[1e-8, 0.5, 0.0]])
    write(tmp_path / 'store', videos, dtype='float16')
    assert len(FeatureStore(tmp_path / 'store')) == len(videos)


def test_features_whose_norm_would_overflow_are_refused_with_the_video(tmp_path):
    videos = make_videos()
    videos['video, 2']['audio'] = np.full((1, 3), -1e30)
    with pytest.raises(DataError, match=r"'video, 2': numbers beyond 1e\+15.* audio features"):
        write(tmp_path / 'store', videos)


def test_a_video_comes_once_and_has_a_known_class_and_every_modality(tmp_path):
    arrays = make_videos()['video, 0']
    with FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES) as writer:
        writer.add('a', 'tap', arrays)
        for video, label, features, words in [
            ('a', 'tap', arrays, 'twice'),
            ('b', 'tab', arrays, "mean 'tap'"),
            ('b', 'tap', {'audio': arrays['audio']}, 'needs'),
            ('b\nc', 'tap', arrays, 'line break'),
            ('b\rc', 'tap', arrays, 'control'),
            ('b\0c', 'tap', arrays, 'control'),
            (' b', 'tap', arrays, 'white'),
        ]:
            with pytest.raises(DataError, match=words):
                writer.add(video, label, features)


@pytest.mark.parametrize(
    'changes, words',
    [
        (dict(classes=['tap', 'tap']), "class 'tap' occurs twice"),
        (dict(classes=['tap', 'a\rb']), 'control character'),
        (dict(texts=['a', 'b\rb', 'c']), 'control character'),
        (dict(texts=['a']), '3 classes and 1 texts'),
        (dict(modalities={"a': print()": dict(dim=1, seconds_per_step=1.0)}), 'letters, digits'),
        (dict(modalities=dict(audio=dict(dim=0, seconds_per_step=1.0))), 'width 0'),
        (dict(modalities=dict(audio=dict(dim=1, seconds_per_step=86_401))), '86401 seconds per step; .* up to 86,400'),
        (dict(modalities=dict(audio=dict(dim=1, seconds_per_step=float('nan')))), 'nan seconds per step'),
    ],
)
def test_what_a_reader_would_refuse_is_not_written(tmp_path, changes, words):
    with pytest.raises(DataError, match=words):
        FeatureStoreWriter(tmp_path / 'store', **dict(name='x', modalities=MODALITIES, classes=CLASSES) | changes)
    assert not list(tmp_path.iterdir())


def test_a_split_lists_a_video_once(tmp_path):
    with (
        pytest.raises(DataError, match="1-shot split stage1_base: video 'v' occurs twice"),
        FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES) as writer,
    ):
        writer.add('v', CLASSES[0], {name: np.ones((1, entry['dim'])) for name, entry in MODALITIES.items()})
        writer.write_splits(1, {'stage1_base': ['v', 'v']})


def test_class_vectors_have_a_width(tmp_path):
    with (
        FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES) as writer,
        pytest.raises(DataError, match=r'shape \(3, 0\)'),
    ):
        writer.write_class_embeddings('text', np.zeros((3, 0)))


def test_a_store_below_a_file_is_refused(tmp_path):
    (tmp_path / 'file').write_text('')
    for out in (tmp_path / 'file' / 'store', tmp_path / 'file' / 'deep' / 'store'):
        with pytest.raises(DataError, match='is a file'):
            write(out)


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
    with pytest.raises(DataError, match='holds other files'):
        write(tmp_path)
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


def test_the_array_files_are_plain_npy(root, tmp_path):
    wanted = np.concatenate([arrays['visual'] for arrays in make_videos().values()])
    np.testing.assert_array_equal(np.load(root / 'visual.npy'), wanted)
    assert len(npy_header('float16', (0, 1))) == len(npy_header('float32', (10**15, 10**6))) == 128
