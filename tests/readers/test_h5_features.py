"""Features in an HDF5 file are read one video at a time, and the file is closed whatever comes."""

import numpy as np
import pytest

from avzoo.readers.h5_features import read_h5_layout
from avzoo.utils.errors import DataError

h5py = pytest.importorskip('h5py')
KEYS = ('audio', 'visual')


@pytest.fixture
def path(tmp_path):
    """A file that the library refuses to open for writing while anything else has it open."""
    yield tmp_path / 'x.h5'
    with h5py.File(tmp_path / 'x.h5', 'a'):
        pass


def write(path, **arrays):
    with h5py.File(path, 'w') as file:
        for name, array in arrays.items():
            file[name] = array


def test_a_file_of_arrays_is_closed(path):
    write(path, audio=np.zeros((2, 3)))
    assert read_h5_layout(path, KEYS)['audio'].shape == (2, 3)


def test_a_file_with_an_array_for_each_video_is_closed_while_it_is_in_use(path):
    write(path, **{'audio/a/b': np.ones((2, 3)), 'audio/c': np.zeros(3)})
    found = read_h5_layout(path, KEYS)
    assert list(found) == ['audio'] and list(found['audio']) == ['a/b', 'c']
    assert found['audio']['a/b'].tolist() == [[1, 1, 1]] * 2
    with h5py.File(path, 'a') as file:
        file['audio/c'][:] = 5
    assert found['audio']['c'].tolist() == [5, 5, 5]
    with h5py.File(path, 'a') as file:
        del file['audio/c']
    with pytest.raises(DataError, match='no data set') as kept:
        found['audio']['c']
    with h5py.File(path, 'a'):  # Though the error is still held, and with it the frames that it passed.
        assert kept.tb is not None


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'audio': np.zeros((2, 3)), 'visual/a': np.zeros((2, 3))}, 'Save both in the same way'),
        ({'audio': h5py.Empty('f4')}, 'not an array'),
    ],
)
def test_a_file_that_is_refused_is_closed_though_the_error_is_kept(path, arrays, message):
    write(path, **arrays)
    with pytest.raises(DataError, match=message) as kept:
        read_h5_layout(path, KEYS)
    with h5py.File(path, 'a'):
        assert kept.tb is not None


def test_a_damaged_file_is_closed_though_the_error_is_kept(tmp_path, monkeypatch):
    write(tmp_path / 'x.h5', audio=np.zeros(3))

    def fail(self, visit):
        raise RuntimeError('a damaged tree')

    monkeypatch.setattr(h5py.File, 'visititems', fail)
    with pytest.raises(DataError, match='not a complete HDF5 file: a damaged tree') as kept:
        read_h5_layout(tmp_path / 'x.h5', KEYS)
    with h5py.File(tmp_path / 'x.h5', 'a'):
        assert kept.tb is not None
