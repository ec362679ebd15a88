"""Features and lists of unknown origin lead to no file outside of their folder, and to one error each."""

import csv
import os

import numpy as np
import pytest

from avzoo.importers.array_features import ArrayFeatures
from avzoo.importers.arrays import import_arrays
from avzoo.importers.clips import ClipReader, check_clips, read_clip
from avzoo.utils.errors import DataError
from tests.importers.own_data import LISTS


@pytest.fixture
def folder(tmp_path):
    """Lists of four classes, and a file of features for each video."""
    for key, dim in (('audio', 2), ('visual', 3)):
        for name, classes in LISTS.items():
            for video in (f'{name}_{label}{i}' for label in classes for i in range(3)):
                path = tmp_path / 'features' / key / f'{video}.npy'
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, np.random.default_rng(len(video)).random((2, dim)))
    (tmp_path / 'lists').mkdir()
    for name, classes in LISTS.items():
        write_list(tmp_path, name, [(f'{name}_{label}{i}', label) for label in classes for i in range(3)])
    np.save(tmp_path / 'E.npy', np.arange(8.0).reshape(4, 2))
    return tmp_path


def write_list(folder, name, rows):
    with open(folder / 'lists' / f'{name}.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('filename', 'label'), *rows])


def run(folder):
    return import_arrays(
        folder / 'out',
        features=folder / 'features',
        lists=folder / 'lists',
        class_embeddings=folder / 'E.npy',
        shots=[1],
    )


@pytest.mark.parametrize(
    'video', ['../../secret', '../visual/stage_1_train_a0', '{root}/secret', './stage_1_train_a0', 'x//y', '..']
)
def test_an_id_of_a_list_reads_nothing_outside_of_the_folder(folder, video, monkeypatch):
    np.save(folder / 'secret.npy', np.ones((2, 2)))
    video = video.format(root=folder)
    write_list(folder, 'stage_1_train', [(video, 'a'), ('stage_1_train_b0', 'b')])
    opened = []
    monkeypatch.setattr('avzoo.importers.array_folder.load_npy', lambda path: opened.append(path))
    with pytest.raises(DataError, match=r'features: video .* cannot be the name of a file'):
        run(folder)
    with pytest.raises(DataError, match='cannot be the name of a file'):
        ArrayFeatures(folder / 'features').read(video)
    assert opened == [] and not (folder / 'out').exists()


def test_an_id_may_name_a_file_of_a_subfolder(folder):
    for key in ('audio', 'visual'):
        source = folder / 'features' / key / 'stage_1_train_a0.npy'
        (folder / 'features' / key / 'a').mkdir()
        source.rename(folder / 'features' / key / 'a' / '0.npy')
    rows = [(f'stage_1_train_{label}{i}', label) for label in 'ab' for i in range(3)]
    write_list(folder, 'stage_1_train', [('a/0', 'a'), *rows[1:]])
    assert (run(folder) / 'store.json').is_file()


def test_both_modalities_have_their_own_folder(folder):
    for path in (folder / 'features' / 'visual').iterdir():
        path.unlink()
    (folder / 'features' / 'visual').rmdir()
    (folder / 'features' / 'visual').symlink_to('audio')
    with pytest.raises(DataError, match='audio and visual are the same folder'):
        run(folder)


@pytest.mark.parametrize('value', [1e39, 1e30, np.nan])
def test_class_vectors_are_checked_before_they_are_converted(folder, value):
    np.save(folder / 'E.npy', np.array([[0, 1], [1, 0], [1, value], [2, 2]]))
    with pytest.raises(DataError, match="in the vectors of 'c'"):
        run(folder)


@pytest.mark.parametrize('name', ['features/audio/stage_1_train_a0.npy', 'E.npy', 'lists/stage_1_train.csv'])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(DataError):
        run(folder)


@pytest.mark.parametrize('rows, right', [([[1.0, 2.0], [3.0, 4.0]], True), ([[1.0, 2.0], [3.0]], False)])
def test_a_clip_of_python_objects_is_one_of_numbers(tmp_path, rows, right):
    array = np.empty(2, object)
    array[:] = [np.array(row) for row in rows]
    np.savez(tmp_path / 'a.npz', audio=array)
    if right:
        assert read_clip(tmp_path / 'a.npz')['audio'].tolist() == rows
    else:
        with pytest.raises(DataError, match=r'a\.npz: audio has rows of unequal width'):
            read_clip(tmp_path / 'a.npz')


def test_a_pipe_is_not_a_clip(tmp_path):
    os.mkfifo(tmp_path / 'x.npz')
    with pytest.raises(DataError, match=r'x\.npz is not a file'):
        ClipReader(tmp_path / 'x.npz')
    with pytest.raises(DataError, match=r'x\.npz is not a file'):
        ClipReader(tmp_path).read('x')


@pytest.mark.parametrize('array', [np.float32(1), np.array(None, dtype=object), np.ones((2, 3, 4))])
def test_a_clip_of_another_shape_is_refused_where_it_is_read(tmp_path, array):
    np.savez(tmp_path / 'x.npz', audio=array)
    with pytest.raises(DataError, match=r'x\.npz: audio has shape'):
        ClipReader(tmp_path / 'x.npz')


@pytest.mark.parametrize('value', [1e39, -1e39, 1e30, np.inf])
def test_features_of_a_clip_are_checked_before_they_are_converted(value):
    with pytest.raises(DataError, match=r"Clip 'x'.* in its audio features"):
        check_clips([{'audio': np.full((2, 3), value)}], {'audio': 3}, ['x'])
