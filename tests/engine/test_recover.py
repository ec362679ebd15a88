"""Checkpoints are given up only where they are damaged, never where the machine is at fault."""

import pytest
import torch

from avzoo.checkpoints.training import TRAINING_FORMAT, save_checkpoint
from avzoo.engine.curriculum import recover
from avzoo.engine.curriculum.recover import checkpoint_to_resume
from avzoo.utils.errors import CheckpointError


@pytest.fixture
def folder(tmp_path):
    """A phase with a last and a best checkpoint, of its second and first epoch."""
    history = [dict(epoch=1, HM=2.0, lr=1.0), dict(epoch=2, HM=1.0, lr=1.0)]
    for name, epochs in (('last', 2), ('best', 1)):
        meta = dict(format=TRAINING_FORMAT, epoch=epochs, history=history[:epochs])
        save_checkpoint(tmp_path / f'{name}.pth', dict(meta=meta, state_dict={'x': torch.ones(2)}, optimizer={}))
    return tmp_path


@pytest.fixture
def readable(monkeypatch):
    """Read checkpoints without the checks of a whole one, which these are not."""
    monkeypatch.setattr(
        recover, 'load_checkpoint', lambda path: torch.load(checked(path), weights_only=True, map_location='cpu')
    )


def checked(path):
    if not path.is_file() or not path.read_bytes():
        raise CheckpointError(f'{path} is empty')
    return path


def test_whole_checkpoints_go_on(folder, readable):
    assert checkpoint_to_resume(folder, 'HM') == folder / 'last.pth'


def test_an_empty_last_checkpoint_becomes_the_best_one(folder, readable):
    (folder / 'last.pth').write_bytes(b'')
    assert checkpoint_to_resume(folder, 'HM') == folder / 'last.pth'
    assert (folder / 'last.pth').read_bytes() == (folder / 'best.pth').read_bytes()


def test_no_epoch_follows_on_a_checkpoint_without_its_optimizer(folder, readable):
    content = torch.load(folder / 'best.pth', weights_only=True)
    del content['optimizer']
    save_checkpoint(folder / 'best.pth', content)
    (folder / 'last.pth').write_bytes(b'')
    assert checkpoint_to_resume(folder, 'HM') is None


def test_what_is_given_up_is_kept(folder, readable):
    kept = (folder / 'last.pth').read_bytes()
    (folder / 'best.pth').write_bytes(b'')  # The best epoch is not the last: it cannot be replaced.
    assert checkpoint_to_resume(folder, 'HM') is None
    assert (folder / 'last.pth.damaged').read_bytes() == kept and not (folder / 'last.pth').exists()


@pytest.mark.parametrize('words', ['takes twice as much memory as is free', 'cannot be read: Permission denied'])
def test_a_machine_that_cannot_read_a_checkpoint_costs_nothing(folder, monkeypatch, words):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fails(path):
        raise CheckpointError(f'{path} {words}')

    monkeypatch.setattr(recover, 'load_checkpoint', fails)
    with pytest.raises(CheckpointError, match=words):
        checkpoint_to_resume(folder, 'HM')
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
