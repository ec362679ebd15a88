"""The adversarial generator that ProtoGAN, TSL and AV-GAN share."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce_params
from torch import Tensor, nn

from avzoo.models.kernels.precision import without_autocast
from avzoo.registry import GENERATORS

_OUTPUTS = {'relu': nn.ReLU, 'linear': nn.Identity}


@GENERATORS.register_module()
class WGANGP(nn.Module):
    """Generate features under a condition by a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017).

    It trains itself: ``update`` takes several steps of the critic and one of the generator, with its own optimizers.
    Outside of ``update`` no parameter of it requires a gradient, so the model's optimizer and the wrapper for
    distributed training never see them. The optimizers' moments are part of the state dict.

    Args:
        dim: Width of the generated features.
        cond_dim: Width of the condition.
        noise_dim: Width of the noise z.
        generator_hidden: Hidden width of the generator.
        critic_hidden: Hidden width of the critic.
        condition_width: Pass the condition through one linear layer with LeakyReLU to this width first (ProtoGAN's
            class prototype transfer network). It is trained with the generator; the critic takes it as it is.
        output: ``relu`` for features that are never negative, ``linear`` for signed ones.
        n_critic: Critic steps before each generator step, on the same batch with fresh noise.
        gp_weight: Weight of the gradient penalty.
        cls_weight: Weight of the classification loss on the generator's features (f-CLSWGAN, Xian et al. 2018).
        cosine_weight: Weight of 1 - cos(x, condition) for the generator's features x, where the condition is a point
            among the features, such as a prototype of them (ProtoGAN's embedding loss).
        lr: Learning rate of both Adam optimizers.
        betas: Their decay rates.
        init_std: Draw weights from N(0, init_std^2) and zero the biases; ``None`` keeps PyTorch's defaults.
    """

    def __init__(
        self,
        dim: int,
        cond_dim: int,
        *,
        noise_dim: int = 64,
        generator_hidden: int = 128,
        critic_hidden: int = 64,
        condition_width: int | None = None,
        output: Literal['relu', 'linear'] = 'relu',
        n_critic: int = 5,
        gp_weight: float = 10.0,
        cls_weight: float = 0.0,
        cosine_weight: float = 0.0,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        if output not in _OUTPUTS:
            raise ValueError(f"output='{output}'; choose one of {', '.join(_OUTPUTS)}.")
        if cosine_weight and cond_dim != dim:
            raise ValueError(
                f'cosine_weight={cosine_weight} compares features with conditions, but their widths are {dim} and '
                f'{cond_dim}; set it to 0, or condition on prototypes of the features.'
            )
        self.noise_dim, self.n_critic, self.gp_weight = noise_dim, n_critic, gp_weight
        self.cls_weight, self.cosine_weight = cls_weight, cosine_weight
        width = condition_width or cond_dim
        self.condition_net = nn.Sequential(nn.Linear(cond_dim, width), nn.LeakyReLU(0.2)) if condition_width else None
        self.synthesizer = _two_layers(noise_dim + width, generator_hidden, dim, _OUTPUTS[output]())
        self.critic = _two_layers(dim + width, critic_hidden, 1)
        if init_std is not None:
            self._draw_weights(init_std)
        self.requires_grad_(False)
        self._players = {
            'generator': [p for name, p in self.named_parameters() if not name.startswith('critic.')],
            'critic': list(self.critic.parameters()),
        }
        self._optimizers = {
            name: torch.optim.Adam(parameters, lr=lr, betas=(betas[0], betas[1]))
            for name, parameters in self._players.items()
        }

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one feature vector for each condition (B, d_c); returns (B, D), without gradients."""
        with torch.no_grad():
            return self._synthesize(self._transfer(condition), generator)

    def update(
        self,
        x_0: Tensor,
        condition: Tensor,
        classify: Callable[[Tensor], Tensor],
        *,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Train critic and generator on one batch.

        Args:
            x_0: Real features, (B, D); they are constants here.
            condition: Their conditions, (B, d_c).
            classify: Returns the classification loss of features (B, D) with the labels of the batch. The weights of
                the classifier get no gradient.
            generator: Source of the noise.

        Returns:
            Values for the log: ``critic_distance``, the critic's estimate of the Wasserstein distance,
            ``gradient_penalty`` and ``generator_objective``.
        """
        # Full precision: the penalty differentiates twice.
        with torch.enable_grad(), without_autocast(x_0.device.type):
            x_0, condition = x_0.detach().float(), condition.detach().float()
            log = {}
            for _ in range(self.n_critic):
                log = self._critic_step(x_0, condition, generator)
            log['generator_objective'] = self._generator_step(condition, classify, generator)
        return log

    def gradient_penalty(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return how far the critic's gradient at x (B, D) is from length 1: the mean of (norm - 1)^2."""
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self._criticize(x, condition).sum(), x, create_graph=True)
        return (gradient.norm(dim=1) - 1).square().mean()

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state of both optimizers, so that a checkpoint carries it."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over the state of both optimizers."""
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(copy.deepcopy(state[name]))  # A copy: Adam changes its moments in place.

    def _apply(self, fn: Callable, recurse: bool = True) -> 'WGANGP':
        super()._apply(fn, recurse)
        for optimizer in self._optimizers.values():
            optimizer.load_state_dict(optimizer.state_dict())  # The moments follow the parameters to their device.
        return self

    def _critic_step(self, x_0: Tensor, condition: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        with torch.no_grad():
            condition = self._transfer(condition)
            fake = self._synthesize(condition, generator)
            alpha = torch.rand(len(x_0), 1, device=x_0.device, generator=generator)
            between = alpha * x_0 + (1 - alpha) * fake
        with _trainable(self._players['critic']):
            distance = self._criticize(x_0, condition).mean() - self._criticize(fake, condition).mean()
            penalty = self.gradient_penalty(between, condition)
            self._step('critic', self.gp_weight * penalty - distance)
        return dict(critic_distance=distance.detach(), gradient_penalty=penalty.detach())

    def _generator_step(
        self, condition: Tensor, classify: Callable[[Tensor], Tensor], generator: torch.Generator | None
    ) -> Tensor:
        with _trainable(self._players['generator']):
            transferred = self._transfer(condition)
            fake = self._synthesize(transferred, generator)
            objective = -self._criticize(fake, transferred.detach()).mean()
            if self.cls_weight:
                objective = objective + self.cls_weight * classify(fake)
            if self.cosine_weight:
                objective = objective + self.cosine_weight * (1 - F.cosine_similarity(fake, condition)).mean()
            self._step('generator', objective)
        return objective.detach()

    def _step(self, player: str, objective: Tensor) -> None:
        parameters, optimizer = self._players[player], self._optimizers[player]
        # Not backward(): that would leave gradients in whatever else the objective went through, e.g. the classifier.
        gradients = torch.autograd.grad(objective, parameters)
        all_reduce_params(list(gradients), op='mean')
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad()

    def _transfer(self, condition: Tensor) -> Tensor:
        return condition if self.condition_net is None else self.condition_net(condition)

    def _synthesize(self, condition: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = torch.randn(
            len(condition), self.noise_dim, dtype=condition.dtype, device=condition.device, generator=generator
        )
        return self.synthesizer(torch.cat([noise, condition], dim=1))

    def _criticize(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.critic(torch.cat([x, condition], dim=1)).squeeze(1)  # (B,)

    def _draw_weights(self, std: float) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=std)
                nn.init.zeros_(layer.bias)


def _two_layers(in_dim: int, hidden_dim: int, out_dim: int, *last: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.LeakyReLU(0.2), nn.Linear(hidden_dim, out_dim), *last)


@contextmanager
def _trainable(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let parameters require gradients for a while."""
    players = nn.ParameterList(parameters).requires_grad_(True)
    try:
        yield
    finally:
        players.requires_grad_(False)
