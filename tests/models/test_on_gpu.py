"""Parts compute on a GPU what they compute on the CPU."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tests.models.part_cases import CASES
from tests.models.part_runs import build, run

PARTS = [(kind, name) for kind, names in CASES.items() for name in names]
KINDS_OF_DRAWS = {torch.randn, torch.rand, torch.randint}
KINDS_OF_DRAWS_LIKE = {torch.randn_like, torch.rand_like}


class DrawnOnTheCPU(TorchFunctionMode):
    """Lets random numbers be those of the CPU, wherever they are needed."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in KINDS_OF_DRAWS:
            device = kwargs.pop('device', None)
            return func(*args, **kwargs).to(device)
        if func in KINDS_OF_DRAWS_LIKE:
            return func(args[0].cpu(), *args[1:], **kwargs).to(args[0].device)
        return func(*args, **kwargs)


class Moved:
    """A part on another device, which takes and gives tensors of the CPU."""

    def __init__(self, part: nn.Module, device: str) -> None:
        self._part, self._device = part.to(device), device

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._computed(self._part)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        return self._computed(value) if callable(value) and name != 'parameters' else moved(value, 'cpu')

    def _computed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def compute(*args: Any, **kwargs: Any) -> Any:
            return moved(function(*moved(args, self._device), **moved(kwargs, self._device)), 'cpu')

        return compute


def moved(value: Any, device: str) -> Any:
    """Return a nested value whose tensors are on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved(one, device) for key, one in value.items()}
    return type(value)(moved(one, device) for one in value) if type(value) in (list, tuple) else value


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
@pytest.mark.parametrize(('kind', 'name'), PARTS)
def test_a_part_computes_on_a_gpu_what_it_computes_on_the_cpu(kind, name):
    part, other = (build(kind, name).eval() for _ in range(2))
    with DrawnOnTheCPU():
        wanted, found = run(part, kind, name), run(Moved(other, 'cuda'), kind, name)
    torch.testing.assert_close([x.cpu() for x in found], wanted, atol=1e-5, rtol=1e-4)
