"""Samplers: from noise to features, given a function that estimates x_0."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Denoise = Callable[[Tensor, int], Tensor]  # x_t (N, d) and the step t: an estimate of x_0 (N, d)
SamplerName = Literal['ddpm', 'ddim', 'dpm_solver++']


class Level(NamedTuple):
    """A point of the path: x_t = signal * x_0 + noise * standard normal noise."""

    step: int
    signal: float
    noise: float


_CLEAN = Level(-1, 1.0, 0.0)


def levels(signal: Tensor, noise: Tensor, count: int) -> list[Level]:
    """Return ``count`` levels of a schedule (T,), evenly spaced, from the last step down to the first, and x_0."""
    steps = torch.linspace(len(signal) - 1, 0, count, device=signal.device).round().int().tolist()
    return [*(Level(step, float(signal[step]), float(noise[step])) for step in steps), _CLEAN]


def ddpm(denoise: Denoise, x: Tensor, path: Sequence[Level], generator: torch.Generator | None) -> Tensor:
    """Draw from q(x_before | x_t, x_0) at each step (Ho et al. 2020, eq. 7; for any path: Kingma et al. 2021)."""
    for now, then in pairwise(path):
        kept = now.signal / then.signal
        fresh = now.noise**2 - kept**2 * then.noise**2  # Variance that the step from then to now added.
        mean = (kept * then.noise**2 * x + then.signal * fresh * denoise(x, now.step)) / now.noise**2
        x = mean + math.sqrt(max(fresh, 0.0)) * then.noise / now.noise * normal_like(x, generator)
    return x


def ddim(denoise: Denoise, x: Tensor, path: Sequence[Level], generator: torch.Generator | None = None) -> Tensor:
    """Keep the noise that was estimated (Song et al. 2021, eta 0); on the straight path, Euler steps of the flow."""
    for now, then in pairwise(path):
        x_0 = denoise(x, now.step)
        x = then.signal * x_0 + then.noise * (x - now.signal * x_0) / now.noise
    return x


def dpm_solver(denoise: Denoise, x: Tensor, path: Sequence[Level], generator: torch.Generator | None = None) -> Tensor:
    """DPM-Solver++ of second order in two-step form (Lu et al. 2022); its first and last steps are of first order."""
    before: tuple[Tensor, float] | None = None
    for now, then in pairwise(path):
        estimate = x_0 = denoise(x, now.step)
        width = _log_snr(then) - _log_snr(now)
        if before is not None and math.isfinite(before[1]) and math.isfinite(width):
            x_0 = estimate + width / (2 * before[1]) * (estimate - before[0])
        decay = then.noise * now.signal / (then.signal * now.noise)
        x = then.noise / now.noise * x + then.signal * (1 - decay) * x_0
        before = estimate, width
    return x


def _log_snr(level: Level) -> float:
    if level.signal == 0:
        return -math.inf
    return math.inf if level.noise == 0 else math.log(level.signal / level.noise)


def normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return standard normal noise of the shape, type and device of x."""
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)


SAMPLERS: dict[str, Callable[[Denoise, Tensor, Sequence[Level], torch.Generator | None], Tensor]] = {
    'ddpm': ddpm,
    'ddim': ddim,
    'dpm_solver++': dpm_solver,
}
