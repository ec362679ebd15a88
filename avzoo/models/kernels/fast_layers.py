"""Layers of PyTorch that a CPU can compute faster, anywhere in a model."""

from torch import nn

from avzoo.models.kernels.fast_dropout import FastDropout
from avzoo.models.kernels.fast_linear import FastLinear

_FAST: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: FastLinear, nn.Dropout: FastDropout}


def use_fast_layers(model: nn.Module) -> None:
    """Let layers anywhere in a model use the kernels that ``cpu_kernels`` chooses.

    Parts come from here, from other libraries and from users, so their layers change their class, and nothing else.
    """
    for module in model.modules():
        module.__class__ = _FAST.get(type(module), module.__class__)
