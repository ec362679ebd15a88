"""The network epsilon_theta that predicts the noise."""

import torch
from torch import Tensor, nn

from avzoo.models.generators.chain import Predict, linear_along, split_linear
from avzoo.models.kernels.mlp_chain import MLPWeights
from avzoo.registry import NOISE_PREDICTORS


@NOISE_PREDICTORS.register_module()
class MLPNoisePredictor(nn.Module):
    """Predict the noise from x_t, the step t and the condition w, concatenated (AV-DIFF, sec. 4.2, eq. 8).

    The step enters as a plain number. A LeakyReLU comes before the first linear layer, as in the released code.

    Args:
        dim: Width of x_t.
        cond_dim: Width of the condition.
        hidden_dim: Width of the hidden layers.
        num_layers: Number of hidden layers.
        dropout: Dropout probability after each hidden layer.
    """

    def __init__(
        self, dim: int, cond_dim: int, *, hidden_dim: int = 128, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LeakyReLU()]
        width = dim + 1 + cond_dim
        for _ in range(num_layers):
            layers += [nn.Linear(width, hidden_dim), nn.LeakyReLU(), nn.Dropout(dropout)]
            width = hidden_dim
        self.net = nn.Sequential(*layers, nn.Linear(width, dim))

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Predict the noise (B, D) in x_t (B, D) at steps t (B,) under a condition (B, d_c)."""
        return self.net(torch.cat([x_t, t.unsqueeze(1).to(x_t.dtype), condition], dim=1))

    def along(self, steps: Tensor, condition: Tensor) -> Predict:
        """Return the prediction at each of ``steps`` (T,) under conditions (B, d_c); see :func:`predict_along`."""
        activation, first, *others = self.net
        assert isinstance(first, nn.Linear)
        hidden = linear_along(first, activation(steps.unsqueeze(1).to(condition.dtype)), activation(condition))
        rest = nn.Sequential(*others)
        return lambda x_t, place: rest(hidden(activation(x_t), place))

    def as_mlp(self, steps: Tensor, condition: Tensor) -> MLPWeights | None:
        """Return the weights with the share of ``steps`` (T,) and conditions (B, d_c), if one hidden layer is all."""
        if len(self.net) != 5 or (self.training and self.net[3].p):
            return None
        activation, first, _, _, out = self.net
        assert isinstance(activation, nn.LeakyReLU) and isinstance(first, nn.Linear) and isinstance(out, nn.Linear)
        times = activation(steps.unsqueeze(1).to(condition.dtype))
        of_x, fixed, table = split_linear(first, times, activation(condition))
        return MLPWeights(of_x, fixed, table, out.weight, out.bias, activation.negative_slope)
