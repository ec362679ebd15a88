"""Where along its chain has a denoiser learned? Compares its loss with predicting zero and with shuffled conditions."""

import torch
from torch import Tensor

from avzoo.evaluation.generator_check import Features, other_columns
from avzoo.models.contracts import Conditioner, Denoiser
from avzoo.models.generators import FeatureDiffusion

_QUARTERS = 4
_MOST = 2000  # Features that are examined.


@torch.no_grad()
def check_denoising(
    generator: Denoiser, conditioner: Conditioner, features: Features
) -> dict[str, float | list[float]]:
    """Return the loss of a denoiser in each quarter of its steps, from little to much noise.

    Args:
        generator: The denoiser.
        conditioner: Gives the condition of each column.
        features: Features that it was not trained on.

    Returns:
        ``loss_quarters``; ``loss_shuffled_quarters``, with conditions of other classes; ``loss_zero_quarters``, the
        loss of predicting zero, all for the same features, steps and noise; and ``loss_zero``, the mean of the latter.
    """
    rows = slice(None, None, -(-len(features.x) // _MOST))
    some = Features(features.x[rows], features.labels[rows])
    right, wrong = conditioner(some.labels), conditioner(other_columns(some.labels))
    noise = torch.randn(some.x.shape, generator=torch.Generator().manual_seed(2)).to(some.x)
    found: dict[str, list[float]] = {'loss_quarters': [], 'loss_shuffled_quarters': [], 'loss_zero_quarters': []}
    for t in _steps_of_quarters(generator.num_steps, len(some.x), some.x.device):
        found['loss_quarters'].append(float(generator.denoising_error(some.x, right, t, noise)))
        found['loss_shuffled_quarters'].append(float(generator.denoising_error(some.x, wrong, t, noise)))
        found['loss_zero_quarters'].append(float(_target(generator, some.x, t, noise).square().mean()))
    return dict(found, loss_zero=sum(found['loss_zero_quarters']) / _QUARTERS)


def _steps_of_quarters(num_steps: int, count: int, device: torch.device) -> list[Tensor]:
    """Return the steps (count,) of each quarter of a chain; with fewer than four steps, quarters repeat some."""
    bounds = [num_steps * i // _QUARTERS for i in range(_QUARTERS + 1)]
    places = torch.arange(count, device=device)
    return [bounds[i] + places % max(1, bounds[i + 1] - bounds[i]) for i in range(_QUARTERS)]


def _target(generator: Denoiser, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """Return the target of the predictions for features x_0 (N, d): the noise, or another mix of both."""
    if not isinstance(generator, FeatureDiffusion):
        return noise
    signal, share = (of[t].unsqueeze(1) for of in (generator.schedule.signal, generator.schedule.noise))
    x_0 = (x_0 - generator.feature_mean) / generator.feature_std
    return generator.prediction.target(x_0, noise, signal, share)
