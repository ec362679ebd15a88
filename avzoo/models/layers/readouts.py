"""From several readouts of a video to one decision, or to samples of their own."""

from torch import Tensor

from avzoo.models.layers.masking import masked_mean


def mean_over_readouts(x: Tensor, context: dict | None) -> Tensor:
    """Return the mean of x (B, R, ...) over the readouts that count; x (B, ...) of one readout as it is."""
    if x.dim() == 2:
        return x
    mask = _mask(context)
    return x.mean(1) if mask is None else masked_mean(x, mask)


def each_readout(c_o: Tensor, labels: Tensor, context: dict | None) -> tuple[Tensor, Tensor]:
    """Give each readout of (B, R, D) that counts a row (N, D) and a label (N,) of its own; (B, D) stays as it is."""
    if c_o.dim() == 2:
        return c_o, labels
    mask, labels = _mask(context), labels.unsqueeze(1).expand(c_o.shape[:2])  # (B, R)
    return (c_o.flatten(0, 1), labels.flatten()) if mask is None else (c_o[mask], labels[mask])


def _mask(context: dict | None) -> Tensor | None:
    return (context or {}).get('readout_mask')
