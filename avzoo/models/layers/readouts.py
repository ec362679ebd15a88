"""From several readouts of a video to one decision, or to one sample for each."""

from torch import Tensor

from avzoo.models.contracts import Context
from avzoo.models.layers.masking import masked_mean


def mean_over_readouts(x: Tensor, context: Context | None) -> Tensor:
    """Return the mean of x (B, R, ...) over the readouts that count; x (B, ...) of one readout as it is."""
    if x.dim() == 2:
        return x
    mask = _mask(context)
    return x.mean(1) if mask is None else masked_mean(x, mask)


def each_readout(c_o: Tensor, labels: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
    """Return each readout of (B, R, D) that counts as a row (N, D) with its label (N,); (B, D) stays as it is."""
    if c_o.dim() == 2:
        return c_o, labels
    mask, labels = _mask(context), labels.unsqueeze(1).expand(c_o.shape[:2])  # (B, R)
    return (c_o.flatten(0, 1), labels.flatten()) if mask is None else (c_o[mask], labels[mask])


def _mask(context: Context | None) -> Tensor | None:
    return None if context is None else context.get('readout_mask')
