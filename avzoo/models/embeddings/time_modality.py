"""Time, modality and padding embedding of AV-DIFF."""

import math

import torch
from torch import Tensor, nn

from avzoo.models.kernels.precision import without_autocast
from avzoo.protocol import MODALITIES
from avzoo.registry import EMBEDDINGS


@EMBEDDINGS.register_module()
class TimeModalityEmbedding(nn.Module):
    """Mark tokens with their time and their modality (AV-DIFF, sec. 4.1; Tancik et al. 2020).

    The sum of Fourier features of the time in seconds, a learned modality vector and, at padded steps, a learned
    padding vector is concatenated to the token and projected back to the token width.

    Args:
        dim: Token width d.
        modalities: Names of the modalities.
        embed_dim: Width of the embedding that is concatenated; twice the number of frequencies.
        fourier_scale: Standard deviation of the random frequencies.
        use_time: Add the Fourier features of the time.
        use_modality: Add the learned modality vector. Off for a single modality.
        dropout: Dropout probability after the projection.
    """

    frequencies: Tensor

    def __init__(
        self,
        dim: int,
        modalities: tuple[str, ...] = MODALITIES,
        *,
        embed_dim: int = 64,
        fourier_scale: float = 10.0,
        use_time: bool = True,
        use_modality: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.use_time = use_time
        self.modality = nn.Parameter(torch.randn(len(self.modalities), embed_dim)) if use_modality else None
        self.padding = nn.Parameter(torch.randn(embed_dim))
        if use_time:
            self.register_buffer('frequencies', torch.randn(2, embed_dim // 2) * fourier_scale)
            self.time_proj = nn.Linear(embed_dim, embed_dim)
        self.out_proj = nn.ModuleDict({name: nn.Linear(dim + embed_dim, dim) for name in self.modalities})
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, seconds: Tensor, modality: str) -> Tensor:
        """Embed tokens x (B, T, d) with mask (B, T) and seconds (B, T) of one modality; returns (B, T, d)."""
        extra = torch.where(mask.unsqueeze(-1), 0.0, self.padding)  # (B, T, E)
        if self.use_time:
            extra = extra + self.time_proj(self._fourier(seconds))
        if self.modality is not None:
            extra = extra + self.modality[self.modalities.index(modality)]
        return self.dropout(self.out_proj[modality](torch.cat([x, extra.to(x.dtype)], dim=-1)))

    def _fourier(self, seconds: Tensor) -> Tensor:
        # The released code duplicates the scalar time, hence two rows of frequencies.
        doubled = torch.stack([seconds, seconds], dim=-1).to(self.frequencies.dtype)
        # Phases reach thousands of radians: in half precision they would be noise.
        with without_autocast(seconds.device.type):
            phase = (2 * math.pi * doubled) @ self.frequencies  # (B, T, E/2)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)
