"""An import keeps an index of the videos in memory, and the features of one video at a time."""

import csv
import gc
import tracemalloc

import numpy as np
import pytest

from avzoo.importers.arrays import import_arrays
from tests.importers.own_data import LISTS

STEPS, WIDTH = 16, 256  # 16 KiB a video.
MOST = 6000  # Bytes that a further video may take: its id, class, path and place.


def write_lists(folder, number):
    """Write five lists of so many videos in all."""
    (folder / 'lists').mkdir(parents=True)
    for name, classes in LISTS.items():
        rows = [(f'{name}_{i}', classes[i % len(classes)]) for i in range(number // len(LISTS))]
        with open(folder / 'lists' / f'{name}.csv', 'w', newline='') as file:
            csv.writer(file).writerows([('filename', 'label'), *rows])
    return [f'{name}_{i}' for name in LISTS for i in range(number // len(LISTS))]


def write_npy(path, videos, array):
    (path / 'audio').mkdir(parents=True)
    for video in videos:
        np.save(path / 'audio' / f'{video}.npy', array)


def write_clips(path, videos, array):
    path.mkdir()
    for video in videos:
        np.savez(path / f'{video}.npz', audio=array)


def write_h5(path, videos, array):
    h5py = pytest.importorskip('h5py')
    with h5py.File(path, 'w') as file:
        for video in videos:
            file[f'audio/{video}'] = array


FORMS = {'npy': write_npy, 'clips': write_clips, 'one.h5': write_h5}


def peak(folder, form, number):
    videos = write_lists(folder, number)
    FORMS[form](folder / form, videos, np.ones((STEPS, WIDTH), np.float32))
    gc.collect()
    often = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # As Python has it; in the tests garbage is collected less often.
    tracemalloc.start()
    try:
        import_arrays(folder / 'out', features=folder / form, lists=folder / 'lists', shots=[1])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*often)


@pytest.mark.parametrize('form', FORMS)
def test_memory_does_not_grow_with_the_features(tmp_path, form):
    peak(tmp_path / 'first', form, 25)  # What is imported and cached the first time.
    few = peak(tmp_path / 'few', form, 50)
    # Twice: the table of Python's interned names may double in one of them.
    many = min(peak(tmp_path / name, form, 250) for name in ('many', 'again'))
    assert many - few < 200 * MOST < 200 * STEPS * WIDTH * 4 // 2
    assert few > 10_000  # It was measured.
