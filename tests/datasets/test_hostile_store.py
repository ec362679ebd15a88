"""A store of unknown origin is refused in one line, whatever stands in the place of its files."""

import errno
import json
import os

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.store_format import MAX_NAME, check_names, read_csv, read_lines
from avzoo.utils import regular_files
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.paths import stays_inside
from avzoo.utils.regular_files import MAX_LINE
from tests.datasets.small_store import CLASSES, MODALITIES, make_videos, write

FILES = ['store.json', 'videos.csv', 'classes.csv', 'audio.npy', 'text/word2vec.npy', 'splits/5shot/val_base.txt']


def read_all(root):
    store = FeatureStore(root)
    store.class_embeddings()
    return store.split(5, 'val_base')


def edit_meta(root, change):
    meta = json.loads((root / 'store.json').read_text())
    change(meta)
    (root / 'store.json').write_text(json.dumps(meta))


def put_folder(path):
    path.unlink()
    path.mkdir()


def put_pipe(path):
    path.unlink()
    os.mkfifo(path)


def put_device(path):
    path.unlink()
    path.symlink_to('/dev/zero')


def put_loop(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize('put', [put_folder, put_pipe, put_device, put_loop])
@pytest.mark.parametrize('name', FILES)
def test_what_is_not_a_file_is_named_and_never_waited_for(root, name, put):
    put(root / name)
    with pytest.raises(DataError, match='val_base' if 'splits' in name else name):
        read_all(root)


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize(
    ('code', 'cure'), [(errno.EACCES, 'permissions'), (errno.EMFILE, 'ulimit'), (errno.EIO, 'Check the disk')]
)
def test_a_file_that_cannot_be_opened_is_not_called_damaged(root, monkeypatch, name, code, cure):
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith(name):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(regular_files.os, 'open', refuse)
    with pytest.raises(DataError, match=rf'{name} cannot be read: {os.strerror(code)}.*{cure}'):
        read_all(root)


@pytest.mark.parametrize(
    'text',
    [
        '[' * 100_000 + ']' * 100_000,
        '{"format": ' * 50_000 + '1' + '}' * 50_000,
        '1' * 10_000,
        'null',
        '"text"',
        '{"format": ["avzoo-feature-store"], "version": {}}',
        '\udcff',
        '',
    ],
    ids=['lists', 'tables', 'a long number', 'null', 'text', 'wrong kinds', 'not UTF-8', 'nothing'],
)
def test_a_description_that_is_none_is_one_error(root, text):
    (root / 'store.json').write_bytes(text.encode('utf-8', 'surrogateescape'))
    with pytest.raises(DataError, match=r'store\.json'):
        FeatureStore(root)


def test_a_description_without_end_is_not_read_whole(root):
    with (root / 'store.json').open('ab') as file:
        file.truncate(10**12)
    with pytest.raises(DataError, match='longer than'):
        FeatureStore(root)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda meta: meta.update(name='a\x1b[2Jb'), 'control character'),
        (lambda meta: meta['modalities']['audio'].update(file='visual.npy'), 'visual.npy.* occurs twice'),
        (lambda meta: meta['modalities']['audio'].update(file='./visual.npy'), r'audio\.file'),
        (lambda meta: meta['modalities']['audio'].update(file='text/../visual.npy'), r'audio\.file'),
        (lambda meta: meta['class_embeddings']['word2vec'].update(file='../x.npy'), r'word2vec\.file'),
        (lambda meta: meta['sha256'].update({'/etc/passwd': ''}), 'sha256'),
        (lambda meta: meta['modalities']['audio'].update(dim=2**62, num_steps=2**62), 'float32 array of shape'),
    ],
)
def test_a_description_that_leads_astray_is_refused(root, change, words):
    edit_meta(root, change)
    with pytest.raises(DataError, match=words):
        FeatureStore(root)


def test_an_array_that_claims_to_be_enormous_takes_no_memory(root):
    data = bytearray((root / 'audio.npy').read_bytes())
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 3), }"
    data[10:128] = header.ljust(117) + b'\n'
    (root / 'audio.npy').write_bytes(data)
    edit_meta(root, lambda meta: meta['modalities']['audio'].update(num_steps=1099511627776))
    with pytest.raises(DataError, match=r'audio\.npy is cut off or damaged'):
        FeatureStore(root)


@pytest.mark.parametrize('start', [0, 1])
def test_two_videos_never_share_stored_steps(root, start):
    rows = (root / 'videos.csv').read_text(encoding='utf-8').splitlines()
    fields = rows[2].rsplit(',', 4)
    fields[1] = str(start)  # Where the audio of the first video lies.
    fields[2] = '1'
    rows[2] = ','.join(fields)
    first = int(rows[1].rsplit(',', 4)[2])
    (root / 'videos.csv').write_text('\n'.join(rows) + '\n', encoding='utf-8')
    assert first > start, 'the first video is longer than that'
    with pytest.raises(DataError, match=r"videos\.csv: audio of the videos 'video, [01]' and 'video, [01]'"):
        FeatureStore(root)


@pytest.mark.parametrize('num_shots', ['5', 5.0, True, 0, -1, None, '../../x'])
def test_a_number_of_shots_is_a_whole_number(root, num_shots):
    for ask in (FeatureStore(root).split_sizes, lambda k: FeatureStore(root).split(k, 'val_base')):
        with pytest.raises(ConfigError, match=r'num_shots='):
            ask(num_shots)


@pytest.mark.parametrize('num_shots', [5, np.int64(5)])
def test_a_whole_number_of_shots_has_its_lists(root, num_shots):
    assert FeatureStore(root).split(num_shots, 'val_base').tolist() == [0, 1]


def test_a_list_outside_of_its_folder_is_not_a_split(root):
    (root / 'other.txt').write_text('video, 1\n')
    with pytest.raises(DataError, match='no split'):
        FeatureStore(root).split(5, '../../other')


@pytest.mark.parametrize('read', [read_lines, lambda path: read_csv(path, ['label'])])
def test_a_line_without_end_is_given_up(tmp_path, read):
    (tmp_path / 'x').write_bytes(b'label\n')
    with (tmp_path / 'x').open('ab') as file:
        file.truncate(200 << 20)
    with pytest.raises(DataError, match=rf'x: line 2 is longer than {MAX_LINE:,}'):
        read(tmp_path / 'x')


@pytest.mark.parametrize(
    ('name', 'inside'),
    [
        *((name, True) for name in ('a', 'a b', 'a/b', '..a', 'a..b', '...', 'Ä', '.hidden')),
        *((name, False) for name in ('', '.', '..', '../a', 'a/../b', '/a', '//a', 'a//b', './a', 'a/', 'a/..')),
        *((name, False) for name in (r'..\..\x', r'a\b', r'C:\x', 'C:x', 'a:b', 'a\nb', 'a\0b', 'a\x9b', 'a\udc80')),
    ],
)
def test_a_name_is_one_path_below_a_folder(name, inside):
    assert stays_inside(name) == inside


def test_a_name_has_a_length_that_a_table_can_hold():
    check_names(['a' * MAX_NAME], 'video')
    with pytest.raises(DataError, match=f'longer than {MAX_NAME:,}'):
        check_names(['a' * (MAX_NAME + 1)], 'video')


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        (np.full((1, 3), 1e39), r'beyond 1e\+15'),
        (np.full((1, 3), -1e39), r'beyond 1e\+15'),
        (np.full((1, 3), 1e30, np.float32), r'beyond 1e\+15'),
        (np.full((1, 3), 2**62), r'beyond 1e\+15'),
        (np.full((1, 3), 1j), 'complex128'),
        (np.full((1, 3), '1'), 'not numbers'),
        (np.full((1, 3), None), 'object'),
        (np.full((1, 3), np.inf), 'NaN or infinity'),
        (np.full((1, 3), np.datetime64('2020')), 'datetime64'),
    ],
)
def test_numbers_are_checked_before_they_are_converted(tmp_path, values, words):
    videos = make_videos()
    videos['video, 3']['audio'] = values
    with pytest.raises(DataError, match=words):
        write(tmp_path / 'store', videos)
    with (
        FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES) as writer,
        pytest.raises(DataError, match=words),
    ):
        writer.write_class_embeddings('text', np.repeat(values, 3, axis=0))
    assert not (tmp_path / 'store').exists()


@pytest.mark.parametrize(('value', 'stored'), [(65504, True), (65519, True), (65520, False), (-65520, False)])
def test_half_precision_takes_what_it_can_hold(tmp_path, value, stored):
    videos = make_videos()
    videos['video, 3']['audio'] = np.full((1, 3), float(value))
    if stored:
        write(tmp_path / 'store', videos, dtype='float16')
        assert np.isfinite(FeatureStore(tmp_path / 'store').gather('audio', [3])[0].numpy()).all()
    else:
        with pytest.raises(DataError, match='float16'):
            write(tmp_path / 'store', videos, dtype='float16')


@pytest.mark.parametrize('entry', [dict(dim=2.5), dict(dim=0), dict(seconds_per_step=0), dict(seconds_per_step=np.nan)])
def test_a_modality_that_no_store_could_have_is_not_begun(tmp_path, entry):
    modalities = {'audio': dict(dict(dim=3, seconds_per_step=0.96), **entry)}
    with pytest.raises(DataError, match='audio'):
        FeatureStoreWriter(tmp_path / 'store', name='x', modalities=modalities, classes=CLASSES)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['../x', '/tmp/x', '', 'a b', 'a/b', '.'])
def test_what_is_written_stays_in_the_store(tmp_path, name):
    with FeatureStoreWriter(tmp_path / 'store', name='x', modalities=MODALITIES, classes=CLASSES) as writer:
        with pytest.raises(DataError, match='a name of letters'):
            writer.write_class_embeddings(name, np.eye(3))
        with pytest.raises(DataError, match='a name of letters'):
            writer.write_splits(5, {name: []})
        with pytest.raises(ConfigError, match='num_shots'):
            writer.write_splits(name, {})
