"""The base of every extractor: a frozen network that turns frames or sound into a sequence of features."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avzoo.extraction.media import MediaFile

# A batch of inputs (B, ...) of float32 to features (B, D).
Compute = Callable[[np.ndarray], np.ndarray]


class TorchNetwork:
    """A frozen torch network as a function of arrays.

    Args:
        network: Turns (B, ...) into (B, D).
        device: Device to compute on.
    """

    def __init__(self, network: Callable[[torch.Tensor], torch.Tensor], device: str = 'cpu') -> None:
        self.network = network.to(device) if isinstance(network, torch.nn.Module) else network
        self.device = device

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.network(torch.from_numpy(batch).to(self.device)).float().cpu().numpy()


class Extractor(ABC):
    """A frozen network whose steps are the features of one modality.

    A subclass sets ``modality`` (``audio`` or ``visual``) and ``dim``, and is registered in ``EXTRACTORS`` under the
    name that users write. Its constructor arguments are the options of ``tools/extract_features.py``. If its signature
    has them, it also gets ``name`` (the part after the colon), ``device``, and ``modality``, if it can read either.

    Attributes:
        modality: ``audio`` or ``visual``; ``''`` for a class whose objects can read either.
        dim: Width of the features.
        needs: Packages that it imports; their versions are recorded.
        compute: Its network, or ``None`` if it has none. Everything else can be sent to another process, which prepares
            the inputs while the network stays where it is (:mod:`avzoo.extraction.shared_networks`).
    """

    modality: str
    dim: int
    needs: tuple[str, ...] = ()
    compute: Compute | None = None

    @abstractmethod
    def seconds_per_step(self, media: MediaFile) -> float:
        """Return the seconds of a clip that one step covers."""

    @abstractmethod
    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        """Return the features (T, D) of float32 of a clip from ``start`` to before ``end`` (seconds).

        The clip is read as a stream, so memory does not grow with its length. T is 0 if the clip is too short.
        """

    @abstractmethod
    def stamp(self) -> dict[str, Any]:
        """Return what determines the features, as plain values: recipe, options, the SHA-256 of the weights."""


def plain_name(path: str) -> str:
    """Return the name of a file or folder for a stamp: without parent folders, which differ between machines."""
    return re.sub(r'\s+', '_', Path(path).name)


def in_batches(inputs: Iterator[np.ndarray], compute: Compute, *, dim: int, batch_size: int) -> np.ndarray:
    """Return the features (T, D) of inputs that arrive one by one.

    Every batch is filled to the same size: libraries choose kernels by size, and a feature must not depend on the
    number of others in its batch.

    Args:
        inputs: Arrays of one shape.
        compute: The network.
        dim: D, the width if there is no input.
        batch_size: B.
    """
    found = [np.zeros((0, dim), np.float32)]
    while batch := list(islice(inputs, batch_size)):
        array = np.zeros((batch_size, *batch[0].shape), np.float32)
        array[: len(batch)] = batch
        found.append(compute(array)[: len(batch)])
    return np.concatenate(found)
