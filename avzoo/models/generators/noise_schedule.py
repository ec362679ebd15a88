"""Variance schedules of the diffusion process."""

import torch
from torch import Tensor, nn

from avzoo.registry import NOISE_SCHEDULES


@NOISE_SCHEDULES.register_module()
class LinearSchedule(nn.Module):
    """Betas that grow linearly (AV-DIFF, eq. 6; Ho et al. 2020).

    With the paper's betas and few steps, alpha_bar at the last step is far from zero (0.13 at T = 200), although
    sampling starts from pure noise. ``zero_terminal_snr`` rescales the schedule so that it ends at zero (Lin et al.
    2024, sec. 3.1).

    Args:
        num_steps: Number of diffusion steps T.
        beta_start: Variance of the first step.
        beta_end: Variance of the last step.
        zero_terminal_snr: Rescale so that alpha_bar of the last step is (nearly) 0. The paper does not.
    """

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor

    def __init__(
        self, *, num_steps: int = 200, beta_start: float = 1e-4, beta_end: float = 0.02, zero_terminal_snr: bool = False
    ) -> None:
        super().__init__()
        self.num_steps = num_steps
        beta = torch.linspace(beta_start, beta_end, num_steps)
        if zero_terminal_snr:
            beta = _rescale_to_zero_snr(beta)
        alpha_bar = (1 - beta).cumprod(0)
        # Constants that follow from the arguments: not part of a checkpoint.
        for name, value in {'beta': beta, 'alpha': 1 - beta, 'alpha_bar': alpha_bar}.items():
            self.register_buffer(name, value, persistent=False)


def _rescale_to_zero_snr(beta: Tensor) -> Tensor:
    root = (1 - beta).cumprod(0).sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    alpha_bar = root.square()
    alpha = torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]])
    # A beta of exactly 1 would divide by zero in the reverse step.
    return (1 - alpha).clamp(max=0.999)
