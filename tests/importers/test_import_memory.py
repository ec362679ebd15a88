"""An import keeps an index of the videos in memory, never their features."""

import csv
import tracemalloc

import numpy as np

from avzoo.importers.arrays import import_arrays
from tests.importers.own_data import LISTS, write_folder

_STEPS = 400  # 22 kB of features a video.


def peak_of_an_import(folder, per_class):
    """Import so many videos of each class and return the peak of memory in bytes, and how many videos that were."""
    folder.mkdir()
    ids = {name: [(f'{name}_{c}{i}', c) for c in classes for i in range(per_class)] for name, classes in LISTS.items()}
    (folder / 'lists').mkdir()
    for name, rows in ids.items():
        with open(folder / 'lists' / f'{name}.csv', 'w', newline='') as file:
            csv.writer(file).writerows([('filename', 'label'), *rows])
    videos = [video for rows in ids.values() for video, _ in rows]
    rng = np.random.default_rng(0)
    arrays = {
        key: {v: rng.random((_STEPS, dim), np.float32) for v in videos} for key, dim in dict(audio=6, visual=8).items()
    }
    write_folder(folder / 'F', arrays)
    del arrays
    tracemalloc.start()
    try:
        import_arrays(folder / 'out', features=folder / 'F', lists=folder / 'lists', shots=(1,))
        return tracemalloc.get_traced_memory()[1], len(videos)
    finally:
        tracemalloc.stop()


def test_memory_grows_by_an_index_not_by_features(tmp_path):
    few, small = peak_of_an_import(tmp_path / 'few', 5)
    many, large = peak_of_an_import(tmp_path / 'many', 30)
    assert (many - few) / (large - small) < 6000  # Bytes a video, of 22,400 that its features have.
