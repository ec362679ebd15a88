"""The linear classifier CL_net."""

import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.registry import HEADS


@HEADS.register_module()
class LinearHead(nn.Module):
    """Classify c_o by one linear layer and cross-entropy (AV-DIFF, sec. 4.1).

    Args:
        in_dim: Width of c_o.
        num_classes: Number of classes C, base and novel.
        loss_weight: Weight of the cross-entropy.
    """

    def __init__(self, in_dim: int, num_classes: int, *, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.fc = nn.Linear(in_dim, num_classes)

    def loss(self, c_o: Tensor, labels: Tensor, context: dict | None = None) -> dict[str, Tensor]:
        """Return ``loss_ce`` for features (B, d_out) and labels (B,)."""
        return {'loss_ce': self.loss_weight * F.cross_entropy(self.fc(c_o), labels)}

    def scores(self, c_o: Tensor, context: dict | None = None) -> Tensor:
        """Return class probabilities (B, C)."""
        return self.fc(c_o).float().softmax(-1)
