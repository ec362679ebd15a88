"""The text-to-feature diffusion model of AV-DIFF."""

import math
from functools import partial
from typing import Literal, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.generators.chain import predict_along
from avzoo.models.generators.noise_predictor import MLPNoisePredictor
from avzoo.models.generators.noise_schedule import refuse_end_in_noise
from avzoo.models.kernels.mlp_chain import ReverseStep, mlp_chain
from avzoo.models.kernels.precision import outside_autocast
from avzoo.registry import GENERATORS, NOISE_PREDICTORS, NOISE_SCHEDULES


@GENERATORS.register_module()
class DDPM(nn.Module):
    """Generate audio-visual features c_o from a condition by denoising (AV-DIFF, sec. 4.2; Ho et al. 2020).

    Args:
        dim: Width of the generated features.
        cond_dim: Width of the condition.
        schedule: Config of the variance schedule; one that ends in noise alone (``zero_terminal_snr``) is refused.
        noise_predictor: Config of epsilon_theta.
        noise_at_last_step: Add noise at the last reverse step (t = 0) too, as the released code does. Ho et al. do not.
        variance: ``beta``: sigma_t^2 = beta_t (paper); ``posterior``: the variance of q(x_{t-1} | x_t, x_0).
        loss_weight: Weight of the diffusion loss.
    """

    def __init__(
        self,
        dim: int,
        cond_dim: int,
        *,
        schedule: dict,
        noise_predictor: dict,
        noise_at_last_step: bool = True,
        variance: Literal['beta', 'posterior'] = 'beta',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if variance not in ('beta', 'posterior'):
            raise ValueError(f"variance='{variance}'; choose 'beta' or 'posterior'.")
        self.dim, self.loss_weight = dim, loss_weight
        self.noise_at_last_step, self.variance = noise_at_last_step, variance
        self.schedule = NOISE_SCHEDULES.build(schedule)
        refuse_end_in_noise(self.schedule, "type='FeatureDiffusion' with prediction='v'")
        self.noise_predictor = NOISE_PREDICTORS.build(dict(noise_predictor, dim=dim, cond_dim=cond_dim))

    def loss(self, x_0: Tensor, condition: Tensor, *, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return ``loss_diffusion`` (eq. 8) for features x_0 (B, D) under conditions (B, d_c)."""
        t = torch.randint(self.schedule.num_steps, x_0.shape[:1], device=x_0.device, generator=generator)
        noise = _normal_like(x_0, generator)
        return {'loss_diffusion': self.loss_weight * self.denoising_error(x_0, condition, t, noise)}

    @property
    def num_steps(self) -> int:
        """Number of steps of the schedule."""
        return self.schedule.num_steps

    def denoising_error(self, x_0: Tensor, condition: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the mean squared error of the predicted noise at given steps t (B,) and noise (B, D)."""
        return F.mse_loss(self.noise_predictor(self.q_sample(x_0, t, noise), t, condition), noise)

    def q_sample(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Diffuse x_0 (B, D) to steps t (B,): the closed form of eq. 6."""
        alpha_bar = self.schedule.alpha_bar[t].unsqueeze(1)
        return alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one feature vector for each condition (B, d_c); returns (B, D).

        Also under autocast it computes in the precision of its weights.
        """
        weights = next(self.parameters(), condition)
        return outside_autocast(partial(self._sample, generator), condition, dtype=weights.dtype)

    def _sample(self, generator: torch.Generator | None, condition: Tensor) -> Tensor:
        x = _normal_like(condition.new_empty(len(condition), self.dim), generator)
        chain = range(self.schedule.num_steps - 1, -1, -1)
        steps = torch.arange(chain.start, -1, -1, device=x.device)
        weights = self.noise_predictor.as_mlp(steps, condition) if _as_one(self.noise_predictor) else None
        if weights is not None:
            return mlp_chain(x, weights, [self._step(t) for t in chain], lambda: _normal_like(x, generator))
        predict = predict_along(self.noise_predictor, steps, condition)
        for place, step in enumerate(chain):
            x = self._reverse(x, step, predict(x, place), _normal_like(x, generator))
        return x

    def p_sample(self, x_t: Tensor, step: int, condition: Tensor, noise: Tensor) -> Tensor:
        """Take one reverse step from x_t (B, D) at ``step`` (AV-DIFF, eq. 9; Ho et al. 2020, eq. 11)."""
        t = torch.full((len(x_t),), step, device=x_t.device)
        return self._reverse(x_t, step, self.noise_predictor(x_t, t, condition), noise)

    def _reverse(self, x_t: Tensor, step: int, eps: Tensor, noise: Tensor) -> Tensor:
        """Take one reverse step, given the predicted noise."""
        kept, predicted, fresh = self._step(step)
        return torch.add(torch.add(kept * x_t, eps, alpha=predicted), noise, alpha=fresh)

    def _step(self, step: int) -> ReverseStep:
        beta, alpha_bar = self.schedule.betas[step], self.schedule.alpha_bars[step]
        kept = 1 / math.sqrt(1 - beta)
        variance = beta
        if self.variance == 'posterior':
            before = self.schedule.alpha_bars[step - 1] if step else 1.0
            variance *= (1 - before) / (1 - alpha_bar)
        quiet = step == 0 and not self.noise_at_last_step
        return ReverseStep(kept, -kept * beta / math.sqrt(1 - alpha_bar), 0.0 if quiet else math.sqrt(variance))


def _normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)


def _as_one(predictor: nn.Module) -> TypeGuard[MLPNoisePredictor]:
    """Return whether a chain is one operation: for its gradients, or on a GPU for its kernel."""
    if not isinstance(predictor, MLPNoisePredictor):
        return False
    weight = next(predictor.parameters())
    return (torch.is_grad_enabled() and weight.requires_grad) or weight.is_cuda
