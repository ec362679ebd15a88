"""Weights of a model that was compiled or spread over devices have the names of the model."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from avzoo.checkpoints.states import without_wrappers
from avzoo.extraction.network_weights import load_exactly, read_weights
from avzoo.utils.errors import CheckpointError

FORMS = {
    'plain.pt': lambda state, path: torch.save(state, path),
    'nested.pth': lambda state, path: torch.save({'state_dict': state, 'epoch': 3}, path),
    'weights.safetensors': save_file,
}


@pytest.mark.parametrize('wrapper', ['', 'module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.'])
@pytest.mark.parametrize('name', FORMS)
def test_weights_of_a_wrapped_network_are_loaded_exactly(tmp_path, name, wrapper):
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    FORMS[name]({wrapper + key: value for key, value in network.state_dict().items()}, tmp_path / name)
    other = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    load_exactly(other, read_weights(tmp_path / name), tmp_path / name)
    assert all(torch.equal(other.state_dict()[key], value) for key, value in network.state_dict().items())


def test_parts_that_were_compiled_one_by_one_have_their_names():
    weights = {'0._orig_mod.weight': torch.ones(1), '1.bias': torch.ones(1)}
    assert list(without_wrappers(weights)) == ['0.weight', '1.bias']


def test_a_part_that_is_called_module_keeps_its_name():
    weights = {'module.weight': torch.ones(1), 'head.weight': torch.ones(1)}
    assert list(without_wrappers(weights)) == list(weights)


def test_two_weights_never_become_one():
    with pytest.raises(CheckpointError, match='_orig_mod'):
        without_wrappers({'a._orig_mod.weight': torch.ones(1), 'a.weight': torch.zeros(1)})


def test_a_whole_network_is_not_run_and_the_error_says_how_to_save_its_weights(tmp_path):
    torch.save(nn.Linear(2, 3), tmp_path / 'model.pt')
    with pytest.raises(CheckpointError, match=r'Linear.*not opened.*torch\.save\(model\.state_dict\(\)'):
        read_weights(tmp_path / 'model.pt')
