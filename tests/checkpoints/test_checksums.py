"""Damage to a file of weights is found when it is loaded: each file carries a checksum of its own content."""

import hashlib
import random

import pytest
import torch

from avzoo.checkpoints.checksums import safetensors_is_intact
from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.checkpoints.zoo_weights import write_zoo_weights
from avzoo.utils.errors import CheckpointError
from tests.checkpoints.hostile_files import seal_zip

STATE = {'fc.weight': torch.arange(6.0).view(2, 3), 'gamma': torch.tensor(0.25, dtype=torch.float64)}


@pytest.fixture
def training(tmp_path):
    """A training checkpoint with optimizer and history."""
    path = tmp_path / 'last.pth'
    meta = dict(format=TRAINING_FORMAT, history=[dict(epoch=1, loss=0.5)], config=dict(model=dict(dims=(1, 2))))
    save_checkpoint(path, dict(meta=meta, state_dict=STATE, optimizer=dict(state={0: dict(exp_avg=torch.ones(3))})))
    return path


@pytest.fixture(params=['training', 'weights', 'weights without their JSON'])
def file(request, tmp_path):
    """Each kind of file that ``load_checkpoint`` reads."""
    if request.param == 'training':
        return request.getfixturevalue('training')
    path = write_zoo_weights(tmp_path / 'w.safetensors', STATE, dict(classes=['a', 'b']))
    if request.param != 'weights':
        path.with_suffix('.json').unlink()
    return path


def test_a_flipped_bit_is_found_wherever_it_stands(file):
    data, draw = file.read_bytes(), random.Random(0)
    assert load_checkpoint(file)['state_dict'].keys() == STATE.keys()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << draw.randrange(8)
        file.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=file.name):
            load_checkpoint(file)


@pytest.mark.parametrize('lost', [1, 10, 64, 77, 78, 200])
def test_a_file_that_lost_its_end_is_refused(file, lost):
    file.write_bytes(file.read_bytes()[:-lost])
    with pytest.raises(CheckpointError, match=file.name):
        load_checkpoint(file)


def test_a_training_checkpoint_without_a_checksum_is_refused(training):
    torch.save(load_checkpoint(training), training)
    with pytest.raises(CheckpointError, match=r'last.pth has no checksum'):
        load_checkpoint(training)


def test_torch_reads_a_training_checkpoint(training):
    content = torch.load(training, weights_only=True)
    assert content['meta']['config'] == dict(model=dict(dims=(1, 2)))
    assert torch.equal(content['state_dict']['fc.weight'], STATE['fc.weight'])


def test_a_file_that_was_hashed_just_now_is_not_hashed_again(file, monkeypatch):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(hashlib, 'sha256', lambda *data: pytest.fail('hashed again'))
    assert load_checkpoint(file, sha256=digest)['meta']


def test_the_checksum_of_a_zip_stands_in_its_comment(training):
    data = training.read_bytes()
    assert seal_zip(data[:-79] + b'\0\0') == data


def test_the_weights_of_the_repository_carry_a_checksum(repo_dir):
    files = sorted((repo_dir / 'weights').glob('*.safetensors'))
    assert files and all(safetensors_is_intact(file.read_bytes()) for file in files)
