"""Schedules of the diffusion process: how much of the signal and how much noise there is at each step."""

import math

import torch
from torch import Tensor, nn

from avzoo.registry import NOISE_SCHEDULES


class _BetaSchedule(nn.Module):
    """A schedule that is given by the variance beta (T,) of each step, on the CPU (Ho et al. 2020).

    ``ends_in_noise`` says whether (nearly) nothing is left of the signal at the last step.
    """

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor

    def __init__(self, beta: Tensor, *, ends_in_noise: bool) -> None:
        super().__init__()
        self.num_steps, self.ends_in_noise = len(beta), ends_in_noise
        alpha_bar = (1 - beta).cumprod(0)
        # As plain numbers besides: reading an element of a buffer would wait for the device.
        self.betas, self.alpha_bars = beta.tolist(), alpha_bar.tolist()
        # Constants that follow from the arguments: not part of a checkpoint.
        for name, value in {'beta': beta, 'alpha': 1 - beta, 'alpha_bar': alpha_bar}.items():
            self.register_buffer(name, value.to(torch.empty(0).device), persistent=False)

    @property
    def signal(self) -> Tensor:
        """The factor (T,) of x_0 in x_t."""
        return self.alpha_bar.sqrt()

    @property
    def noise(self) -> Tensor:
        """The factor (T,) of the noise in x_t."""
        return (1 - self.alpha_bar).sqrt()


@NOISE_SCHEDULES.register_module()
class LinearSchedule(_BetaSchedule):
    """Betas that grow linearly (AV-DIFF, eq. 6; Ho et al. 2020).

    With the paper's betas and few steps, alpha_bar at the last step is far from zero (0.13 at T = 200), although
    sampling starts from pure noise. ``zero_terminal_snr`` rescales the schedule so that it ends at zero (Lin et al.
    2024, sec. 3.1); generators that predict the noise refuse such a schedule, since x_0 does not follow from the noise
    where no signal is left.

    Args:
        num_steps: Number of diffusion steps T.
        beta_start: Variance of the first step.
        beta_end: Variance of the last step.
        zero_terminal_snr: Rescale so that alpha_bar of the last step is (nearly) 0. The paper does not.
    """

    def __init__(
        self, *, num_steps: int = 200, beta_start: float = 1e-4, beta_end: float = 0.02, zero_terminal_snr: bool = False
    ) -> None:
        beta = torch.linspace(beta_start, beta_end, num_steps, device='cpu')
        super().__init__(_rescale_to_zero_snr(beta) if zero_terminal_snr else beta, ends_in_noise=zero_terminal_snr)


@NOISE_SCHEDULES.register_module()
class CosineSchedule(_BetaSchedule):
    """An alpha_bar that falls as a squared cosine, to zero (Nichol and Dhariwal 2021, eq. 17).

    Args:
        num_steps: Number of diffusion steps T.
        offset: Keeps the first betas from being too small.
    """

    def __init__(self, *, num_steps: int = 200, offset: float = 0.008) -> None:
        at = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64, device='cpu')
        alpha_bar = ((at + offset) / (1 + offset) * math.pi / 2).cos().square()
        beta = 1 - alpha_bar[1:] / alpha_bar[:-1]
        super().__init__(beta.clamp(max=0.999).float(), ends_in_noise=True)


@NOISE_SCHEDULES.register_module()
class StraightPath(nn.Module):
    """A straight line from the features to the noise, the path of flow matching (Lipman et al. 2023; Liu et al. 2023).

    Args:
        num_steps: Number of steps T; at the last one no signal is left.
    """

    signal: Tensor
    noise: Tensor
    ends_in_noise = True

    def __init__(self, *, num_steps: int = 200) -> None:
        super().__init__()
        self.num_steps = num_steps
        noise = torch.linspace(1 / num_steps, 1, num_steps, device='cpu')
        self.register_buffer('noise', noise, persistent=False)
        self.register_buffer('signal', 1 - noise, persistent=False)


def refuse_end_in_noise(schedule: nn.Module, cure: str) -> None:
    """Refuse a schedule whose last step holds no signal, for a network that predicts the noise."""
    if schedule.ends_in_noise:
        raise ValueError(
            f'schedule={type(schedule).__name__} leaves no signal at its last step, where x_0 does not follow from '
            f'the predicted noise: samples would explode. Take {cure}, or a schedule that leaves some.'
        )


def _rescale_to_zero_snr(beta: Tensor) -> Tensor:
    root = (1 - beta).cumprod(0).sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    alpha_bar = root.square()
    alpha = torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]])
    # A beta of exactly 1 would divide by zero in the reverse step.
    return (1 - alpha).clamp(max=0.999)
