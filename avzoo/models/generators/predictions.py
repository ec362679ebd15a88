"""What a denoising network predicts, and how x_0 follows from it.

At a step, x_t = a x_0 + s noise, with a the share of the signal and s that of the noise.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from torch import Tensor

PredictionName = Literal['noise', 'v', 'flow']


class Prediction(NamedTuple):
    """A quantity that a network can predict.

    Attributes:
        target: The quantity, from x_0, the noise, a and s.
        clean: x_0, from x_t, the quantity, a and s.
    """

    target: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    clean: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


# v: Salimans and Ho 2022. flow: the velocity of the straight path (Lipman et al. 2023), of any other path too.
PREDICTIONS: dict[str, Prediction] = {
    'noise': Prediction(lambda x_0, noise, a, s: noise, lambda x_t, out, a, s: (x_t - s * out) / a),
    'v': Prediction(
        lambda x_0, noise, a, s: a * noise - s * x_0,
        lambda x_t, out, a, s: (a * x_t - s * out) / (a.square() + s.square()),
    ),
    'flow': Prediction(lambda x_0, noise, a, s: noise - x_0, lambda x_t, out, a, s: (x_t - s * out) / (a + s)),
}
