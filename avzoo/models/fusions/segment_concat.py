"""Short segments in which each modality contributes the step of the same moment."""

import torch
from torch import Tensor, nn

from avzoo.registry import FUSIONS
from avzoo.utils.errors import nearest


@FUSIONS.register_module()
class SegmentConcat(nn.Module):
    """Cut a video into segments, each the concatenation of what was seen and heard at its time (TSL).

    A segment is one step of the leading modality with the nearest step of every other one. In training some segments
    are drawn at random, each at most once until all were drawn; otherwise all are taken. Each segment is one readout.

    Args:
        dims: {modality: token width}.
        seconds_per_step: {modality: seconds between two steps}.
        num_segments: Segments R that are drawn of each video in training.
        leading: The modality whose steps are the segments; the first one if the model has no such modality.
    """

    def __init__(
        self,
        dims: dict[str, int],
        seconds_per_step: dict[str, float],
        *,
        num_segments: int = 10,
        leading: str = 'visual',
    ) -> None:
        super().__init__()
        if leading not in ('audio', 'visual', *dims):
            raise ValueError(
                f"leading='{leading}' is not a modality.{nearest(leading, list(dims))} Choose one of {', '.join(dims)}."
            )
        self.out_dim = sum(dims.values())
        self.num_readouts = None  # As many as there are segments: their number is not that of the modalities.
        self.num_segments = num_segments
        self.leading = leading if leading in dims else next(iter(dims))
        self.ratio = {m: seconds_per_step[self.leading] / seconds_per_step[m] for m in dims}

    def forward(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return segments (B, R, sum of widths) and which of them are real (B, R)."""
        real = masks[self.leading]
        every = torch.arange(real.shape[1], device=real.device).expand(real.shape)  # (B, T)
        steps = self._draw(real) if self.training else every
        rows = torch.arange(len(real), device=real.device).unsqueeze(1)  # (B, 1)
        segments = [x[rows, self._same_time(steps, m, masks[m])] for m, x in tokens.items()]  # each (B, R, d)
        return torch.cat(segments, dim=-1), real.gather(1, steps)

    def _draw(self, real: Tensor) -> Tensor:
        """Draw steps (B, R) among the real ones of ``real`` (B, T)."""
        order = torch.rand(real.shape, device=real.device).masked_fill(~real, 2.0).argsort(dim=1)  # real ones first
        turn = torch.arange(self.num_segments, device=real.device) % real.sum(1, keepdim=True)  # (B, R)
        return order.gather(1, turn)

    def _same_time(self, steps: Tensor, modality: str, mask: Tensor) -> Tensor:
        """Return the steps (B, R) of a modality at the times of ``steps`` (B, R) of the leading one."""
        nearest_step = (steps * self.ratio[modality]).round().long()
        return torch.minimum(nearest_step, mask.sum(1, keepdim=True) - 1)
