"""TCAF's head: no classifier, but distances to projected class vectors."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.conditioners.class_embedding import ClassEmbedding
from avzoo.models.contracts import Context
from avzoo.models.layers.mlp import MLP, dense_layers
from avzoo.models.layers.readouts import each_readout, mean_over_readouts
from avzoo.registry import HEADS


@HEADS.register_module()
class EmbeddingDistanceHead(nn.Module):
    """Compare c_o (theta_o) with class vectors w in a shared space (TCAF, Mercea et al. 2022).

    W_proj maps class vectors to the space of c_o; D_w and D_o map both back to class vectors. The classes of the
    cross-entropy are all of the stage, novel ones included, as with a linear classifier. The score of a class is minus
    the Euclidean distance between c_o and its projected vector, so the calibration needs a wider grid than
    probabilities do. Several readouts of a video are averaged first.

    Args:
        in_dim: Width of c_o.
        num_classes: Number of classes C.
        embedding_dim: Width of the class vectors.
        hidden_dim: Hidden width of D_o.
        dropout: Dropout probability in W_proj, D_w and D_o.
        loss_weight: Weight of the cross-entropy of the products of c_o with the projected class vectors.
        reg_weight: Weight of the squared distance between c_o and the projected vector of its class.
        rec_weight: Weight of the reconstruction of class vectors, from the projected ones and from c_o.
    """

    def __init__(
        self,
        in_dim: int,
        num_classes: int,
        *,
        embedding_dim: int = 300,
        hidden_dim: int = 512,
        dropout: float = 0.1,
        loss_weight: float = 1.0,
        reg_weight: float = 1.0,
        rec_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.loss_weight, self.reg_weight, self.rec_weight = loss_weight, reg_weight, rec_weight
        self.w_proj = nn.Sequential(*dense_layers(embedding_dim, in_dim, dropout=dropout))
        self.d_w = nn.Sequential(*dense_layers(in_dim, embedding_dim, dropout=dropout))
        self.d_o = MLP(in_dim, hidden_dim=hidden_dim, out_dim=embedding_dim, dropout=dropout)
        self.classes = ClassEmbedding(num_classes, embedding_dim=embedding_dim)

    reads_encoded = False
    generator_targets = staticmethod(each_readout)

    def loss(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Return the losses of features theta_o (B, d_out) or (B, R, d_out) with labels (B,).

        ``loss_ce``; ``loss_reg``: MSE(theta_o, theta_w); ``loss_rec``: MSE(w, rho_o) + MSE(w, rho_w).
        """
        c_o = mean_over_readouts(c_o, context)
        w = self.classes(labels)  # (B, E)
        theta_w = self.w_proj(w)
        logits = c_o @ self.w_proj(self.classes.vectors).t()  # (B, C)
        reconstruction = F.mse_loss(self.d_o(c_o), w) + F.mse_loss(self.d_w(theta_w), w)
        return {
            'loss_ce': self.loss_weight * F.cross_entropy(logits, labels),
            'loss_reg': self.reg_weight * F.mse_loss(c_o, theta_w),
            'loss_rec': self.rec_weight * reconstruction,
        }

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return minus the distances (B, C) of features (B, d_out) or (B, R, d_out) to the projected class vectors."""
        return -torch.cdist(mean_over_readouts(c_o, context).float(), self.w_proj(self.classes.vectors).float())

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return probabilities (B, C) that rank as ``scores`` (B, C) do: the softmax over minus the distances.

        The method defines none; these are not calibrated.
        """
        return scores.softmax(-1)
