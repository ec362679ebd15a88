"""Counts, means and the pooled covariance of classes, from one pass over their features."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClassStatistics:
    """What a pass over features found; memory does not grow with their number.

    Attributes:
        counts: Features of each class, (C,).
        means: Mean of each class, (C, d); zeros where it has none.
        products: Sum of the outer products of all features, (d, d).
    """

    counts: Tensor
    means: Tensor
    products: Tensor

    @classmethod
    def of(cls, batches: Iterable[tuple[Tensor, Tensor]], num_classes: int) -> 'ClassStatistics':
        """Read batches of features (B, d), in double precision, and labels (B,)."""
        counts = sums = products = torch.zeros(())
        for x, labels in batches:
            if not sums.dim():
                counts, sums = x.new_zeros(num_classes), x.new_zeros(num_classes, x.shape[1])
                products = x.new_zeros(x.shape[1], x.shape[1])
            counts += labels.bincount(minlength=num_classes)
            sums.index_add_(0, labels, x)
            products += x.t() @ x
        return cls(counts, sums / counts.clamp(min=1).unsqueeze(1), products)

    def within_covariance(self) -> Tensor:
        """Return the covariance within classes, (d, d): a class of n features counts n - 1 times."""
        freedom = (self.counts.sum() - (self.counts > 0).sum()).clamp(min=1)
        return (self.products - self.means.t() @ (self.counts.unsqueeze(1) * self.means)) / freedom
