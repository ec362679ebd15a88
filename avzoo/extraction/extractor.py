"""What every extractor is: a frozen network that turns frames or sound into a sequence of features."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from avzoo.extraction.media import MediaFile


class Extractor(ABC):
    """A frozen network whose steps are the features of one modality.

    A subclass sets ``modality`` (``audio`` or ``visual``) and ``dim``, and is registered in ``EXTRACTORS`` under the
    name that a user writes. Its constructor's arguments are the options of ``tools/extract_features.py``.
    """

    modality: str
    dim: int

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


def in_batches(
    inputs: Iterator[np.ndarray],
    network: Callable[[torch.Tensor], torch.Tensor],
    *,
    dim: int,
    batch_size: int,
    device: str = 'cpu',
) -> np.ndarray:
    """Return the features (T, D) of inputs that arrive one by one.

    A batch is always filled to the same size, since libraries choose other kernels for other sizes: a feature must not
    depend on how many came with it.

    Args:
        inputs: Arrays of one shape.
        network: Turns (B, ...) into (B, D).
        dim: D, the width where there is no input.
        batch_size: B.
        device: Where the network is.
    """
    found = [np.zeros((0, dim), np.float32)]
    with torch.inference_mode():
        while batch := list(islice(inputs, batch_size)):
            array = np.zeros((batch_size, *batch[0].shape), np.float32)
            array[: len(batch)] = batch
            found.append(network(torch.from_numpy(array).to(device))[: len(batch)].float().cpu().numpy())
    return np.concatenate(found)
