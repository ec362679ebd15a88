"""Logistic regression, fitted to convergence."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from avzoo.models.contracts import FittingSet
from avzoo.models.heads.linear_head import LinearHead
from avzoo.registry import HEADS


@HEADS.register_module()
class LogisticHead(LinearHead):
    """Fit a class-balanced multinomial logistic regression by L-BFGS, in a metric in which classes differ most.

    Where the projector knows the variance l of class means along each dimension (:class:`JointWhitening`), dimensions
    are weighted by l^power and only the strongest are used: the penalty on the weights then costs least where classes
    differ.

    Args:
        in_dim: Width of c_o.
        num_classes: Number of classes C. One without training videos gets no weights and the lowest bias.
        inverse_penalty: C of the penalty 1 / (2 C) |weights|^2 beside the sum of the cross-entropies.
        power: Power of l.
        num_dims: Largest number of dimensions used.
        max_steps: Largest number of L-BFGS steps.
        max_videos: Largest number of videos to fit to; if there are more, every class loses the same share.
        synthetic_per_class: Features to generate for each novel class, and to fit to with the real ones; none
            without a generator.
        synthetic_share: Their share in the weight of their class.
    """

    reads_encoded = False

    def __init__(
        self,
        in_dim: int,
        num_classes: int,
        *,
        inverse_penalty: float = 0.01,
        power: float = 0.25,
        num_dims: int = 600,
        max_steps: int = 60,
        max_videos: int = 100_000,
        synthetic_per_class: int = 0,
        synthetic_share: float = 0.5,
    ) -> None:
        super().__init__(in_dim, num_classes, rank_by='logits')
        if not inverse_penalty > 0:
            raise ValueError(f'inverse_penalty={inverse_penalty}; it must be above 0.')
        self.inverse_penalty, self.power, self.num_dims = inverse_penalty, power, num_dims
        self.max_steps, self.max_videos = max_steps, max_videos
        if not 0 <= synthetic_share <= 1:
            raise ValueError(f'synthetic_share={synthetic_share}; it must lie in 0..1.')
        self.synthetic_per_class, self.synthetic_share = synthetic_per_class, synthetic_share

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Fit the classifier.

        Returns:
            ``cross_entropy``, class-balanced, on the training set.
        """
        metric = self._metric(training)
        x, labels = (torch.cat(rows) for rows in zip(*self._real(training), strict=True))
        center, deviation = x.mul(metric).mean(0), x.mul(metric).std().clamp(min=torch.finfo(torch.float32).tiny)
        synthetic, columns = self._synthetic(training)
        is_real = torch.arange(len(x) + len(synthetic), device=x.device) < len(x)
        strength = self.inverse_penalty * len(x) / len(is_real)  # As without synthetic features.
        x, labels = torch.cat([x, synthetic]) * metric, torch.cat([labels, columns])
        present, columns = labels.unique(return_inverse=True)
        weights = _class_weights(columns, is_real, self.synthetic_share)
        weight, bias, loss = fit_logistic(
            (x - center) / deviation, columns, weights, strength, max_steps=self.max_steps
        )
        weight = weight / deviation
        bias = bias - weight @ center
        with torch.no_grad():
            self.fc.weight.zero_()
            self.fc.weight[present, : x.shape[1]] = weight * metric
            self.fc.bias.fill_(float(bias.min()))
            self.fc.bias[present] = bias
        return dict(cross_entropy=loss)

    def _metric(self, training: FittingSet) -> Tensor:
        """Return the weights of the dimensions that are used."""
        variance = training.class_variance
        return self.fc.weight.new_ones(()) if variance is None else (variance**self.power)[: self.num_dims]

    def _real(self, training: FittingSet) -> Iterator[tuple[Tensor, Tensor]]:
        every = -(-training.num_videos // self.max_videos)
        for x, labels in training.batches():
            kept = torch.arange(0, len(x), every, device=x.device)
            yield x[kept, : self.num_dims].float(), labels[kept]

    def _synthetic(self, training: FittingSet) -> tuple[Tensor, Tensor]:
        """Return generated features (N, d) of the novel classes, and their labels (N,)."""
        novel = (~training.base_mask).nonzero().squeeze(1)
        labels = novel.repeat_interleave(self.synthetic_per_class)
        if training.generator is None or training.conditions is None or not len(labels):
            return self.fc.weight.new_zeros(0, min(self.fc.in_features, self.num_dims)), labels[:0]
        rng = torch.Generator(labels.device).manual_seed(training.seed)
        with torch.no_grad():
            x = training.generator.sample(training.conditions[labels], generator=rng)
        return x[:, : self.num_dims].float(), labels


def _class_weights(labels: Tensor, is_real: Tensor, synthetic_share: float) -> Tensor:
    """Return weights (N,) of mean 1 that weigh all classes equally; generated samples have a share of theirs."""
    num_classes = int(labels.max()) + 1
    counts = torch.stack([labels[kind].bincount(minlength=num_classes) for kind in (~is_real, is_real)])  # (2, C)
    shares = torch.tensor([[synthetic_share], [1 - synthetic_share]], device=labels.device) * (counts > 0)
    shares = shares / shares.sum(0).clamp(min=1e-12)  # A class that has one kind only weighs as much.
    return (len(labels) / num_classes * shares / counts.clamp(min=1))[is_real.long(), labels]


def fit_logistic(
    x: Tensor, labels: Tensor, weights: Tensor, inverse_penalty: float, *, max_steps: int = 60
) -> tuple[Tensor, Tensor, float]:
    """Fit a logistic regression to features (N, d) with labels (N,), each of 0 .. C - 1 present, and weights (N,).

    Returns:
        Weights (C, d), biases (C,), and the weighted mean cross-entropy.
    """
    num_classes = int(labels.max()) + 1
    weight = torch.zeros(num_classes, x.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=x.dtype, device=x.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=max_steps, line_search_fn='strong_wolfe')

    def mean_loss() -> Tensor:
        return (F.cross_entropy(x @ weight.t() + bias, labels, reduction='none') * weights).mean()

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = mean_loss() + weight.square().sum() / (2 * inverse_penalty * len(x))
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(objective)
    with torch.no_grad():
        return weight.detach(), bias.detach(), float(mean_loss())
