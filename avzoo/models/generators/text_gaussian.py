"""A Gaussian for each class, whose mean is predicted from the class vector and corrected by the class's videos."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.contracts import FittingSet
from avzoo.registry import GENERATORS


@GENERATORS.register_module()
class TextGaussian(nn.Module):
    """Generate features of unit variance around class means that text and shots determine, in closed form.

    It needs features whose covariance within classes is the identity, such as those of :class:`JointWhitening`. With l
    the variance of class means along a dimension, a class c of n_c videos with mean z_c has the posterior::

        p_c = mu + Y' (K + r tr(K) / C_b I)^-1 k_c,    v_c = 1 / (1 / l + n_c),    m_c = v_c (p_c / l + n_c z_c)

    K is the linear kernel of the base classes' vectors (unit length, centred on them, unit length again), k_c that of c
    with them, Y the base means minus mu. A base class has its prediction from the other base classes. Features of c are
    N(m_c, I + diag(v_c)). A class that was never seen is generated from its vector alone: v = l, m = p.

    Args:
        dim: Width d of the features.
        cond_dim: Width of the class vectors.
        num_classes: Number of classes C.
        text_ridge: r. The larger, the less the text counts.
        text: Use the class vectors; without them p_c = mu, for ablations.
    """

    class_means: Tensor
    counts: Tensor
    spread: Tensor
    conditions: Tensor
    text_center: Tensor
    text_map: Tensor
    text_offset: Tensor

    def __init__(
        self, dim: int, cond_dim: int, num_classes: int, *, text_ridge: float = 0.2, text: bool = True
    ) -> None:
        super().__init__()
        if not text_ridge > 0:
            raise ValueError(f'text_ridge={text_ridge}; it must be above 0.')
        self.text_ridge, self.text = text_ridge, text
        self.register_buffer('class_means', torch.zeros(num_classes, dim))
        self.register_buffer('counts', torch.zeros(num_classes))
        self.register_buffer('spread', torch.ones(dim))  # l
        self.register_buffer('conditions', torch.zeros(num_classes, cond_dim))
        self.register_buffer('text_center', torch.zeros(cond_dim))
        self.register_buffer('text_map', torch.zeros(cond_dim, dim))
        self.register_buffer('text_offset', torch.zeros(dim))  # mu

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Compute the posterior means of all classes.

        Returns:
            ``text_error``: squared distance of predicted to actual base means, over that of mu. Below 1 the class
            vectors say something about the features.
        """
        assert training.conditions is not None  # The model has a conditioner wherever it has a generator.
        means, squares, counts = _class_moments(training)
        base = training.base_mask & (counts > 0)
        self.counts.copy_(counts)
        self.conditions.copy_(training.conditions)
        spread = training.class_variance
        self.spread.copy_(_spread(means, squares, counts, base) if spread is None else spread)
        prior, error = self._fit_text(means, base)
        precision = 1 / self.spread.double() + counts.unsqueeze(1)  # (C, d)
        self.class_means.copy_((prior / self.spread.double() + counts.unsqueeze(1) * means) / precision)
        return dict(text_error=error)

    def _fit_text(self, means: Tensor, base: Tensor) -> tuple[Tensor, float]:
        """Fit the map from class vectors to means; returns the predictions of all classes and their relative error."""
        self.text_offset.copy_(means[base].mean(0))
        targets = means[base] - means[base].mean(0)  # Y, (C_b, d)
        self.text_center.copy_(F.normalize(self.conditions[base].double(), dim=1).mean(0))
        if not self.text:
            self.text_map.zero_()
            return means[base].mean(0).expand_as(means), 1.0
        vectors = self._centred(self.conditions.double())
        kernel = vectors[base] @ vectors[base].t()
        ridge = self.text_ridge * kernel.diagonal().mean().clamp(min=1e-6)
        inverse = torch.linalg.inv(kernel + ridge * torch.eye(len(kernel)).to(kernel))
        self.text_map.copy_(vectors[base].t() @ inverse @ targets)
        prior = means[base].mean(0) + vectors @ self.text_map.double()
        residual = inverse @ targets / inverse.diagonal().unsqueeze(1)  # Of the prediction from the other classes.
        prior[base] = means[base] - residual
        return prior, float(residual.square().sum() / targets.square().sum().clamp(min=1e-12))

    def posterior(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean (B, d) and the variance (B, d) of class means under conditions (B, d_c)."""
        distance, index = torch.cdist(condition.float(), self.conditions.float()).min(1)
        known = (distance <= 1e-4 * condition.float().norm(dim=1).clamp(min=1e-6)).unsqueeze(1)
        prior = self.text_offset + self._centred(condition) @ self.text_map
        variance = 1 / (1 / self.spread + self.counts[index].unsqueeze(1))
        return torch.where(known, self.class_means[index], prior), torch.where(known, variance, self.spread)

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one feature vector for each condition (B, d_c); returns (B, d)."""
        mean, variance = self.posterior(condition)
        noise = torch.randn(mean.shape, dtype=mean.dtype, device=mean.device, generator=generator)
        return mean + (1 + variance).sqrt() * noise

    def _centred(self, vectors: Tensor) -> Tensor:
        return F.normalize(F.normalize(vectors, dim=1) - self.text_center.to(vectors), dim=1)


def _class_moments(training: FittingSet) -> tuple[Tensor, Tensor, Tensor]:
    """Return means (C, d), the mean square within classes along each dimension (d,), and counts (C,)."""
    sums = squares = counts = torch.zeros(())
    for x, labels in training.batches():
        x = x.double()
        if not sums.dim():
            sums, counts = x.new_zeros(len(training.base_mask), x.shape[1]), x.new_zeros(len(training.base_mask))
            squares = x.new_zeros(x.shape[1])
        sums.index_add_(0, labels, x)
        squares += x.square().sum(0)
        counts += labels.bincount(minlength=len(counts))
    means = sums / counts.clamp(min=1).unsqueeze(1)
    freedom = (counts.sum() - (counts > 0).sum()).clamp(min=1)
    return means, (squares - (counts.unsqueeze(1) * means.square()).sum(0)) / freedom, counts


def _spread(means: Tensor, within: Tensor, counts: Tensor, base: Tensor) -> Tensor:
    """Estimate the variance of class means along each dimension (d,) from the base classes."""
    found = means[base].var(0) - (1 / counts[base]).mean() * within
    return found.clamp(min=1e-3 * float(found.mean().clamp(min=1e-6)))
