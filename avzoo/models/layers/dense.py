"""The unit of which the small networks of AV-DIFF, TCAF and AVCA are made."""

from torch import nn


def dense_layers(in_dim: int, out_dim: int, *, dropout: float, bn_momentum: float = 0.1) -> list[nn.Module]:
    """Return a linear layer, BatchNorm, ReLU and dropout.

    Args:
        in_dim: Width of the input.
        out_dim: Width of the output.
        dropout: Dropout probability.
        bn_momentum: Momentum of the running statistics of BatchNorm.
    """
    return [nn.Linear(in_dim, out_dim), nn.BatchNorm1d(out_dim, momentum=bn_momentum), nn.ReLU(), nn.Dropout(dropout)]
