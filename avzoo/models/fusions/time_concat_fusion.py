"""All steps of all modalities, side by side."""

import torch
from torch import Tensor, nn

from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class TimeConcatFusion(nn.Module):
    """Concatenate the steps of each modality in order, then the modalities: the order in time stays visible.

    Args:
        dims: {modality: token width}.
        num_bins: Steps of every sequence, which the data preprocessor gives with ``time_bins``.
    """

    def __init__(self, dims: dict[str, int], *, num_bins: int | None) -> None:
        super().__init__()
        if num_bins is None:
            raise ValueError(
                'it needs the same number of steps in every video; set data_preprocessor.time_bins, or use '
                'ConcatFusion, which averages over time.'
            )
        self.out_dim, self.num_readouts = num_bins * sum(dims.values()), 1

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Fuse tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, T * sum of widths)."""
        return torch.cat([(x * masks[m].unsqueeze(-1)).flatten(1) for m, x in tokens.items()], dim=1)
