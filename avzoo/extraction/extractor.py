"""What every extractor is: a frozen network that turns frames or sound into a sequence of features."""

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
    """A frozen network of torch as a function of arrays.

    Args:
        network: Turns (B, ...) into (B, D).
        device: Where it computes.
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
    name that a user writes. Its constructor's arguments are the options of ``tools/extract_features.py``; what it gets
    besides, where it asks for it: ``name`` (what follows the colon), ``device``, and ``modality``, if it reads either.

    Attributes:
        modality: ``audio`` or ``visual``; a class whose objects read either has ``''``.
        dim: Width of the features.
        needs: Packages that it imports; their versions are recorded.
        compute: Its network, or ``None`` if it has none. Everything else can be sent to another process, which prepares
            the inputs and has the network computed where it is (:mod:`avzoo.extraction.shared_networks`).
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

        The clip is read as a stream, so that memory does not grow with its length. T is 0 where it is too short.
        """

    @abstractmethod
    def stamp(self) -> dict[str, Any]:
        """Return what decides the features, as plain values: recipe, options, the SHA-256 of the weights."""


def plain_name(path: str) -> str:
    """Return the name of a file or folder as it stands in a stamp: without its folders, which differ by machine."""
    return re.sub(r'\s+', '_', Path(path).name)


def in_batches(inputs: Iterator[np.ndarray], compute: Compute, *, dim: int, batch_size: int) -> np.ndarray:
    """Return the features (T, D) of inputs that arrive one by one.

    A batch is always filled to the same size, since libraries choose other kernels for other sizes: a feature must not
    depend on how many came with it.

    Args:
        inputs: Arrays of one shape.
        compute: The network.
        dim: D, the width where there is no input.
        batch_size: B.
    """
    found = [np.zeros((0, dim), np.float32)]
    while batch := list(islice(inputs, batch_size)):
        array = np.zeros((batch_size, *batch[0].shape), np.float32)
        array[: len(batch)] = batch
        found.append(compute(array)[: len(batch)])
    return np.concatenate(found)
