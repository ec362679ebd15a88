"""SLDG: averages over time under Gaussian weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.layers.masking import logit_bias
from avzoo.protocol import MODALITIES
from avzoo.registry import FUSIONS


@FUSIONS.register_module()
class GaussianTemporalPool(nn.Module):
    """Describe a sequence by means under Gaussians over its relative time (after TAV, Bo et al. 2020).

    Each Gaussian has a centre and a width in units of the video's length, so that it follows the length. The means of
    all Gaussians are concatenated, and, unless ``late``, those of all modalities.

    Args:
        dim: Width d of the encoded features.
        modalities: Names of the modalities.
        num_gaussians: Number K of Gaussians of each modality; at first evenly spread, with standard deviation 1/K.
        fixed: Keep centres and widths as they start; otherwise they are learned for each modality.
        late: Give one readout per modality, so that the modalities meet only in the decision, as the two streams of
            the original do.
    """

    centre: Tensor
    raw_width: Tensor

    def __init__(
        self,
        dim: int,
        modalities: tuple[str, ...] = MODALITIES,
        *,
        num_gaussians: int = 4,
        fixed: bool = False,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.late = late
        self.num_readouts = len(self.modalities) if late else 1
        self.out_dim = len(self.modalities) * num_gaussians * dim // self.num_readouts
        shape = (len(self.modalities), num_gaussians)
        centre = ((torch.arange(num_gaussians) + 0.5) / num_gaussians).expand(shape).clone()
        # The inverse of softplus at 1/K.
        raw_width = torch.full(shape, 1 / num_gaussians).expm1().log()
        for name, value in {'centre': centre, 'raw_width': raw_width}.items():
            if fixed:
                self.register_buffer(name, value)
            else:
                self.register_parameter(name, nn.Parameter(value))

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """Pool tokens {modality: (B, T, d)} with masks {modality: (B, T)} into (B, M * K * d), or (B, M, K * d)."""
        pooled = [self.weights(m, masks[m]).to(tokens[m].dtype) @ tokens[m] for m in self.modalities]  # (B, K, d) each
        readouts = torch.stack([x.flatten(1) for x in pooled], dim=1)  # (B, M, K * d)
        return readouts if self.late else readouts.flatten(1)

    def weights(self, modality: str, mask: Tensor) -> Tensor:
        """Return the weight (B, K, T) of each step under each Gaussian; they sum to 1 over the real steps."""
        row = self.modalities.index(modality)
        length = mask.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
        time = (torch.arange(mask.shape[1], device=mask.device) + 0.5) / length  # (B, T), in (0, 1) at real steps
        distance = (time.unsqueeze(1) - self.centre[row].unsqueeze(1)) / F.softplus(self.raw_width[row]).unsqueeze(1)
        return (-0.5 * distance.square() + logit_bias(mask).unsqueeze(1)).softmax(-1)
