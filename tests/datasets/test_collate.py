"""Batches are the same whether sequences are in a store or in memory."""

import numpy as np
import pytest
import torch

from avzoo.datasets import collate as collate_module
from avzoo.datasets.collate import Take, collate, collate_arrays, gather_rows
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.window import Window
from tests.datasets.small_store import MODALITIES, make_videos

SECONDS = {m: entry['seconds_per_step'] for m, entry in MODALITIES.items()}


@pytest.mark.parametrize('window', [None, Window(2, position='center'), Window(2), Window(9)])
def test_arrays_in_memory_give_the_batch_of_a_store(root, window):
    videos = list(make_videos().values())
    found = collate_arrays({m: [video[m] for video in videos] for m in SECONDS}, SECONDS, window=window)
    wanted = collate(FeatureStore(root), np.arange(len(videos)), SECONDS, window=window)
    for m in SECONDS:
        for key in ('x', 'lengths', 'starts'):
            assert found[m][key].dtype == wanted[m][key].dtype and torch.equal(found[m][key], wanted[m][key])


def test_a_batch_holds_the_windows_steps_and_zeros():
    array = np.arange(1, 8, dtype=np.float32)[:, None]
    part = collate_arrays({'visual': [array, array[:2]]}, SECONDS, window=Window(3, position='center'))['visual']
    assert part['x'][..., 0].tolist() == [[3, 4, 5], [1, 2, 0]]
    assert part['lengths'].tolist() == [3, 2] and part['starts'].tolist() == [2, 0]


def test_without_a_window_a_batch_is_as_long_as_its_longest_sequence():
    part = collate_arrays({'audio': [np.ones((n, 2), np.float32) for n in (1, 4, 2)]}, SECONDS)['audio']
    assert part['x'].sum(dim=2).tolist() == [[2, 0, 0, 0], [2, 2, 2, 2], [2, 2, 0, 0]]
    assert part['lengths'].tolist() == [1, 4, 2] and not part['starts'].any()


def test_the_seed_decides_a_random_window(root):
    def starts(seed):
        batch = collate(FeatureStore(root), np.arange(7), SECONDS, window=Window(1), seed=seed)
        return batch['visual']['starts'].tolist()

    assert starts([3, 1]) == starts([3, 1]) != starts([3, 2])


def test_the_batch_does_not_share_memory_with_the_arrays():
    array = np.ones((2, 3), np.float32)
    collate_arrays({'audio': [array]}, SECONDS)['audio']['x'].fill_(7)
    assert (array == 1).all()


@pytest.mark.parametrize('take', [Take(), Take(pad_to=9), Take(np.array([1, 0, 2]), 3)], ids=str)
def test_features_on_a_device_give_the_batch_of_those_on_disk(take):
    rows = np.arange(40, dtype=np.float16).reshape(20, 2)
    first, lengths = np.array([12, 0, 4]), np.array([6, 1, 8])
    wanted = gather_rows(rows, first, lengths, take)
    begin = first if take.starts is None else first + take.starts
    found = collate_module._gather_on_device(torch.from_numpy(rows), begin, take.steps(lengths), wanted[0].shape[1])
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


@pytest.mark.parametrize('window', [Window(4), Window(4, position='center'), Window(4, long_only=True)])
@pytest.mark.parametrize('visual', [3, 4, 6])
def test_a_window_says_whether_its_steps_vary(window, visual):
    lengths = {'audio': np.array([2, 3]), 'visual': np.array([1, visual])}
    seconds = {'audio': 0.96, 'visual': 0.64}
    cuts = [window.cut(lengths, seconds, seed)['visual'][0].tolist() for seed in range(30)]
    assert window.varies(lengths) == any(cut != cuts[0] for cut in cuts)
