"""The data set of a phase, its windows and its samplers."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.samplers import ClassBalancedBatchSampler, EvaluationBatchSampler
from avzoo.datasets.window import Window
from avzoo.utils.errors import ConfigError, DataError
from tests.conftest import write_store
from tests.datasets.loader_workers import end_workers


def dataset(store, *splits, **kwargs):
    return GFSLDataset(store, splits=splits, num_shots=2, **kwargs)


def sampler(data, seed=0, **kwargs):
    return ClassBalancedBatchSampler(DefaultSampler(data, shuffle=False, seed=seed), 8, **kwargs)


def test_labels_are_columns_of_the_stages_classes_in_store_order(tiny_store):
    one, two = dataset(tiny_store, 'stage1_base', 'stage1_novel'), dataset(tiny_store, 'stage2_base', 'stage2_novel_0')
    assert len(one.class_ids) == 9 and one.base_mask.sum() == 6
    assert len(two.class_ids) == 11 and two.base_mask.sum() == 9
    names = one.metainfo['classes']
    assert all(
        video.startswith(names[label]) for video, label in zip(one.metainfo['video_ids'], one.labels, strict=True)
    )


def test_class_embeddings_are_in_column_order(tiny_store):
    data = dataset(tiny_store, 'stage1_base')
    assert np.array_equal(data.class_embeddings, data.store.class_embeddings()[data.class_ids])


def test_a_batch_is_padded_with_zeros_and_knows_its_lengths(tiny_store):
    data = dataset(tiny_store, 'stage1_base')
    batch = data.__getitems__([0, 5, 7, 1])
    for part in batch['features'].values():
        assert part['x'].shape[:2] == (4, int(part['lengths'].max()))
        for row, length in zip(part['x'], part['lengths'], strict=True):
            assert not row[length:].any() and row[:length].abs().sum(1).all()
    assert batch['novel'] is False and dataset(tiny_store, 'stage1_novel')[0]['novel'] is True


def test_only_the_wanted_modalities_are_gathered(tiny_store):
    assert list(dataset(tiny_store, 'stage1_base', modalities=('audio',))[0]['features']) == ['audio']


@pytest.mark.parametrize(('name', 'words'), [('sound', 'It has audio, visual'), ('visuals', "Did you mean 'visual'")])
def test_a_modality_that_the_store_lacks_is_refused(tiny_store, name, words):
    with pytest.raises(ConfigError, match=f"has no modality '{name}'.*{words}"):
        dataset(tiny_store, 'stage1_base', modalities=('audio', name))


def test_another_embedding_can_be_named_and_an_unknown_one_is_refused(tiny_store):
    assert dataset(tiny_store, 'stage1_base', embedding='text').class_embeddings.shape == (9, 5)
    with pytest.raises(DataError):
        _ = dataset(tiny_store, 'stage1_base', embedding='glove').class_embeddings


def test_windows_follow_the_seed_and_the_videos_alone(tiny_store):
    def starts(seed, order):
        data = dataset(tiny_store, 'stage1_base', window=dict(steps=1), seed=seed)
        return data.__getitems__(order)['features']['visual']['starts'].tolist()

    order = list(range(30))
    assert starts(0, order) == starts(0, order) != starts(1, order)


def test_window_covers_the_same_time_in_both_modalities():
    lengths = dict(audio=np.array([300, 10]), visual=np.array([450, 15]))
    seconds = dict(audio=0.96, visual=0.64)
    cuts = Window(60, position='center').cut(lengths, seconds, np.random.default_rng(0))
    assert cuts['visual'][1] == 60 and cuts['audio'][1] == 40
    assert cuts['visual'][0].tolist() == [195, 0] and cuts['audio'][0].tolist() == [130, 0]


@pytest.mark.parametrize(('steps', 'audio'), [(60, 37), (30, 18), (300, 184)])
def test_released_audio_length_multiplies_where_it_should_divide(steps, audio):
    lengths, seconds = dict(audio=np.array([900]), visual=np.array([900])), dict(audio=0.96, visual=0.64)
    cuts = Window(steps, audio_length='released').cut(lengths, seconds, np.random.default_rng(0))
    assert cuts['audio'][1] == audio


def test_random_window_reaches_the_last_start_unless_told_not_to():
    lengths, seconds = dict(visual=np.full(500, 4)), dict(visual=1.0)
    draw = lambda **k: Window(2, **k).cut(lengths, seconds, np.random.default_rng(0))['visual'][0]  # noqa: E731
    assert set(draw().tolist()) == {0, 1, 2} and set(draw(last_start=False).tolist()) == {0, 1}


def test_window_choices_are_checked():
    for wrong in (dict(position='left'), dict(audio_length='long')):
        with pytest.raises(ValueError, match='choose'):
            Window(3, **wrong)


def test_classes_are_drawn_equally_often_however_many_videos_they_have(tiny_store):
    data = dataset(tiny_store, 'stage2_base')  # 8 videos of a base class of stage 1, 7 of a novel one
    drawn = np.concatenate([data.labels[b] for b in sampler(data, num_batches=600)])
    share = np.bincount(drawn) / len(drawn)
    share = share[share > 0]
    assert len(share) == 9 and np.allclose(share, 1 / 9, atol=0.02)


def test_every_video_of_a_class_is_drawn_equally_often(tiny_store):
    data = dataset(tiny_store, 'stage2_base')
    drawn = np.bincount([i for b in sampler(data, num_batches=1500) for i in b], minlength=len(data))
    share = drawn / np.bincount(data.labels[np.repeat(np.arange(len(data)), drawn)], minlength=11)[data.labels]
    assert np.allclose(share, 1 / np.bincount(data.labels)[data.labels], atol=0.03)


@pytest.mark.parametrize(
    ('size', 'processes', 'batches'), [(1, 1, 36), (1, 2, 18), (2, 1, 18), (2, 2, 10), (64, 1, 10)]
)
def test_an_epoch_that_follows_the_data_draws_about_each_base_video_once(tiny_store, size, processes, batches):
    data = dataset(tiny_store, 'stage1_base', 'stage1_novel')  # 36 base videos and 6 novel ones
    carrier = SimpleNamespace(dataset=data, seed=0, rank=0, world_size=processes)
    one = ClassBalancedBatchSampler(carrier, size, num_batches=None, subsets=('base', 'novel'))
    assert len(one) == len(list(one)) == 2 * batches


def test_processes_draw_different_batches_of_the_same_seed(tiny_store):
    data = dataset(tiny_store, 'stage1_base')
    batches = {
        rank: list(ClassBalancedBatchSampler(SimpleNamespace(dataset=data, seed=3, rank=rank), 8))[:5]
        for rank in range(3)
    }
    assert batches[0] != batches[1] != batches[2] != batches[0]
    assert batches[1] == list(ClassBalancedBatchSampler(SimpleNamespace(dataset=data, seed=3, rank=1), 8))[:5]


def test_the_rank_of_the_process_reaches_the_batches(tiny_store, monkeypatch):
    data = dataset(tiny_store, 'stage1_base')

    def batches(rank):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, 2))
        return list(sampler(data))[:5]

    assert batches(0) != batches(1)


def test_the_subset_all_draws_base_and_novel_classes_alike(tiny_store):
    data = dataset(tiny_store, 'stage1_base', 'stage1_novel')
    drawn = np.concatenate([data.labels[b] for b in sampler(data, num_batches=600, subsets=('all',))])
    assert np.allclose(np.bincount(drawn) / len(drawn), 1 / 9, atol=0.02)


def test_base_and_novel_batches_take_turns(tiny_store):
    data = dataset(tiny_store, 'stage1_base', 'stage1_novel')
    batches = list(one := sampler(data, num_batches=3, subsets=['base', 'novel']))
    assert [data.__getitems__(b)['novel'] for b in batches] == [False, True] * 3
    assert len(one) == 6 and one.subsets == ('base', 'novel')
    assert {len(b) for b in batches} == {8}


def test_batches_depend_on_seed_and_epoch(tiny_store):
    data = dataset(tiny_store, 'stage1_base')
    one, again, other = sampler(data), sampler(data), sampler(data, seed=1)
    assert list(one)[:5] == list(again)[:5] != list(other)[:5]
    again.set_epoch(1)
    assert list(one)[:5] != list(again)[:5]


def test_batches_follow_from_seed_epoch_and_rank_on_every_machine():
    labels = np.random.default_rng(0).integers(0, 5, 2000)  # So many that an unstable sort mixes them up.
    data = SimpleNamespace(labels=labels, base_mask=np.array([True, True, False, True, True]))
    one = ClassBalancedBatchSampler(SimpleNamespace(dataset=data, seed=3, rank=1), 50, num_batches=1, subsets=['base'])
    one.set_epoch(7)
    rng = np.random.default_rng([3, 7, 1])
    videos = [np.flatnonzero(labels == c) for c in (0, 1, 3, 4)]
    drawn = [videos[group] for group in rng.integers(4, size=50)]
    assert list(one) == [[v[i] for v, i in zip(drawn, rng.integers([len(v) for v in drawn]), strict=True)]]


def test_a_subset_without_videos_is_refused(tiny_store):
    with pytest.raises(DataError, match=r'stage1_base, val_base .*novel'):
        sampler(dataset(tiny_store, 'stage1_base', 'val_base'), subsets=('novel',))
    with pytest.raises(ValueError, match='choose base, novel or all'):
        sampler(dataset(tiny_store, 'stage1_base'), subsets=('old',))


def test_evaluation_batches_of_two_processes_are_those_of_one(tiny_store, monkeypatch):
    data = dataset(tiny_store, 'val_base', 'val_novel')

    def batches(rank, world):
        monkeypatch.setattr('avzoo.datasets.samplers.get_dist_info', lambda: (rank, world))
        one = EvaluationBatchSampler(DefaultSampler(data, shuffle=False), 4)
        assert len(one) == len(list(one))
        return list(one)

    whole = batches(0, 1)
    assert sorted(i for b in whole for i in b) == list(range(len(data)))
    assert sorted(batches(0, 2) + batches(1, 2)) == whole


@pytest.mark.parametrize('workers', [0, 2])
def test_loader_workers_change_nothing(tiny_store, workers):
    data = dataset(tiny_store, 'stage1_base', window=dict(steps=1))
    loader = torch.utils.data.DataLoader(
        data, batch_sampler=sampler(data, num_batches=4), num_workers=workers, collate_fn=lambda b: b
    )
    x = torch.cat([b['features']['visual']['x'] for b in loader])
    expected = torch.cat([data.__getitems__(b)['features']['visual']['x'] for b in sampler(data, num_batches=4)])
    assert torch.equal(x, expected)


def test_features_held_on_a_device_give_the_same_batches_and_one_copy_serves_all(tiny_store):
    read, held = dataset(tiny_store, 'stage1_base'), dataset(tiny_store, 'stage1_base', device='cpu')
    for modality, part in read.__getitems__([3, 0, 9])['features'].items():
        assert torch.equal(part['x'], held.__getitems__([3, 0, 9])['features'][modality]['x'])
    assert held._source() is dataset(tiny_store, 'val_base', device='cpu')._source()
    assert held._source() is not held.store


def test_a_store_that_was_written_anew_is_held_anew(tmp_path):
    for noise in (1.0, 2.0):
        shutil.rmtree(tmp_path / 'store', ignore_errors=True)
        write_store(tmp_path / 'store', noise=noise)
        read, held = (dataset(tmp_path / 'store', 'stage1_base', device=device) for device in (None, 'cpu'))
        assert all(map(torch.equal, features(held, [3, 0]), features(read, [3, 0])))


def test_a_device_that_is_not_there_or_is_in_another_process_is_refused(tiny_store):
    with pytest.raises(ConfigError, match='cannot hold'):
        dataset(tiny_store, 'stage1_base', device='cuda:77')[0]
    data = dataset(tiny_store, 'stage1_base', device='cpu')
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=1, collate_fn=lambda b: b)
    with pytest.raises(ConfigError, match='num_workers=0') as caught:
        next(iter(loader))
    end_workers(caught)


WINDOWS = [None, dict(steps=2), dict(steps=3, long_only=True)]


def features(data, index):
    """Return the tensors of a batch's features in their order."""
    return [part[key] for part in data.__getitems__(index)['features'].values() for key in ('x', 'lengths', 'starts')]


@pytest.mark.parametrize('window', WINDOWS)
def test_features_that_are_copied_to_a_device_batch_by_batch_are_those_held_there(tiny_store, window):
    read, held, streamed = (
        dataset(tiny_store, 'stage1_base', window=window, **on)
        for on in ({}, dict(device='cpu'), dict(device='cpu', resident=False))
    )
    assert (
        streamed._source() is streamed.store and streamed.streams_to == torch.device('cpu') and held.streams_to is None
    )
    index = [3, 0, 9, 3]
    assert all(map(torch.equal, features(streamed, index), features(held, index)))
    assert all(map(torch.equal, features(streamed, index), features(read, index)))


def test_a_device_that_batches_cannot_be_copied_to_is_refused(tiny_store):
    with pytest.raises(ConfigError, match=r"'cuda:77' cannot be used: [^.]*\. Leave device"):
        dataset(tiny_store, 'stage1_base', device='cuda:77', resident=False)[0]
    data = dataset(tiny_store, 'stage1_base', device='cpu', resident=False)
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=1, collate_fn=lambda b: b)
    with pytest.raises(ConfigError, match='num_workers=0') as caught:
        next(iter(loader))
    end_workers(caught)


def test_a_data_set_whose_items_would_never_be_asked_for_is_refused():
    with pytest.raises(ConfigError, match=r'Own .*__getitems__'):
        type('Own', (GFSLDataset,), dict(__getitem__=lambda self, index: {}))
    type('Both', (GFSLDataset,), dict(__getitem__=lambda self, index: {}, __getitems__=lambda self, indices: {}))
