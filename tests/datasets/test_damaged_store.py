"""A missing or damaged store raises one clear error."""

import json
import os

import numpy as np
import pytest
import torch

from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import DataError
from tests.datasets.loader_workers import end_workers


def edit_meta(root, **changes):
    meta = json.loads((root / 'store.json').read_text())
    (root / 'store.json').write_text(json.dumps(meta | changes))


def test_a_missing_store_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r'No feature store at .*data_root'):
        FeatureStore(tmp_path / 'nowhere')


@pytest.mark.parametrize('keep', [0, 60, -20])
def test_a_truncated_array_is_refused_on_opening(root, keep):
    data = (root / 'visual.npy').read_bytes()
    (root / 'visual.npy').write_bytes(data[:keep])
    with pytest.raises(DataError, match=r'visual.npy is cut off'):
        FeatureStore(root)


def test_an_array_of_another_shape_is_refused_on_opening(root):
    np.save(root / 'audio.npy', np.zeros((4, 3), np.float32))
    with pytest.raises(DataError, match=r'audio.npy: float32 array of shape \(4, 3\), store.json says'):
        FeatureStore(root)


@pytest.mark.parametrize('name', ['audio.npy', 'videos.csv', 'text/word2vec.npy', 'splits/5shot/val_base.txt'])
def test_a_changed_byte_is_found_by_verify(root, name):
    data = bytearray((root / name).read_bytes())
    data[-2] ^= 1
    (root / name).write_bytes(data)
    with pytest.raises(DataError, match=f'{name}: wrong checksum'):
        FeatureStore(root, verify=True)


@pytest.mark.parametrize(
    'changes, words',
    [
        (dict(version=9), 'version 9'),
        (dict(num_videos=8), '7 videos'),
        (dict(num_videos=True), 'num_videos is True'),
        (dict(modalities={}), 'modalities is {}'),
        (dict(modalities={'audio': []}), r'audio\.dim is None'),
        (dict(modalities={"a': print()": {}}), 'modalities is'),
        (dict(sha256=None), 'sha256 is None'),
        (dict(sha256=['a']), 'sha256 is'),
        (dict(sha256={'videos.csv': None}), 'sha256 is'),
        (dict(sha256={'../videos.csv': ''}), 'sha256 is'),
    ],
)
def test_a_damaged_description_is_refused(root, changes, words):
    edit_meta(root, **changes)
    with pytest.raises(DataError, match=words):
        FeatureStore(root)


@pytest.mark.parametrize(
    'key, value',
    [
        ('seconds_per_step', '0.96'),
        ('seconds_per_step', float('nan')),
        ('seconds_per_step', 1e300),
        ('dim', 0),
        ('dim', 3.0),
        ('dtype', 'int8'),
        ('num_steps', 10**40),
        ('dtype', ['float32']),
        ('file', '../audio.npy'),
        ('file', '/audio.npy'),
        ('file', ''),
        ('sha256', None),
    ],
)
def test_a_wrong_value_in_the_description_is_named(root, key, value):
    modalities = json.loads((root / 'store.json').read_text())['modalities']
    modalities['audio'][key] = value
    edit_meta(root, modalities=modalities)
    with pytest.raises(DataError, match=rf'store\.json is damaged: modalities\.audio\.{key} is '):
        FeatureStore(root)


@pytest.mark.parametrize(
    'name, old, new, words',
    [
        ('videos.csv', '"video, 1"', '"video, 0"', "videos.csv: video 'video, 0' occurs twice"),
        ('videos.csv', '"video, 1"', '', "videos.csv: video '' is empty"),
        ('videos.csv', '"video, 0",', '"a\nb",', 'control character'),
        ('videos.csv', '"video, 0","barking, loud",0,', '"video, 0","barking, loud",' + 30 * '9' + ',', 'whole number'),
        (
            'videos.csv',
            '"video, 0","barking, loud",0,',
            '"video, 0","barking, loud",' + str(2**63 - 1) + ',',
            'outside',
        ),
        ('classes.csv', 'tap,tap', '"barking, loud",tap', "classes.csv: class 'barking, loud' occurs twice"),
    ],
)
def test_a_damaged_table_is_refused(root, name, old, new, words):
    text = (root / name).read_text(encoding='utf-8')
    assert old in text
    (root / name).write_text(text.replace(old, new, 1), encoding='utf-8')
    with pytest.raises(DataError, match=words):
        FeatureStore(root)


@pytest.mark.parametrize('name', ['audio.npy', 'text/word2vec.npy'])
def test_an_array_with_a_damaged_header_is_refused(root, name):
    data = (root / name).read_bytes()
    (root / name).write_bytes(data.replace(b'}', b' '))
    with pytest.raises(DataError, match=f'{name} is cut off or damaged'):
        FeatureStore(root).class_embeddings()


@pytest.mark.parametrize('value', [np.nan, np.inf, 1e30])
def test_class_vectors_that_are_no_ordinary_numbers_are_refused(root, value):
    vectors = np.load(root / 'text/word2vec.npy')
    vectors[1, 2] = value
    np.save(root / 'text/word2vec.npy', vectors)
    with pytest.raises(DataError, match=r'word2vec\.npy: .* in the class vectors'):
        FeatureStore(root).class_embeddings()


def test_an_unknown_name_of_any_length_is_quoted_in_part(root):
    (root / 'splits/5shot/val_base.txt').write_text('x' * 9000)
    with pytest.raises(DataError, match='the store lacks 1 of 1 video, the first') as caught:
        FeatureStore(root).split(5, 'val_base')
    assert len(str(caught.value)) < 1000


def test_an_npz_under_the_name_of_an_array_is_refused(root):
    np.savez(root / 'x.npz', a=np.zeros(3))
    (root / 'x.npz').rename(root / 'audio.npy')
    with pytest.raises(DataError, match=r'audio.npy is cut off or damaged'):
        FeatureStore(root)


def test_an_array_that_is_cut_off_while_it_is_in_use_is_refused_before_it_is_read(root):
    store = FeatureStore(root)
    videos = np.arange(len(store))
    before = store.gather('visual', videos)[0]
    os.truncate(root / 'visual.npy', 200)
    for read in (store.gather, store.temporal_mean):
        with pytest.raises(DataError, match=r'visual\.npy was cut off while it was in use: it has 200 of'):
            read('visual', videos)
    with pytest.raises(DataError, match=r'visual\.npy was cut off'):
        store.load('cpu')
    assert before.isfinite().all() and store.gather('audio', videos)[0].isfinite().all()


def test_an_array_that_was_moved_or_replaced_is_read_on(root):
    store = FeatureStore(root)
    before = store.gather('visual', np.arange(len(store)))[0]
    (root / 'visual.npy').rename(root / 'moved.npy')
    assert torch.equal(store.gather('visual', np.arange(len(store)))[0], before)
    (root / 'visual.npy').write_bytes(b'')
    assert torch.equal(store.gather('visual', np.arange(len(store)))[0], before)


def test_a_store_that_a_device_holds_does_not_need_its_file(root):
    store = FeatureStore(root).load('cpu')
    os.truncate(root / 'visual.npy', 200)
    assert store.gather('visual', np.arange(len(store)))[0].isfinite().all()


class Failing(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise DataError('store: it is damaged. Restore it.', details=['first: 1', 'second: 2'])


def test_an_error_in_a_loader_worker_reads_as_it_does_elsewhere():
    with pytest.raises(DataError) as caught:
        list(torch.utils.data.DataLoader(Failing(), num_workers=1, multiprocessing_context='fork'))
    end_workers(caught)
    assert caught.value.lines == ('store: it is damaged. Restore it.', 'first: 1', 'second: 2')
