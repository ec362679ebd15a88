"""The weights of an extractor's network: from a path, the cache, or the URL where they are published."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from avzoo.checkpoints.safe_load import load_tensors
from avzoo.checkpoints.states import without_wrappers
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import sha256_of
from avzoo.zoo.fetch import fetch


def find_weights(
    path: str | os.PathLike[str] | None, name: str, addresses: Sequence[str], sha256_prefix: str = ''
) -> Path:
    """Return a file of weights.

    Args:
        path: The user's own file; without one, the cache and then the URLs are tried.
        name: File name in the cache.
        addresses: URLs where the file is published.
        sha256_prefix: The first digits of its SHA-256, if published.

    Raises:
        CheckpointError: If there is no such file.
        DownloadError: If it could not be downloaded; says where to put it by hand.
    """
    if path is not None:
        if not Path(path).is_file():
            raise CheckpointError(f'weights={path}: there is no such file. Check the path.')
        return Path(path)
    return fetch(f'extractors/{name}', addresses, accept=lambda found: sha256_of(found).startswith(sha256_prefix))


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from a torch or safetensors file, without executing any code.

    Raises:
        CheckpointError: If it holds anything else.
    """
    if path.suffix == '.safetensors':
        try:
            return without_wrappers(load_file(path))
        except Exception as error:
            raise CheckpointError(f'{path} is not a readable safetensors file: {error}.') from error
    found = load_tensors(path, str(path), 'Save a plain state dict with torch.save(model.state_dict(), FILE).')
    if isinstance(found, Mapping) and isinstance(found.get('state_dict'), Mapping):
        found = found['state_dict']
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise CheckpointError(f'{path} does not hold a dict of tensors. Save only model.state_dict().')
    return without_wrappers(found)


def load_exactly(network: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> nn.Module:
    """Load weights whose names and shapes match the network exactly, and freeze it in evaluation mode.

    Args:
        network: The network; if built on the device ``meta``, it uses the tensors themselves.
        weights: Its weights.
        path: File that they come from.

    Raises:
        CheckpointError: If they differ; names the first tensors that do.
    """
    wanted = network.state_dict()
    odd = sorted(wanted.keys() ^ weights.keys()) or [
        name for name, value in wanted.items() if value.shape != weights[name].shape
    ]
    if odd:
        raise CheckpointError(
            f'{path} does not fit {type(network).__name__}: {number_of(len(odd), "tensor differs", "tensors differ")} '
            f'in name or shape, first {", ".join(odd[:3])}. Give the weights of this network.'
        )
    weights = {name: weights[name].to(value.dtype) for name, value in wanted.items()}
    network.load_state_dict(weights, assign=any(value.is_meta for value in wanted.values()))
    return network.eval().requires_grad_(False)
