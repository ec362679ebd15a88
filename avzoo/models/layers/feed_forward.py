"""The feed-forward network of transformer layers."""

from torch import Tensor, nn


class FeedForward(nn.Module):
    """Two linear layers with an activation between, and dropout after each; its weights are named as in timm's ``Mlp``.

    Importing ``timm.layers`` also imports torchvision, which takes longer than to classify a clip.

    Args:
        dim: Width of input and output.
        hidden_dim: Width between the layers.
        act_layer: The activation.
        dropout: Dropout probability.
    """

    def __init__(
        self, dim: int, hidden_dim: int, *, act_layer: type[nn.Module] = nn.GELU, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = act_layer()
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop2 = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., dim) to (..., dim)."""
        return self.drop2(self.fc2(self.drop1(self.act(self.fc1(x)))))
