"""Batches that are made ahead are those of the plain loader, and so is a run on them."""

import gc
import os
import threading
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.samplers import ClassBalancedBatchSampler
from avzoo.engine import CurriculumRunner
from avzoo.engine.hooks import PhaseHook
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.engine.streaming_loader import _BATCHES, StreamingLoader, _Copies
from avzoo.utils.errors import ConfigError, DataError
from tests.conftest import without_provenance

on_gpu = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')]
DEVICES = ['cpu', pytest.param('cuda', marks=on_gpu)]


def loader(store, num_batches: int = 7, **changes) -> DataLoader:
    """Build a loader of the training set as the runner does."""
    data = GFSLDataset(store, splits=('stage1_base',), num_shots=2, window=dict(steps=2), **changes)
    cfg = dict(
        batch_size=4,
        dataset=data,
        sampler=dict(type=DefaultSampler, shuffle=False),
        batch_sampler=dict(type=ClassBalancedBatchSampler, num_batches=num_batches),
    )
    return PhaseRunner.build_dataloader(cfg, seed=3)


def streaming(store, num_batches: int = 7, device: str = 'cpu') -> StreamingLoader:
    found = loader(store, num_batches, device=device, resident=False)
    assert isinstance(found, StreamingLoader)
    return found


def threads() -> int:
    return sum(thread.name.startswith('batch') for thread in threading.enumerate())


def flat(batch: dict) -> list:
    """Return the values of a batch in their order, tensors on the CPU."""
    parts = [v for f in batch['features'].values() for v in f.values()]
    return [v.cpu() if isinstance(v, torch.Tensor) else v for v in (*parts, *batch.values()) if not isinstance(v, dict)]


def same(one: dict, other: dict) -> bool:
    pairs = list(zip(flat(one), flat(other), strict=True))
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('num_batches', [1, _BATCHES, 3 * _BATCHES])
def test_batches_and_random_numbers_are_those_of_the_plain_loader(tiny_store, num_batches, device):
    found, wanted = streaming(tiny_store, num_batches, device), loader(tiny_store, num_batches)
    assert len(found) == len(wanted) == num_batches
    for epoch in range(2):
        drawn = []
        for one in (found, wanted):
            one.batch_sampler.set_epoch(epoch)
            torch.manual_seed(5)
            drawn.append([(batch, torch.rand(())) for batch in one])
        assert len(drawn[0]) == num_batches and threads() == 0
        assert all(same(a, b) and r == s for (a, r), (b, s) in zip(*drawn, strict=True))


def test_it_stands_for_the_loader_that_the_runner_would_build(tiny_store):
    found, wanted = streaming(tiny_store), loader(tiny_store)
    assert type(wanted) is DataLoader and isinstance(found, DataLoader)
    assert isinstance(found.dataset, GFSLDataset) and isinstance(found.batch_sampler, ClassBalancedBatchSampler)
    assert type(found.sampler) is type(wanted.sampler) and found.batch_size is wanted.batch_size
    assert type(loader(tiny_store, device='cpu')) is DataLoader


def test_a_loader_of_your_own_keeps_how_it_collates(tiny_store):
    plain = streaming(tiny_store)
    own = DataLoader(plain.dataset, batch_sampler=plain.batch_sampler, collate_fn=lambda batch: dict(batch, own=True))
    found = PhaseRunner.build_dataloader(own)
    assert isinstance(found, StreamingLoader) and all(batch['own'] for batch in found)


def test_no_more_than_a_few_batches_are_made_ahead(tiny_store):
    made, used, one = [], 0, streaming(tiny_store, 20)
    gather = one.dataset.__getitems__
    one.dataset.__getitems__ = lambda index: (made.append(threading.current_thread().name), gather(index))[1]
    for used, _ in enumerate(one, start=1):
        assert used <= len(made) <= used + _BATCHES - 1
        assert 1 <= threads() <= _BATCHES
    assert used == len(made) == 20 and all(name.startswith('batch') for name in made)


def test_an_exception_in_a_thread_is_raised_in_the_main_thread_in_its_turn(tiny_store):
    one, wanted = streaming(tiny_store), list(streaming(tiny_store))
    gather, bad = one.dataset.__getitems__, wanted[2]['index'].tolist()

    def fail(index):
        if index == bad:
            raise DataError(f'visual.npy: {index} cannot be read')
        return gather(index)

    one.dataset.__getitems__, batches = fail, iter(one)
    assert same(next(batches), wanted[0]) and same(next(batches), wanted[1])
    with pytest.raises(DataError, match=r'visual\.npy: .* cannot be read'):
        next(batches)
    assert threads() == 0


def test_no_thread_is_left_where_a_loop_is_stopped(tiny_store):
    with pytest.raises(KeyboardInterrupt):
        for _ in streaming(tiny_store):
            assert threads()
            raise KeyboardInterrupt
    gc.collect()
    assert threads() == 0
    batches = iter(streaming(tiny_store))
    next(batches)
    batches.close()
    assert threads() == 0


def test_a_copy_of_the_process_ends_and_the_batches_go_on(tiny_store):
    one, wanted = iter(streaming(tiny_store)), list(streaming(tiny_store))
    found = [next(one)]
    child = os.fork()
    if child == 0:
        one.close()  # Its threads are not here.
        os._exit(threads())
    assert os.waitpid(child, 0)[1] == 0
    found += one
    assert len(found) == 7 and all(map(same, found, wanted))


def test_features_that_a_model_computed_are_served_as_by_the_plain_loader(tiny_store):
    one = streaming(tiny_store)
    one.dataset.computed = lambda index: dict(fused=torch.from_numpy(index).float())
    for batch in one:
        assert torch.equal(batch['features']['fused'], batch['index'].float()) and threads() == 0


def test_a_device_that_is_not_there_is_refused_before_the_first_batch(tiny_store):
    with pytest.raises(ConfigError, match=r"dataset\.device='cuda:77' cannot be used"):
        iter(streaming(tiny_store, device='cuda:77'))


def run(cfg) -> list[dict]:
    """Train, and return the results and the losses of each epoch; validation and test read by the same loaders."""
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        finish = PhaseHook._finish_epoch
        patch.setattr(
            PhaseHook,
            '_finish_epoch',
            lambda self, *args: (kept.append(dict(self.history[-1])), finish(self, *args)),
        )
        results = without_provenance(CurriculumRunner(cfg).train())
    return [results, *kept]


def options(device: str, resident: bool) -> list[str]:
    loaders = [f'{name}_dataloader.dataset' for name in ('train', 'val', 'test')]
    return [f'{name}.{key}' for name in loaders for key in (f'device={device}', f'resident={resident}')]


@pytest.mark.parametrize('device', DEVICES)
def test_a_run_on_batches_made_ahead_is_that_on_a_store_in_the_devices_memory(
    tmp_path, small_avdiff, device, monkeypatch, deterministic
):
    less = (
        'curriculum.num_draws=1',
        'randomness.deterministic=True',
        f'default_hooks.graphs.enabled={device != "cpu"}',
    )
    less += (
        'train_dataloader.batch_sampler.num_batches=6',
        'curriculum.base.max_epochs=2',
        'curriculum.full.max_epochs=1',
    )
    held = run(small_avdiff(tmp_path / 'held', *less, *options(device, True)))
    made, batches = [], StreamingLoader._batches
    monkeypatch.setattr(StreamingLoader, '_batches', lambda *args: (made.append(args), batches(*args))[1])
    found = run(small_avdiff(tmp_path / 'streamed', *less, *options(device, False)))
    assert found == held and len(made) > 6 and threads() == 0


def test_a_step_waits_for_its_batch_and_a_batch_for_the_step_of_an_earlier_one(tiny_store, monkeypatch):
    """Streams and events stand for those of a GPU."""
    steps, waits, ready = [], [], SimpleNamespace(name='copies of a batch')
    stream = SimpleNamespace(device='cuda:0', record_event=lambda: ready, wait_event=steps.append)

    def event(blocking):
        done = len(steps)
        return SimpleNamespace(record=lambda on: None, synchronize=lambda: waits.append(done))

    monkeypatch.setattr('avzoo.engine.streaming_loader._stream_of', lambda _: stream)
    for name, value in dict(current_stream=lambda _: stream, Event=event).items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.cuda, 'set_stream', lambda _: None)
    assert len(list(streaming(tiny_store, 10)._batches(_Copies(torch.device('cuda'))))) == 10
    assert steps == [ready] * 10
    assert sorted(waits) == [0] * _BATCHES + list(range(1, 11 - _BATCHES))  # Steps that are done.


def test_a_data_set_of_your_own_need_not_know_about_it(tiny_store):
    class Own(GFSLDataset):
        streams_to = property()

    data = Own(tiny_store, splits=('stage1_base',), num_shots=2)
    cfg = dict(batch_size=2, dataset=data, sampler=DefaultSampler(data, shuffle=False))
    assert type(PhaseRunner.build_dataloader(cfg)) is DataLoader
