"""Layers of PyTorch that are replaced by faster ones with the same parameters."""

from torch import nn

from avzoo.models.layers.fast_dropout import FastDropout
from avzoo.models.layers.fast_linear import FastLinear

_FASTER: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: FastLinear, nn.Dropout: FastDropout}


def use_fast_layers(model: nn.Module) -> None:
    """Let linear layers and dropout anywhere in a model compute as ``env_cfg.cpu_kernels`` says.

    Parts come from here, from other libraries and from users, so their layers change their class, and nothing else.
    """
    for module in model.modules():
        module.__class__ = _FASTER.get(type(module), type(module))
