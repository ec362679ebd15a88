"""A file of weights is data: whatever it holds, it runs nothing, ends soon, and takes no more memory than its size."""

import os
import resource
import sys
import time

import pytest
import torch

from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.checkpoints.zoo_weights import write_zoo_weights
from avzoo.utils.errors import CheckpointError
from tests.checkpoints.hostile_files import DEEP, TRAINING_FILES, WEIGHTS_FILES, lacking

CASES = [(name, '.pth', make) for name, make in TRAINING_FILES.items()]
CASES += [(name, '.safetensors', make) for name, make in WEIGHTS_FILES.items()]
MEGABYTES = 200  # Measured: 18.


@pytest.fixture
def no_import():
    before = set(sys.modules)
    yield
    assert {name for name in set(sys.modules) - before if name.split('.')[0] not in ('torch', 'encodings')} == set()


@pytest.mark.parametrize(('name', 'suffix', 'make'), CASES, ids=[f'{name}{suffix}' for name, suffix, _ in CASES])
def test_a_file_that_lies_is_refused_in_one_line(tmp_path, no_import, name, suffix, make):
    path = tmp_path / f'w{suffix}'
    path.write_bytes(make())
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(path)
    text = str(refused.value)
    assert str(path) in text and '\n' not in text and len(text) < 1000


def peak_megabytes(function) -> float:
    """Return by how much a call raises the peak of the memory of a process, which is a child made for it."""
    read, write = os.pipe()
    if not (child := os.fork()):
        start, before = resident_megabytes(), time.monotonic()
        try:
            function()
        finally:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            os.write(write, f'{peak - start} {time.monotonic() - before}'.encode())
            os._exit(0)
    os.waitpid(child, 0)
    peak, seconds = map(float, os.read(read, 100).split())
    os.close(read), os.close(write)
    return peak, seconds


def resident_megabytes() -> float:
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGESIZE') / (1 << 20)


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc and forks')
def test_no_such_file_takes_much_memory_or_time(tmp_path):
    paths = []
    for number, (_, suffix, make) in enumerate(CASES):
        paths.append(tmp_path / f'{number}{suffix}')
        paths[-1].write_bytes(make())

    def load_all():
        for path in paths:
            try:
                load_checkpoint(path)
            except CheckpointError:
                continue

    peak, seconds = peak_megabytes(load_all)
    assert peak < MEGABYTES and seconds < 60


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc and forks')
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_loading_takes_at_most_four_times_the_size_of_the_file(tmp_path, suffix):
    path, state = tmp_path / f'w{suffix}', {'w': torch.ones(25, 1 << 18), 'v': torch.ones(25, 1 << 18)}
    if suffix == '.pth':
        save_checkpoint(path, dict(meta=dict(format=TRAINING_FORMAT), state_dict=state))
    else:
        write_zoo_weights(path, state, {})
    size = path.stat().st_size / (1 << 20)
    peak, _ = peak_megabytes(lambda: load_checkpoint(path))
    assert size > 50 and peak < 4 * size  # Measured: 2.2.


@pytest.mark.parametrize('name', ['w.pth', 'w.safetensors'])
@pytest.mark.parametrize('size', [1 << 20, 1 << 40])
def test_a_file_that_is_one_hole_is_not_read(tmp_path, name, size):
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(lacking(tmp_path / name, size))


@pytest.mark.parametrize('name', ['w.pth', 'w.safetensors'])
def test_what_is_not_a_regular_file_is_not_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)
    (tmp_path / f'link-{name}').symlink_to('/dev/zero')
    (tmp_path / f'folder-{name}').mkdir()
    for path in (tmp_path / name, tmp_path / f'link-{name}', tmp_path / f'folder-{name}'):
        with pytest.raises(CheckpointError, match=rf'{path.name} is not a file'):
            load_checkpoint(path)


@pytest.mark.parametrize('kind', ['pipe', 'deep', 'huge'])
def test_a_json_beside_the_weights_that_lies_is_refused(tmp_path, kind):
    path = write_zoo_weights(tmp_path / 'w.safetensors', {'w': torch.zeros(2)}, {})
    beside = path.with_suffix('.json')
    beside.unlink()
    if kind == 'pipe':
        os.mkfifo(beside)
    elif kind == 'deep':
        beside.write_text(DEEP)
    else:
        lacking(beside, 1 << 40)
    with pytest.raises(CheckpointError, match=r'w.json does not describe the weights next to it'):
        load_checkpoint(path)


CLASSES = (
    [None],
    [1, 'a'],
    ['a', 'a'],
    ['a', ''],
    ['a', ' b'],
    ['a', 'b\x1b[2J'],
    ['a', 'b\n| forged |'],
    'ab',
    {'a': 1},
)
MASKS = ['yes', 'no'], [0, 1], [1.0, 0.0], 'tf', [None, True]


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize(
    ('entry', 'value'),
    [
        *(('classes', value) for value in CLASSES),
        *(('base_mask', value) for value in MASKS),
        ('gamma', float('nan')),
        ('gamma', float('inf')),
        ('data_info', dict(feature_dims={'audio': 0})),
        ('data_info', dict(feature_dims={'audio': 10**30})),
        ('data_info', dict(seconds_per_step={'audio': float('inf')})),
        ('data_info', dict(seconds_per_step={'audio': -1.0})),
        ('data_info', dict(num_classes=True)),
        ('data_info', dict(num_classes=2.0)),
        ('data_info', dict(embedding_dim=2**40)),
    ],
)
def test_what_a_file_says_of_itself_is_refused_by_its_name(tmp_path, suffix, entry, value):
    info = dict(feature_dims={'audio': 6}, seconds_per_step={'audio': 0.96}, num_classes=2, embedding_dim=5)
    path, meta = tmp_path / f'w{suffix}', {entry: info | value if entry == 'data_info' else value}
    if suffix == '.pth':
        save_checkpoint(path, dict(meta=dict(meta, format=TRAINING_FORMAT), state_dict={}))
    else:
        write_zoo_weights(path, {}, meta)
    with pytest.raises(CheckpointError, match=rf'{path.name} is damaged or was changed: meta\.{entry}') as refused:
        load_checkpoint(path)
    assert str(refused.value).isprintable()


def test_a_key_of_the_config_that_is_not_text_is_refused(tmp_path):
    meta = dict(format=TRAINING_FORMAT, config=dict(model=dict(fusion={1: 2})))
    save_checkpoint(tmp_path / 'w.pth', dict(meta=meta, state_dict={}))
    with pytest.raises(CheckpointError, match=r'meta\.config\.model\.fusion has the key 1, which is not text'):
        load_checkpoint(tmp_path / 'w.pth')


@pytest.mark.parametrize('name', ['gamma', 'scale', 'head.weight'])
@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, name, value):
    save_checkpoint(tmp_path / 'w.pth', dict(meta=dict(format=TRAINING_FORMAT), state_dict={name: torch.tensor(value)}))
    with pytest.raises(CheckpointError, match=f'NaN or infinity in {name}'):
        load_checkpoint(tmp_path / 'w.pth')
