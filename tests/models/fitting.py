"""A training set as parts see it that are fitted to it: classes around means, in batches."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from avzoo.models.contracts import FittingSet


def clustered(counts: list[int], dim: int, *, spread: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return features (N, d) of classes with ``counts`` videos, shuffled, and labels (N,)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    scale = np.linspace(0.3, 1.5, dim)
    means = rng.normal(size=(len(counts), dim)) * spread * scale[::-1]
    x = 0.7 + means[labels] + rng.normal(size=(len(labels), dim)) * scale
    return torch.tensor(x, dtype=torch.float32), torch.tensor(labels)


def fitting_set(x: Tensor, labels: Tensor, num_base: int, num_classes: int, *, batch: int = 7, **facts) -> FittingSet:
    """Return a training set of which the first classes are base."""
    defaults = dict(conditions=None, class_variance=None, generator=None, seed=0)
    return FittingSet(
        batches=lambda: zip(x.split(batch), labels.split(batch), strict=True),
        num_videos=len(x),
        base_mask=torch.arange(num_classes) < num_base,
        **(defaults | facts),
    )


def spied(training: FittingSet) -> tuple[FittingSet, list[int]]:
    """Return a training set that notes how many passes were begun."""
    passes: list[int] = []

    def batches():
        passes.append(1)
        return training.batches()

    return replace(training, batches=batches), passes
