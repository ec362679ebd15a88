"""No encoder."""

from torch import Tensor, nn

from avzoo.registry import ENCODERS


@ENCODERS.register_module()
class Identity(nn.Module):
    """Pass features on as they are, for methods that join the modalities before their first layer.

    Args:
        in_dim: Width of the features.
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        self.out_dim = in_dim

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return x (B, T, D)."""
        return x
