"""The modalities' means over time, side by side."""

import torch
from torch import Tensor, nn

from avzoo.models.layers.masking import masked_mean
from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class ConcatFusion(nn.Module):
    """Concatenate each modality's mean over its real steps, in the order of the model's encoders (ProtoGAN).

    Args:
        dims: {modality: token width}.
    """

    def __init__(self, dims: dict[str, int]) -> None:
        super().__init__()
        self.out_dim, self.num_readouts = sum(dims.values()), 1

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, sum of widths)."""
        return torch.cat([masked_mean(x, masks[m]) for m, x in tokens.items()], dim=1)
