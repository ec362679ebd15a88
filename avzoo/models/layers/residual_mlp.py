"""A residual network that begins as the identity."""

from torch import Tensor, nn

from avzoo.registry import ENCODERS, PROJECTORS


@ENCODERS.register_module()
@PROJECTORS.register_module()
class ResidualMLP(nn.Module):
    """Add to features what a two-layer network computes from them; its last layer is zero at first.

    The features then keep what they reveal about novel classes unless training finds something better.

    Args:
        in_dim: Width of the input and of the output.
        hidden_dim: Width of the hidden layer.
        dropout: Dropout probability after the hidden layer.
    """

    def __init__(self, in_dim: int, *, hidden_dim: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.out_dim = in_dim
        last = nn.Linear(hidden_dim, in_dim)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(), nn.Dropout(dropout), last)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map x (..., in_dim) step by step; what lies at padded steps enters nothing else."""
        return x + self.net(x)
