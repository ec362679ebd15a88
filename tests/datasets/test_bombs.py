"""Small files that would unpack to more than the memory are refused before they do."""

import io
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from avzoo.readers.safe_pickle import load_npy, load_npz, load_pickle
from avzoo.utils.errors import DataError

GIGABYTE = 1 << 30


def npy(shape, dtype='<f4', data=b''):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, dict(descr=dtype, fortran_order=False, shape=shape))
    return file.getvalue() + data


def laughs():
    """Ten lists of ten references each, 25 deep: 10^25 elements in a few hundred bytes."""
    value = ['ha']
    for _ in range(25):
        value = [value] * 10
    return value


def call(name, *arguments):
    """Return the opcodes of a call of a builtin: the pickler itself would call nothing twice."""
    return b'cbuiltins\n' + name + b'\n(' + b''.join(arguments) + b'tR'


def quadratic():
    """A list of 100,000 and as many copies of it."""
    items = b'](' + b'K\x01' * 100_000 + b'eq\x00'
    return b'\x80\x02](' + items + call(b'list', b'h\x00') * 100_000 + b'e.'


# An empty list, kept in the last of 268 million places; Python's own unpickler reserves them all, 4 GB.
FAR_PLACE = b'\x80\x02]r' + (0x0FFFFFFF).to_bytes(4, 'little') + b'.'
PICKLES = {
    'lists of lists': pickle.dumps(laughs()),
    'copies of a list': quadratic(),
    'the text of lists': b'\x80\x02'
    + b'\x8c\x02ha]q\x00'
    + b']q\x01('
    + b'h\x00' * 10
    + b'e'
    + call(b'str', b'h\x01')
    + b'.',
    'more bytes than there are': b'\x80\x04\x8e' + (1 << 50).to_bytes(8, 'little') + b'x.',
    'a frame without end': b'\x80\x04\x95' + (1 << 60).to_bytes(8, 'little') + b'.',
    'nesting': b'\x80\x02' + b'(' * 200_000 + b'l' * 200_000 + b'.',
    'itself': b'\x80\x02]q\x00h\x00a.',
}
ARRAYS = {
    'a large shape': npy((1 << 40,)),
    'a shape beyond any number': npy((1 << 70, 1 << 70)),
    'large elements': npy((4,), '<U1000000000'),
    'nothing, very often': npy((1 << 40, 0)),
    'elements without a size': npy((1 << 40,), '<U0'),
    'a negative shape': npy((-1, 4)),
    'deep objects': npy((), '|O', pickle.dumps(laughs())),
    'a later version': b'\x93NUMPY\x03\x00' + npy((4,))[8:] + bytes(16),
}


@pytest.mark.parametrize('what', PICKLES)
def test_a_pickle_takes_no_more_than_its_size_explains(tmp_path, what):
    (tmp_path / 'x.pkl').write_bytes(PICKLES[what])
    with pytest.raises(DataError, match=r'x\.pkl'):
        load_pickle(tmp_path / 'x.pkl')


@pytest.mark.parametrize('opcode', [pickle.BINUNICODE8, pickle.BINBYTES8, pickle.BYTEARRAY8, pickle.FRAME])
def test_a_claimed_length_is_compared_with_the_file_before_it_is_read(tmp_path, opcode):
    (tmp_path / 'x.pkl').write_bytes(b'\x80\x05' + opcode + (1 << 40).to_bytes(8, 'little') + b'x.')
    with pytest.raises(DataError, match=r'x\.pkl is not a complete pickle .*1,099,511,627,776 bytes'):
        load_pickle(tmp_path / 'x.pkl')


@pytest.mark.parametrize('packed', [False, True], ids=['npy', 'npz'])
@pytest.mark.parametrize('what', ARRAYS)
def test_a_header_claims_no_more_than_the_file_has(tmp_path, what, packed):
    path = tmp_path / 'x'
    if packed:
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr('audio.npy', ARRAYS[what])
    else:
        path.write_bytes(ARRAYS[what])
    with pytest.raises(DataError, match=str(path)):
        (load_npz if packed else load_npy)(path)


def test_an_array_without_elements_is_read(tmp_path):
    np.save(tmp_path / 'x.npy', np.zeros((0, 4), np.float32))
    assert load_npy(tmp_path / 'x.npy').shape == (0, 4)
    (tmp_path / 'x.npy').write_bytes(b'\x93NUMPY\x02\x00' + bytes([118, 0, 0, 0]) + npy((3,))[10:] + bytes(12))
    assert load_npy(tmp_path / 'x.npy').tolist() == [0, 0, 0]  # Version 2 of the format.


def padded(path, size):
    """Write an npz of one array of zeros that unpacks to ``size`` bytes."""
    with (
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open('audio.npy', 'w', force_zip64=True) as member,
    ):
        member.write(npy((size >> 2,)))
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))


def test_a_small_archive_of_a_large_array_is_refused_with_the_cure(tmp_path):
    padded(tmp_path / 'x.npz', 300 << 20)
    with pytest.raises(DataError, match=r'x\.npz would unpack from .*numpy\.savez instead'):
        load_npz(tmp_path / 'x.npz')
    assert load_npz(tmp_path / 'x.npz', any_ratio=True)['audio'].nbytes == 300 << 20


def test_places_of_a_pickle_are_not_reserved(tmp_path):
    (tmp_path / 'x.pkl').write_bytes(FAR_PLACE)
    assert load_pickle(tmp_path / 'x.pkl') == []


def test_copies_and_texts_of_an_ordinary_size_are_read(tmp_path):
    content = dict(pairs=[(i, str(i)) for i in range(2000)], shared=[[1, 2]] * 1000)
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(content))
    assert load_pickle(tmp_path / 'x.pkl') == content
    (tmp_path / 'x.pkl').write_bytes(b'\x80\x02](' + call(b'list') + call(b'str', b'K\x05') + call(b'int') + b'e.')
    assert load_pickle(tmp_path / 'x.pkl') == [[], '5', 0]


_READ_ALL = """
import resource, sys
from pathlib import Path
from avzoo.readers.safe_pickle import load_npy, load_npz, load_pickle
from avzoo.datasets.store_format import read_csv, read_lines
from avzoo.utils.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
readers = {'.pkl': load_pickle, '.npy': load_npy, '.npz': load_npz, '.txt': read_lines}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        readers.get(path.suffix, lambda p: read_csv(p, ['a']))(path)
        print('accepted', path.name)
    except DataError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_all_of_them_together_take_little_memory(tmp_path):
    for i, content in enumerate([*PICKLES.values(), FAR_PLACE]):
        (tmp_path / f'{i}.pkl').write_bytes(content)
    for i, content in enumerate(ARRAYS.values()):
        (tmp_path / f'{i}.npy').write_bytes(content)
    padded(tmp_path / 'x.npz', GIGABYTE // 2)
    for name in ('x.txt', 'x.csv'):
        with (tmp_path / name).open('wb') as file:
            file.truncate(GIGABYTE)
    done = subprocess.run(
        [sys.executable, '-c', _READ_ALL, str(tmp_path)], capture_output=True, text=True, timeout=100, check=True
    )
    *accepted, megabytes = done.stdout.splitlines()
    assert accepted == [f'accepted {len(PICKLES)}.pkl'] and int(megabytes) < 256
