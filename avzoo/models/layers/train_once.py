"""Do not train a network a second time where this process has just trained an equal one."""

import hashlib
from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

Values = dict[str, float]
_last: dict[str, tuple[dict[str, Tensor], Values]] = {}  # The last training only: its inputs' digest and its outcome.


def train_once(network: nn.Module, settings: str, inputs: Sequence[Tensor], train: Callable[[], Values]) -> Values:
    """Train a network, or load what an equal training of it has led to; returns the values for the log.

    The draws of a run share their base classes, and with these all that such a generator learns from. A training that
    draws from PyTorch's global generator is not kept.

    Args:
        network: Trained in place.
        settings: Everything else that decides the outcome.
        inputs: What it is trained on.
        train: Trains it.
    """
    key = _digest(f'{settings} {torch.get_num_threads()}', [*network.state_dict().values(), *inputs])
    if key not in _last:
        before = _random_state()
        values = train()
        _last.clear()
        if not torch.equal(before, _random_state()):
            return values
        _last[key] = deepcopy(network.state_dict()), values
    state, values = _last[key]
    network.load_state_dict(state)
    return dict(values)


def _digest(settings: str, tensors: Sequence[Tensor]) -> str:
    digest = hashlib.sha256(settings.encode())
    for tensor in tensors:
        digest.update(f'{tuple(tensor.shape)} {tensor.dtype} {tensor.device}'.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _random_state() -> Tensor:
    states = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]
    return torch.cat(states)
