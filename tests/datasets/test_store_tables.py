"""Tables and lists of a store are read once in a process, and again when their files change."""

import copy
import csv
import gc
import os
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from avzoo.datasets import store_tables
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.store_format import write_csv
from avzoo.utils.errors import DataError
from tests.datasets.small_store import make_videos, write


@pytest.fixture
def reads(monkeypatch):
    """The tables and lists that are read."""
    found: list[str] = []
    for name in ('read_videos', 'read_lines'):
        original = getattr(store_tables, name)
        monkeypatch.setattr(
            store_tables, name, lambda path, *args, of=original: (found.append(path.name), of(path, *args))[1]
        )
    store_tables._kept.clear()
    return found


@pytest.fixture
def settled(monkeypatch):
    """Takes every file for old enough for a change to show in its times; the tests see to it that it does."""
    monkeypatch.setattr(store_tables, '_SETTLED', 0)


@pytest.fixture
def store(tmp_path, settled):
    """A store whose tables are kept."""
    write(tmp_path / 'store')
    for path in (tmp_path / 'store').rglob('*'):
        age(path)
    return tmp_path / 'store'


def age(path, seconds=60):
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - seconds * 10**9))


def read_rows(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.reader(file))


def name_of_list(store):
    return next(iter(sorted((store / 'splits').rglob('*.txt')))).stem


def test_a_store_that_is_opened_again_is_not_read_again(store, reads):
    shots = FeatureStore(store).shots()[0]
    wanted = [FeatureStore(store).split(shots, name_of_list(store)) for _ in range(3)]
    assert sorted(reads) == sorted(['store', f'{name_of_list(store)}.txt'])
    np.testing.assert_array_equal(wanted[0], wanted[2])
    wanted[0][:] = -1
    assert (FeatureStore(store).split(shots, name_of_list(store)) >= 0).all()


def test_a_changed_table_is_noticed_and_a_changed_list(store, reads):
    shots, name = FeatureStore(store).shots()[0], name_of_list(store)
    labels, videos = FeatureStore(store).labels, FeatureStore(store).split(shots, name)
    header, first, second, *others = read_rows(store / 'videos.csv')
    place = header.index('label')
    first[place], second[place] = second[place], first[place]
    write_csv(store / 'videos.csv', header, [first, second, *others])  # The same size.
    path = store / 'splits' / f'{shots}shot' / f'{name}.txt'
    path.write_text('\n'.join(reversed(path.read_text().splitlines())) + '\n')
    assert FeatureStore(store).labels[:2].tolist() == labels[:2].tolist()[::-1]
    assert FeatureStore(store).split(shots, name).tolist() == videos.tolist()[::-1]


@pytest.mark.parametrize('aged', [False, True])
def test_what_was_just_written_is_read_each_time_whatever_time_it_keeps(aged, tmp_path, reads):
    write(tmp_path / 'store')
    for path in (tmp_path / 'store').rglob('*') if aged else ():
        age(path)  # As a copy with the times of the original.
    FeatureStore(tmp_path / 'store'), FeatureStore(tmp_path / 'store')
    assert reads == ['store', 'store']


def test_a_store_in_the_place_of_another_is_read(store, reads):
    before = FeatureStore(store).lengths['audio']
    shutil.rmtree(store)
    write(store, make_videos(seed=1))
    assert not np.array_equal(FeatureStore(store).lengths['audio'], before) and reads == ['store', 'store']


def test_files_of_equal_numbers_in_two_folders_are_read_twice(store, reads, monkeypatch):
    shutil.copytree(store, store.parent / 'other')
    monkeypatch.setattr(store_tables, '_stamps_of', lambda *paths: ((0, 0, 1, 2, 3),))
    FeatureStore(store), FeatureStore(store.parent / 'other'), FeatureStore(store)
    assert reads == ['store', 'other']


def test_threads_share_the_tables(store, reads):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: FeatureStore(store)._tables, range(32)))
    assert reads == ['store'] and len(set(map(id, found))) == 1


def test_a_table_that_has_gone_is_missed(store):
    FeatureStore(store)
    (store / 'videos.csv').unlink()
    with pytest.raises(DataError, match=r'videos\.csv'):
        FeatureStore(store)


def test_shared_tables_cannot_be_changed_and_are_not_copied(store):
    one, other = FeatureStore(store), FeatureStore(store)
    with pytest.raises(ValueError, match='read-only'):
        one.labels[0] = 2
    assert one.video_ids is other.video_ids
    assert copy.deepcopy(one)._tables is one._tables
    one.class_names.append('another')
    assert 'another' not in other.class_names


def test_memory_does_not_grow_with_the_number_of_stores(tmp_path, reads, settled):
    found = []
    for i in range(7):
        write(tmp_path / str(i))
        for path in (tmp_path / str(i)).rglob('*'):
            age(path)
        found.append(weakref.ref(FeatureStore(tmp_path / str(i))._tables))
    gc.collect()
    assert len([one for one in found if one() is not None]) == 4
