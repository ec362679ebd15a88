"""AVCA's head: a linear classifier, and losses that tie both modalities to class vectors."""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.conditioners.class_embedding import ClassEmbedding
from avzoo.models.contracts import Context
from avzoo.models.heads.linear_head import LinearHead
from avzoo.models.layers.masking import masked_mean
from avzoo.models.layers.mlp import dense_layers
from avzoo.protocol import MODALITIES
from avzoo.registry import HEADS


@HEADS.register_module()
class TripletAuxHead(nn.Module):
    """Classify the visual readout, with the losses of AVCA beside it (Mercea et al. 2022, adapted as in AV-DIFF).

    It takes two readouts of c_o, theta_a and theta_v. Below, w are class vectors, theta_w = W_proj(w) their
    projections, rho = D(theta) reconstructed class vectors, phi the encoded averages before attention, and t(a, p, n)
    the triplet loss with Euclidean distances. The negative of a sample is another sample of the batch, drawn at random
    among those of other classes; the released code draws one from the whole data set. A sample without such a negative
    is not in any triplet.

    Args:
        in_dim: Width of c_o.
        num_classes: Number of classes C.
        dims: {modality: width of the encoded features}.
        num_readouts: Number of readouts that the fusion gives, ``None`` if it varies; refused unless there is one for
            each modality.
        embedding_dim: Width of the class vectors.
        dropout: Dropout probability in W_proj, D and the reconstructions of phi.
        margin: Margin of the triplet losses.
        loss_weight: Weight of the cross-entropy.
        aux_weight: Weight of all other losses.
    """

    def __init__(
        self,
        in_dim: int,
        num_classes: int,
        dims: dict[str, int],
        *,
        num_readouts: int | None,
        embedding_dim: int = 300,
        dropout: float = 0.5,
        margin: float = 1.0,
        loss_weight: float = 1.0,
        aux_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if tuple(dims) != MODALITIES:
            raise ValueError(
                f"it needs the encoders 'audio' and 'visual', in this order; the model has {', '.join(dims)}."
            )
        if num_readouts != len(dims):
            raise ValueError(
                f'it needs one readout for each modality, but the fusion gives {num_readouts or "a varying number"}; '
                'take a fusion such as PairAttention, or another head.'
            )
        self.margin, self.aux_weight = margin, aux_weight
        self.classifier = LinearHead(in_dim, num_classes, loss_weight=loss_weight)
        self.w_proj = nn.Sequential(*dense_layers(embedding_dim, in_dim, dropout=dropout))
        self.d = nn.Sequential(*dense_layers(in_dim, embedding_dim, dropout=dropout))
        self.rec = nn.ModuleDict(
            {m: nn.Sequential(*dense_layers(in_dim, dim, dropout=dropout)) for m, dim in dims.items()}
        )
        self.classes = ClassEmbedding(num_classes, embedding_dim=embedding_dim)

    def loss(
        self, c_o: Tensor, labels: Tensor, context: Context | None = None, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the losses of features (B, 2, d_out), audio before visual, with labels (B,).

        ``loss_ce`` alone for synthetic features (M, d_out), which have no context. Otherwise also

        - ``loss_triplet``: the sum of t(theta_w, theta_m, theta_m'), t(theta_m, theta_w, theta_w'),
          t(theta_m, theta_w, theta_m'), t(theta_w, theta_m, theta_w') and t(rho_w, rho_m, rho_m') over both modalities
          m, where ' marks the negative;
        - ``loss_rec``: MSE(w, rho) for w and both modalities;
        - ``loss_reg``: MSE(rec(theta_m), phi_m) + MSE(theta_m, theta_w) over both modalities.
        """
        losses = self.classifier.loss(self._visual(c_o), labels)
        if context is None:
            return losses
        w = self.classes(labels)
        theta = dict(zip(self.rec, c_o.unbind(1), strict=True))
        theta_w = self.w_proj(w)
        rho, rho_w = {m: self.d(x) for m, x in theta.items()}, self.d(theta_w)
        phi = {m: masked_mean(context['encoded'][m], context['masks'][m]) for m in theta}
        negative, found = draw_negatives(labels, generator)
        triplets = [(rho_w, rho[m], rho[m][negative]) for m in theta]
        for x in theta.values():
            triplets += [
                (theta_w, x, x[negative]),
                (x, theta_w, theta_w[negative]),
                (x, theta_w, x[negative]),
                (theta_w, x, theta_w[negative]),
            ]
        each = [F.triplet_margin_loss(*triplet, margin=self.margin, reduction='none') for triplet in triplets]
        losses['loss_triplet'] = (reduce(torch.add, each) * found).sum() / found.sum().clamp(min=1)
        losses['loss_rec'] = reduce(torch.add, [F.mse_loss(x, w) for x in (rho_w, *rho.values())])
        losses['loss_reg'] = reduce(
            torch.add, [F.mse_loss(self.rec[m](theta[m]), phi[m]) + F.mse_loss(theta[m], theta_w) for m in theta]
        )
        return {name: loss if name == 'loss_ce' else self.aux_weight * loss for name, loss in losses.items()}

    def generator_targets(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return what a generator learns, with labels: the visual readout, (B, d_out) and (B,)."""
        return self._visual(c_o), labels

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return class probabilities (B, C) of the visual readout of features (B, 2, d_out)."""
        return self.classifier.scores(self._visual(c_o))

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the class probabilities (B, C) that ``scores`` (B, C) stand for: here they are the scores."""
        return self.classifier.probabilities(scores)

    @staticmethod
    def _visual(c_o: Tensor) -> Tensor:
        return c_o if c_o.dim() == 2 else c_o[:, -1]


def draw_negatives(labels: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Draw for each of labels (B,) a position in the batch with another label.

    Returns:
        The positions (B,), and whether there is one, (B,); where there is none, the position is arbitrary.
    """
    other = labels.unsqueeze(0) != labels.unsqueeze(1)  # (B, B)
    chance = torch.rand(other.shape, device=labels.device, generator=generator).masked_fill(~other, -1.0)
    return chance.argmax(1), other.any(1)
