"""Logistic regression, fitted to convergence."""

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
        num_dims: Most dimensions that are used.
        max_steps: Most steps of L-BFGS.
        max_videos: Most videos to fit to; of more, every class loses the same share.
    """

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
    ) -> None:
        super().__init__(in_dim, num_classes, rank_by='logits')
        if not inverse_penalty > 0:
            raise ValueError(f'inverse_penalty={inverse_penalty}; it must be above 0.')
        self.inverse_penalty, self.power, self.num_dims = inverse_penalty, power, num_dims
        self.max_steps, self.max_videos = max_steps, max_videos

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Fit the classifier.

        Returns:
            ``cross_entropy``, class-balanced, on the training set.
        """
        every = -(-training.num_videos // self.max_videos)
        variance = training.class_variance
        metric = None if variance is None else (variance**self.power)[: self.num_dims]
        features, labels = [], []
        for x, y in training.batches():
            kept = torch.arange(0, len(x), every, device=x.device)
            x = x[kept, : self.num_dims].float()
            features.append(x if metric is None else x * metric)
            labels.append(y[kept])
        x, y = torch.cat(features), torch.cat(labels)
        center, deviation = x.mean(0), x.std().clamp(min=torch.finfo(torch.float32).tiny)
        present, columns = y.unique(return_inverse=True)
        weight, bias, loss = fit_logistic(
            (x - center) / deviation, columns, self.inverse_penalty, max_steps=self.max_steps
        )
        weight = weight / deviation
        bias = bias - weight @ center
        with torch.no_grad():
            self.fc.weight.zero_()
            self.fc.weight[present, : x.shape[1]] = weight if metric is None else weight * metric
            self.fc.bias.fill_(float(bias.min()))
            self.fc.bias[present] = bias
        return dict(cross_entropy=loss)


def fit_logistic(
    x: Tensor, labels: Tensor, inverse_penalty: float, *, max_steps: int = 60
) -> tuple[Tensor, Tensor, float]:
    """Fit a class-balanced logistic regression to features (N, d) with labels (N,), each of 0 .. C - 1 present.

    Returns:
        Weights (C, d), biases (C,), and the class-balanced mean cross-entropy.
    """
    counts = labels.bincount()
    weights = (len(labels) / (len(counts) * counts))[labels].to(x)  # As scikit-learn balances classes.
    weight = torch.zeros(len(counts), x.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
    bias = torch.zeros(len(counts), dtype=x.dtype, device=x.device, requires_grad=True)
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
