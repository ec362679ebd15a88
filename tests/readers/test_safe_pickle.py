"""Pickles are read as data: nothing that they name is run."""

import io
import os
import pickle
import struct

import numpy as np
import pytest

from avzoo.readers import safe_pickle
from avzoo.readers.safe_pickle import load_npy, load_npz, load_pickle
from avzoo.readers.zip_checks import MAX_RATIO, RATIO_MATTERS_FROM
from avzoo.utils.errors import DataError


class Hostile:
    """An object whose pickle calls a function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def plain_data():
    rng = np.random.default_rng(0)
    return {
        'features': [rng.integers(0, 255, (3, 4)).astype(np.uint8), np.asfortranarray(rng.random((2, 3)))],
        'ragged': np.array([np.zeros(2), np.ones((3, 1), np.float16), None], dtype=object),
        'fps': [25.0, np.float32(29.97), np.int64(3)],
        'names': ('a', 'ü'),
        'objects': np.asfortranarray(np.array([[1, 'a', None], [2.5, 'b', 4]], dtype=object)),
        'empty': np.zeros((0, 4), np.float32),
        'text': np.array(['ab', 'c']),
        'swapped': np.arange(3, dtype='>i4'),
        'flag': True,
        'none': None,
    }


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
    return type(a) is type(b) and a == b


@pytest.mark.parametrize('protocol', range(2, 6))
def test_plain_data_is_read_in_every_protocol(tmp_path, protocol):
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(plain_data(), protocol))
    assert same(plain_data(), load_pickle(tmp_path / 'x.pkl'))


def test_files_of_numpy_1_are_read(tmp_path):
    data = pickle.dumps(plain_data(), 2)
    old = data.replace(b'numpy._core.', b'numpy.core.')
    assert old != data
    (tmp_path / 'x.pkl').write_bytes(old)
    assert same(plain_data(), load_pickle(tmp_path / 'x.pkl'))


def test_files_of_python_2_are_read(tmp_path):
    (tmp_path / 'x.pkl').write_bytes(
        b"(dp0\nS'a'\np1\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt"
        b"S'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\n"
        b"tbI00\nS'\\x01\\xff'\ntbs."
    )
    assert same({'a': np.array([1, 255], np.uint8)}, load_pickle(tmp_path / 'x.pkl'))


@pytest.mark.parametrize('function', [os.system, eval, exec, getattr, print, np.load, __import__, bytearray])
@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(tmp_path, monkeypatch, function, protocol):
    monkeypatch.chdir(tmp_path)
    data = {'features': [np.zeros(3), Hostile(function, "open('ran', 'w')")]}
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(data, protocol))
    with pytest.raises(DataError, match=rf'x\.pkl: the pickle asks for .*{function.__name__}.*none of it was run'):
        load_pickle(tmp_path / 'x.pkl')
    assert os.listdir(tmp_path) == ['x.pkl']


def test_a_real_attack_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save('x.npy', np.array({'a': Hostile(os.system, 'touch ran')}, dtype=object), allow_pickle=True)
    np.savez('x.npz', video_id=np.array([Hostile(os.system, 'touch ran')], dtype=object))
    for load, name in ((load_npy, 'x.npy'), (load_npz, 'x.npz')):
        with pytest.raises(DataError, match='system'):
            load(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ['x.npy', 'x.npz']


@pytest.mark.parametrize(
    'make',
    [
        lambda: np.zeros(2, [('a', 'f4'), ('b', 'O')]),
        lambda: np.zeros(2, 'M8[s]'),
        lambda: {1, 2}.__class__,
        lambda: slice(1),
        lambda: np.ma.masked_array([1]),
    ],
)
def test_what_plain_data_never_needs_is_refused(tmp_path, make):
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(make(), 4))
    with pytest.raises(DataError):
        load_pickle(tmp_path / 'x.pkl')


def test_objects_cannot_be_made_from_raw_bytes(tmp_path):
    # dtype('O') with forged flags, then a scalar of it: numpy's own functions would take the bytes for a pointer.
    dtype = b'cnumpy\ndtype\n(X\x02\x00\x00\x00O8I0\nI1\ntR(I3\nX\x01\x00\x00\x00|NNNI8\nI8\nI0\ntb'
    raw = b'C\x08' + struct.pack('<Q', 0x4141414141414141)
    (tmp_path / 'x.pkl').write_bytes(b'cnumpy.core.multiarray\nscalar\n(' + dtype + raw + b'tR.')
    with pytest.raises(DataError):
        load_pickle(tmp_path / 'x.pkl')


@pytest.mark.parametrize('keep', [0, 1, 40, -1])
def test_a_cut_off_pickle_is_one_clear_error(tmp_path, keep):
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(plain_data())[:keep])
    with pytest.raises(DataError, match='not a complete pickle'):
        load_pickle(tmp_path / 'x.pkl')


def test_npy_files_are_read_with_and_without_objects(tmp_path):
    words = {'apply drum': np.ones(3, np.float32), 'tap': np.zeros(3, np.float32)}
    for name, array in (('a', np.array(words, dtype=object)), ('b', np.arange(6.0).reshape(2, 3))):
        np.save(tmp_path / name, array, allow_pickle=True)
    assert same(words, load_npy(tmp_path / 'a.npy').item())
    assert same(np.arange(6.0).reshape(2, 3), load_npy(tmp_path / 'b.npy'))


def test_npz_files_may_hold_ragged_arrays(tmp_path):
    ragged = np.array([np.zeros((2, 3)), np.ones((4, 3))], dtype=object)
    np.savez_compressed(tmp_path / 'x.npz', audio=ragged, label=np.array(['a', 'b']))
    found = load_npz(tmp_path / 'x.npz')
    assert same(ragged, found['audio']) and same(np.array(['a', 'b']), found['label'])


def test_padding_may_shrink_by_any_ratio(tmp_path):
    size = RATIO_MATTERS_FROM + 1
    np.savez_compressed(tmp_path / 'x.npz', audio=np.zeros(size, np.uint8))
    assert MAX_RATIO * (tmp_path / 'x.npz').stat().st_size < size
    assert load_npz(tmp_path / 'x.npz')['audio'].shape == (size,)


def test_arrays_that_do_not_fit_into_the_memory_are_refused_unread(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / 'x.npz', audio=np.zeros(2000, np.uint8))
    monkeypatch.setattr(safe_pickle, 'available_memory', lambda: 2000)
    monkeypatch.setattr(safe_pickle, '_load_npy', None)
    with pytest.raises(DataError, match=r'x\.npz .* room for 2,000'):
        load_npz(tmp_path / 'x.npz')


@pytest.mark.parametrize('load', [load_npy, load_npz])
def test_damaged_array_files_are_one_clear_error(tmp_path, load):
    buffer = io.BytesIO()
    (np.save if load is load_npy else np.savez)(buffer, np.arange(100))
    (tmp_path / 'x').write_bytes(buffer.getvalue()[:-90])
    with pytest.raises(DataError, match='not a complete'):
        load(tmp_path / 'x')
    with pytest.raises(DataError, match='cannot be read'):
        load(tmp_path / 'absent')


def test_a_damaged_array_header_is_one_clear_error(tmp_path):
    np.save(tmp_path / 'x.npy', np.arange(3))
    (tmp_path / 'x.npy').write_bytes((tmp_path / 'x.npy').read_bytes().replace(b'}', b' '))
    with pytest.raises(DataError, match='not a complete'):
        load_npy(tmp_path / 'x.npy')
