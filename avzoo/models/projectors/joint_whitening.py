"""A linear map after which videos of a class scatter equally in all directions, and classes along the axes."""

import torch
from torch import Tensor, nn

from avzoo.models.contracts import FittingSet
from avzoo.models.layers.class_statistics import ClassStatistics
from avzoo.registry import PROJECTORS
from avzoo.utils.errors import DataError

_LEAST_VARIANCE = 1e-8
_LEAST_SCATTER = 1e-12  # Of the features' variance: what rounding leaves of equal videos lies below.


@PROJECTORS.register_module()
class JointWhitening(nn.Module):
    """Diagonalise the covariance within classes and that between classes together, in closed form.

    With W the covariance within classes, pooled over all classes, and B that of the means of base classes without what
    the finite number of videos adds to it::

        W_a = (1 - a) W + a tr(W) / D I
        B'  = b_1 B + b_2 diag(B) + b_3 tr(B) / D I,    T' W_a T = I,    T' B' T = diag(l),    z = T' (x - mean)

    so z has unit variance within classes, and l along each dimension between them (probabilistic linear discriminant
    analysis: Ioffe 2006). Dimensions are in the order of falling l.

    Args:
        in_dim: Width D of the features.
        within_shrinkage: a, from 0 to 1.
        between_shape: b_1, b_2 and b_3: how much of B is estimated in full, along the axes, and alike everywhere.
        max_dim: Largest number of dimensions kept. Where the features have more, or more than there are videos, they
            are first rotated onto the strongest directions of the training set (randomised, Halko et al. 2011).
    """

    center: Tensor
    weight: Tensor
    class_variance: Tensor

    def __init__(
        self,
        in_dim: int,
        *,
        within_shrinkage: float = 0.7,
        between_shape: tuple[float, float, float] = (0.4, 0.3, 0.3),
        max_dim: int = 2048,
    ) -> None:
        super().__init__()
        if not 0 < within_shrinkage <= 1:
            raise ValueError(f'within_shrinkage={within_shrinkage}; it must be above 0, and at most 1.')
        if len(between_shape) != 3 or min(between_shape) < 0 or between_shape[2] <= 0:
            raise ValueError(f'between_shape={between_shape}; give three weights of at least 0, the last above 0.')
        self.within_shrinkage, self.between_shape = within_shrinkage, between_shape
        self.out_dim = min(in_dim, max_dim)
        self.register_buffer('center', torch.zeros(in_dim))
        self.register_buffer('weight', torch.eye(self.out_dim, in_dim))
        self.register_buffer('class_variance', torch.ones(self.out_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Project (B, D) or (B, R, D) to (B, out_dim) or (B, R, out_dim)."""
        return (x - self.center) @ self.weight.t()

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Estimate the map from the training set.

        Returns:
            ``dimensions`` that are used, and ``class_variance``, the mean of l over them.

        Raises:
            DataError: If there are fewer than two base classes, or no class has two videos.
        """
        mean, deviation = _overall(training)
        basis = self._basis(training, mean)  # (D, r)
        statistics = ClassStatistics.of(
            (((x.double() - mean) / deviation @ basis, y) for x, y in training.batches()), len(training.base_mask)
        )
        within, between = self._covariances(statistics, training.base_mask)
        # With L L' = W_a and U diag(l) U' = L^-1 B' L^-T, the map is T = L^-T U.
        lower = torch.linalg.cholesky(within)
        half = torch.linalg.solve_triangular(lower, between, upper=False)
        variance, vectors = torch.linalg.eigh(torch.linalg.solve_triangular(lower, half.t(), upper=False))
        order = variance.argsort(descending=True)
        back = torch.linalg.solve_triangular(lower.t(), vectors[:, order], upper=True)  # (r, r)
        used = len(variance)
        self.center.copy_(mean)
        self.weight.zero_()[:used] = ((basis @ back) / deviation).t().to(self.weight)
        self.class_variance.fill_(_LEAST_VARIANCE)[:used] = variance[order].clamp(min=_LEAST_VARIANCE).to(self.weight)
        return dict(dimensions=float(used), class_variance=float(self.class_variance[:used].mean()))

    def _covariances(self, statistics: ClassStatistics, base_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return W_a and B'."""
        base = base_mask & (statistics.counts > 0)
        if int(base.sum()) < 2:
            raise DataError(
                f'JointWhitening needs videos of two or more base classes; there are {int(base.sum())}. Add classes to '
                'the base lists, or use a method whose projector is not fitted.'
            )
        within = statistics.within_covariance()
        size = within.diagonal().mean()
        if not size > _LEAST_SCATTER:  # The features have a variance of about 1.
            raise DataError(
                'JointWhitening needs two different videos of some class, to see how videos of a class differ. Here '
                'no class has two, or they are equal after data_preprocessor: add videos, or check scale and norm.'
            )
        between = statistics.means[base].t().cov() - (1 / statistics.counts[base]).mean() * within
        level = between.diagonal().mean().clamp(min=1e-6)
        identity = torch.eye(len(within), dtype=within.dtype, device=within.device)
        full, axes, alike = self.between_shape
        between = full * between + axes * torch.diag(between.diagonal().clamp(min=1e-3 * level))
        a = self.within_shrinkage
        return (1 - a) * within + a * size * identity, between + alike * level * identity

    def _basis(self, training: FittingSet, mean: Tensor) -> Tensor:
        """Return orthonormal directions (D, r) that hold the training set, or the strongest of them."""
        width, rank = len(mean), min(self.out_dim, training.num_videos - 1)
        if rank >= width:
            return torch.eye(width, dtype=mean.dtype, device=mean.device)
        generator = torch.Generator().manual_seed(training.seed)
        basis = torch.randn(width, rank, dtype=mean.dtype, generator=generator).to(mean.device)
        for _ in range(1 if rank == training.num_videos - 1 else 3):  # One pass finds a complete span.
            image = torch.zeros_like(basis)
            for x, _ in training.batches():
                centred = x.double() - mean
                image += centred.t() @ (centred @ basis)
            basis = torch.linalg.qr(image)[0]
        return basis


def _overall(training: FittingSet) -> tuple[Tensor, Tensor]:
    """Return the mean of the features (D,), and their one standard deviation around it."""
    total, squares, count = torch.zeros(()), torch.zeros(()), 0
    for x, _ in training.batches():
        x = x.double()
        total, squares, count = total.to(x) + x.sum(0), squares.to(x) + x.square().sum(0), count + len(x)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).mean().sqrt()
    return mean, deviation.clamp(min=torch.finfo(torch.float32).tiny)
