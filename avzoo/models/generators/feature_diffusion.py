"""A text-to-feature diffusion model that is fitted by itself, on stored features."""

import copy
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.models.contracts import FittingSet
from avzoo.models.generators.chain import predict_along
from avzoo.models.generators.noise_schedule import refuse_end_in_noise
from avzoo.models.generators.predictions import PREDICTIONS, PredictionName
from avzoo.models.generators.quickest_threads import quickest_threads
from avzoo.models.generators.samplers import SAMPLERS, Denoise, SamplerName, levels, normal_like
from avzoo.models.kernels.precision import outside_autocast, without_autocast
from avzoo.models.layers.fit_once import fit_once
from avzoo.models.layers.gaussian_denoiser import GaussianDenoiser
from avzoo.registry import GENERATORS, NOISE_PREDICTORS, NOISE_SCHEDULES

_TRIAL = 3  # Steps; behind a last layer of zeros nothing has a gradient in the first.


@GENERATORS.register_module()
class FeatureDiffusion(nn.Module):
    """Generate features c_o from a condition by denoising, after many cheap steps of its own on stored features.

    Features and conditions are standardised; the constants lie in buffers. Outside of ``fit`` no weight requires
    a gradient, so neither the model's optimizer nor distributed training sees it.

    Args:
        dim: Width of the generated features.
        cond_dim: Width of the condition.
        schedule: Config of the schedule.
        noise_predictor: Config of the network.
        prediction: What the network predicts: ``noise``, ``v`` or ``flow``, the velocity noise - x_0.
            ``noise`` needs a schedule that leaves some signal at its last step.
        sampler: ``ddpm``, ``ddim``, or ``dpm_solver++`` (second order).
        sample_steps: Steps of the sampler; at most those of the schedule.
        guidance_weight: Weight w of classifier-free guidance, unconditional + w (conditional - unconditional); 1 means
            none, any other needs ``condition_dropout``.
        condition_dropout: Share of training samples whose condition is replaced by zeros: their mean.
        gaussian_prior: Add the network's prediction to the one that would be optimal if all features together were
            normally distributed.
        classes: Whose features it learns: those of the ``base`` classes, or of ``all``. A few shots among many videos
            are memorised: on synth, FSL at 1 shot fell by 16.
        steps: Training steps.
        batch_size: Samples of a step.
        lr: Learning rate of Adam, which falls to zero as a cosine.
    """

    feature_mean: Tensor
    feature_std: Tensor
    condition_mean: Tensor
    condition_std: Tensor
    path_steps: Tensor

    def __init__(
        self,
        dim: int,
        cond_dim: int,
        *,
        schedule: dict,
        noise_predictor: dict,
        prediction: PredictionName = 'v',
        sampler: SamplerName = 'dpm_solver++',
        sample_steps: int = 20,
        guidance_weight: float = 1.0,
        condition_dropout: float = 0.0,
        gaussian_prior: bool = False,
        classes: Literal['base', 'all'] = 'base',
        steps: int = 15000,
        batch_size: int = 64,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        _check_choice('prediction', prediction, get_args(PredictionName))
        _check_choice('sampler', sampler, get_args(SamplerName))
        _check_choice('classes', classes, ('base', 'all'))
        if guidance_weight != 1 and not condition_dropout:
            raise ValueError(f'guidance_weight={guidance_weight} needs condition_dropout above 0, e.g. 0.1.')
        self.schedule = NOISE_SCHEDULES.build(schedule)
        if prediction == 'noise':
            refuse_end_in_noise(self.schedule, "prediction='v'")
        if not 2 <= sample_steps <= self.schedule.num_steps:
            raise ValueError(
                f'sample_steps={sample_steps} must lie in 2..schedule.num_steps={self.schedule.num_steps}.'
            )
        self.dim, self.prediction, self.sampler = dim, PREDICTIONS[prediction], SAMPLERS[sampler]
        self.guidance_weight, self.condition_dropout = guidance_weight, condition_dropout
        self.base_only = classes == 'base'
        self.steps, self.batch_size, self.lr = steps, batch_size, lr
        self.path = levels(self.schedule.signal, self.schedule.noise, sample_steps)
        places = torch.tensor([level.step for level in self.path[:-1]])
        self.register_buffer('path_steps', places, persistent=False)
        self.noise_predictor = NOISE_PREDICTORS.build(dict(noise_predictor, dim=dim, cond_dim=cond_dim))
        self.prior = GaussianDenoiser(dim) if gaussian_prior else None
        for name, width in {'feature': dim, 'condition': cond_dim}.items():
            self.register_buffer(f'{name}_mean', torch.zeros(width))
            self.register_buffer(f'{name}_std', torch.ones(width))
        self.requires_grad_(False)

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Fit the network to the features of a training set under the conditions of their classes."""
        assert training.conditions is not None
        x, labels = (torch.cat(parts) for parts in zip(*training.batches(), strict=True))
        if self.base_only:
            x, labels = x[training.base_mask[labels]], labels[training.base_mask[labels]]
        self._standardise(x, training.conditions[training.base_mask])
        x = (x - self.feature_mean) / self.feature_std
        if self.prior is not None:
            self.prior.fit(x)
        with torch.enable_grad(), without_autocast(x.device.type):
            return fit_once(self, self._train, x, self._scaled(training.conditions[labels]), training.seed)

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one feature vector for each condition (B, d_c); returns (B, D), without gradients.

        Also under autocast it computes in the precision of its weights.
        """
        return outside_autocast(partial(self._sample, generator), condition, dtype=self.feature_mean.dtype)

    def _sample(self, generator: torch.Generator | None, condition: Tensor) -> Tensor:
        condition = self._scaled(condition)
        x = normal_like(condition.new_empty(len(condition), self.dim), generator)
        with torch.no_grad():
            x = self.sampler(self._denoiser(condition), x, self.path, generator)
        return x * self.feature_std + self.feature_mean

    @property
    def num_steps(self) -> int:
        """Number of steps of the schedule."""
        return self.schedule.num_steps

    def denoising_error(self, x_0: Tensor, condition: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the mean squared error of the prediction for features x_0 (B, D) at steps t (B,) with noise (B, D)."""
        return self._error((x_0 - self.feature_mean) / self.feature_std, self._scaled(condition), t, noise)

    def _standardise(self, x: Tensor, conditions: Tensor) -> None:
        for name, rows in {'feature': x, 'condition': conditions}.items():
            std = rows.std(0, correction=0)
            getattr(self, f'{name}_mean').copy_(rows.mean(0))
            # A dimension without variance stays without.
            getattr(self, f'{name}_std').copy_(torch.where(std > 1e-4 * std.max(), std, std.max().clamp(min=1e-6)))

    def _scaled(self, condition: Tensor) -> Tensor:
        return (condition - self.condition_mean) / self.condition_std

    def _train(self, x: Tensor, condition: Tensor, seed: int) -> dict[str, float]:
        self.noise_predictor.train().requires_grad_(True)
        products = self.batch_size * sum(weight.numel() for weight in self.noise_predictor.parameters())

        def trial() -> list[Tensor] | None:
            try:
                part = copy.deepcopy(self)
            except (RuntimeError, TypeError):  # It holds a lock, say, or a tensor with a gradient, as weight_norm does.
                return None
            return [*islice(part._steps(x, condition, seed), _TRIAL), *part.parameters(), *part.buffers()]

        with quickest_threads(trial, products, x.device) as before_each:
            losses = [loss for _, loss in zip(before_each, self._steps(x, condition, seed), strict=False)]
        self.noise_predictor.eval().requires_grad_(False)
        return dict(diffusion_loss=float(torch.stack(losses[-1000:]).mean()))

    def _steps(self, x: Tensor, condition: Tensor, seed: int) -> Iterator[Tensor]:
        """Take the training steps one by one and yield the loss of each, ()."""
        rng = torch.Generator(x.device).manual_seed(seed)
        parameters = list(self.noise_predictor.parameters())
        in_order = all(p.is_contiguous() for p in parameters)  # The fused step reads memory in order.
        optimizer = torch.optim.Adam(parameters, lr=self.lr, fused=in_order or None)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        for _ in range(self.steps):
            error = self._error(*self._draw(x, condition, rng))
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            cosine.step()
            yield error.detach()

    def _draw(self, x: Tensor, condition: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw a training batch: features, conditions, steps and noise."""
        rows = torch.randint(len(x), (self.batch_size,), device=x.device, generator=rng)
        kept = torch.rand(self.batch_size, 1, device=x.device, generator=rng) >= self.condition_dropout
        t = torch.randint(self.schedule.num_steps, (self.batch_size,), device=x.device, generator=rng)
        x_0 = x[rows]
        return x_0, condition[rows] * kept, t, normal_like(x_0, rng)

    def _error(self, x_0: Tensor, condition: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        a, s = self.schedule.signal[t].unsqueeze(1), self.schedule.noise[t].unsqueeze(1)
        x_t = a * x_0 + s * noise
        predicted = self._with_prior(self.noise_predictor(x_t, t, condition), x_t, a, s)
        return F.mse_loss(predicted, self.prediction.target(x_0, noise, a, s))

    def _with_prior(self, out: Tensor, x_t: Tensor, a: Tensor, s: Tensor) -> Tensor:
        """Add what the prior predicts in x_t (B, D), with the shares a and s of signal and noise, to the network's."""
        if self.prior is None:
            return out
        x_0 = self.prior(x_t, a, s)
        return out + self.prediction.target(x_0, (x_t - a * x_0) / s, a, s)

    def _denoiser(self, condition: Tensor) -> Denoise:
        """Return the estimate of x_0 along the path; its constant part is computed once."""
        steps = self.path_steps
        predict = predict_along(self.noise_predictor, steps, condition)
        guided = self.guidance_weight != 1
        free = predict_along(self.noise_predictor, steps, torch.zeros_like(condition)) if guided else predict
        places = {level.step: place for place, level in enumerate(self.path)}
        signal, noise = self.schedule.signal[steps].unbind(), self.schedule.noise[steps].unbind()

        def denoise(x_t: Tensor, step: int) -> Tensor:
            a, s = signal[places[step]], noise[places[step]]
            out = self._with_prior(predict(x_t, places[step]), x_t, a, s)
            if guided:
                without = self._with_prior(free(x_t, places[step]), x_t, a, s)
                out = without + self.guidance_weight * (out - without)
            return self.prediction.clean(x_t, out, a, s)

        return denoise


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}='{value}'; choose one of {', '.join(choices)}.")
