"""HDF5 files of others take no more memory than they account for."""

import os

import numpy as np
import pytest

from avzoo.readers.h5_arrays import read_h5
from avzoo.utils.errors import DataError

h5py = pytest.importorskip('h5py')


def test_arrays_are_read(tmp_path):
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file['a'] = np.arange(6).reshape(2, 3)
        file.create_dataset('b', data=np.zeros((1000, 100)), compression='gzip')
    found = read_h5(tmp_path / 'x.h5', ['a', 'b'])
    assert found['a'].tolist() == [[0, 1, 2], [3, 4, 5]] and found['b'].shape == (1000, 100)


@pytest.mark.parametrize('kind', ['unallocated', 'fill value', 'chunks'])
def test_a_small_file_that_claims_gigabytes_is_refused(tmp_path, kind):
    options = {'unallocated': {}, 'fill value': dict(fillvalue=1.0), 'chunks': dict(chunks=(1 << 16,))}[kind]
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file.create_dataset('a', shape=(1 << 27,), dtype='f8', **options)
    assert (tmp_path / 'x.h5').stat().st_size < 10_000
    with pytest.raises(DataError, match='out of proportion'):
        read_h5(tmp_path / 'x.h5', ['a'])


def test_what_holds_no_array_is_refused(tmp_path):
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        file['a'] = h5py.Empty('f4')
    with pytest.raises(DataError, match='not an array'):
        read_h5(tmp_path / 'x.h5', ['a'])
    os.mkfifo(tmp_path / 'pipe.h5')
    with pytest.raises(DataError, match='not a file'):
        read_h5(tmp_path / 'pipe.h5', ['a'])


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / 'x.h5').symlink_to(tmp_path / 'x.h5')
    for name in ('x.h5', 'absent.h5'):
        with pytest.raises(DataError, match=f'{name} cannot be read'):
            read_h5(tmp_path / name, ['a'])
