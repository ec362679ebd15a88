"""The linear classifier CL_net."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.contracts import Context
from avzoo.models.layers.readouts import each_readout, mean_over_readouts
from avzoo.registry import HEADS


@HEADS.register_module()
class LinearHead(nn.Module):
    """Classify c_o by one linear layer and cross-entropy (AV-DIFF, sec. 4.1).

    A fusion with several readouts gives several c_o for a video. They share the layer, and ``readout`` says how they
    become one decision; a ``readout_mask`` in the context leaves some of them out.

    Args:
        in_dim: Width of c_o.
        num_classes: Number of classes C, base and novel.
        readout: ``mean_logits``: average the logits, cross-entropy on the average (MBT); ``mean_probability``:
            average the probabilities, and in training the cross-entropies of the readouts (TSL). Equal where there
            is one readout.
        rank_by: What the scores are: ``probabilities`` as in the released code, or ``logits``, over a scale that
            validation chooses. Probabilities of a confident classifier lie at 0 and 1, where steps of gamma are too
            coarse.
        loss_weight: Weight of the cross-entropy.
    """

    def __init__(
        self,
        in_dim: int,
        num_classes: int,
        *,
        readout: Literal['mean_logits', 'mean_probability'] = 'mean_logits',
        rank_by: Literal['probabilities', 'logits'] = 'probabilities',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if readout not in ('mean_logits', 'mean_probability'):
            raise ValueError(f"readout='{readout}'; choose 'mean_logits' or 'mean_probability'.")
        if rank_by not in ('probabilities', 'logits'):
            raise ValueError(f"rank_by='{rank_by}'; choose 'probabilities' or 'logits'.")
        self.readout, self.rank_by = readout, rank_by
        self.loss_weight = loss_weight
        self.fc = nn.Linear(in_dim, num_classes)

    reads_encoded = False
    generator_targets = staticmethod(each_readout)

    def loss(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Return ``loss_ce`` for features (B, d_out) or (B, R, d_out) and labels (B,)."""
        logits = self.fc(c_o)
        if self.readout == 'mean_logits' or logits.dim() == 2:
            loss = F.cross_entropy(mean_over_readouts(logits, context), labels)
        else:
            repeated = labels.unsqueeze(1).expand(logits.shape[:2])  # (B, R)
            each = F.cross_entropy(logits.transpose(1, 2), repeated, reduction='none')  # (B, R)
            loss = mean_over_readouts(each.unsqueeze(-1), context).mean()
        return {'loss_ce': self.loss_weight * loss}

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return probabilities or logits (B, C) of features (B, d_out) or (B, R, d_out).

        Logits after ``mean_probability`` are the logarithms of the mean probabilities.
        """
        logits = self.fc(c_o).float()
        if self.readout == 'mean_logits':
            logits = mean_over_readouts(logits, context)
            return logits if self.rank_by == 'logits' else logits.softmax(-1)
        mean = mean_over_readouts(logits.softmax(-1), context)
        return mean.clamp(min=1e-30).log() if self.rank_by == 'logits' else mean

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the class probabilities (B, C) that ``scores`` (B, C) stand for."""
        return scores.softmax(-1) if self.rank_by == 'logits' else scores
