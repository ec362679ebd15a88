"""Training in bfloat16."""

import pytest
import torch
from mmengine.device import get_device

from avzoo.engine.optim import AutocastOptimWrapper


def trained(steps, *, lr=1.0, **arguments):
    """Descend with the gradient (3, 4), ``steps`` times from (0, 0); returns the weights after each step."""
    weight = torch.nn.Parameter(torch.zeros(2))
    wrapper = AutocastOptimWrapper(torch.optim.SGD([weight], lr=lr), **arguments)
    weights = []
    for _ in range(steps):
        wrapper.update_params((weight * torch.tensor([3.0, 4.0])).sum())
        weights.append(weight.tolist())
    return weights


@pytest.mark.parametrize('lr', [1.0, 0.5])
def test_the_optimizer_steps_on_what_was_computed_in_bfloat16(lr):
    # The wrapper computes in half precision where training computes: on the GPU if there is one.
    layer, x = torch.nn.Linear(3, 2, bias=False).to(get_device()), torch.ones(1, 3, device=get_device())
    before = layer.weight.detach().clone()
    wrapper = AutocastOptimWrapper(torch.optim.SGD(layer.parameters(), lr=lr))
    with wrapper.optim_context(layer):
        out = layer(x)
    assert out.dtype == torch.bfloat16 and layer(x).dtype == torch.float32
    wrapper.update_params(out.float().sum())
    torch.testing.assert_close(layer.weight, before - lr)


@pytest.mark.parametrize(('counts', 'moved'), [(1, [True, True, True]), (3, [False, False, True])])
def test_gradients_are_accumulated_over_as_many_steps_as_asked_for(counts, moved):
    before, found = [0.0, 0.0], []
    for weight in trained(3, accumulative_counts=counts):
        found.append(weight != before)
        before = weight
    assert found == moved


@pytest.mark.parametrize(('clip_grad', 'end'), [(None, [-3.0, -4.0]), (dict(max_norm=1.0), [-0.6, -0.8])])
def test_gradients_are_clipped_if_asked_for(clip_grad, end):
    assert trained(1, clip_grad=clip_grad)[0] == pytest.approx(end, rel=1e-4)
