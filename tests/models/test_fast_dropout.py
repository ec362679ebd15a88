"""Dropout from 16 random bits a number: its share and scale, and where PyTorch's own layer drops."""

import pytest
import torch
from torch import nn

from avzoo.models.kernels import fast_dropout
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.models.kernels.fast_dropout import FastDropout, draw_mask


@pytest.fixture(autouse=True)
def drawn(monkeypatch) -> list:
    """The shapes of the masks that are drawn."""
    shapes = []
    monkeypatch.setattr(
        fast_dropout, 'draw_mask', lambda shape, dropped: shapes.append(shape) or draw_mask(shape, dropped)
    )
    return shapes


@pytest.mark.parametrize('p', [0.1, 0.2, 0.5, 2**-16, 1 - 2**-16])
def test_each_of_four_numbers_is_dropped_with_the_probability_and_the_rest_scaled_by_its_share(p, drawn):
    torch.manual_seed(0)
    size = 4_000_001
    y = FastDropout(p)(torch.ones(size))
    share = round(p * 65536) / 65536
    assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / (1 - share)).item()}
    for lane in range(4):  # Four are drawn as one.
        part = y[lane::4]
        assert float((part == 0).float().mean()) == pytest.approx(
            share, abs=5 * (share * (1 - share) / len(part)) ** 0.5
        )
    assert drawn == [(size,)]


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    dropped = (FastDropout(0.5)(torch.ones(2000, 2000)) == 0).float() - 0.5
    for distance in (1, 2, 3, 4, 2000):
        flat = dropped.flatten()
        assert abs(float((flat[distance:] * flat[:-distance]).mean())) < 0.25 * 5 / 2000


def test_the_gradient_is_dropped_and_scaled_like_the_numbers():
    x = torch.rand(70, 90).add(1).requires_grad_()
    y = FastDropout(0.3)(x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(grad, y.detach() / x.detach())


def test_a_seed_repeats_the_draws_and_each_draw_differs(drawn):
    layer, x, found = FastDropout(0.3), torch.ones(64, 64), []  # No fewer numbers are drawn so.
    for _ in range(2):
        torch.manual_seed(5)
        found.append([layer(x), layer(x)])
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert not torch.equal(*found[0])
    assert drawn == 4 * [(64, 64)]


CASES = ['evaluation', 'in place', 'few numbers', 'double', 'bfloat16', 'vmap', 'kernels of torch', 0.0, 1.0, 1e-9]


@pytest.mark.parametrize('case', CASES)
def test_elsewhere_pytorchs_layer_drops(case, drawn):
    p = case if isinstance(case, float) else 0.3
    shape = (63, 65) if case == 'few numbers' else (90, 80)  # 4,095 are few.
    x = torch.ones(shape, dtype={'double': torch.double, 'bfloat16': torch.bfloat16}.get(case))
    found = []
    before = choose_cpu_kernels('torch' if case == 'kernels of torch' else 'auto')
    try:
        for kind in (FastDropout, nn.Dropout):
            layer = kind(p, inplace=case == 'in place').train(case != 'evaluation')
            run = torch.func.vmap(layer, randomness='different') if case == 'vmap' else layer
            torch.manual_seed(1)
            found.append(run(x.clone()))
    finally:
        choose_cpu_kernels(before)
    assert torch.equal(*found) and not drawn


def test_a_mask_is_made_of_whole_and_broken_quadruples():
    for size in (1, 2, 3, 4, 5, 4095):
        assert draw_mask(torch.Size([size, 1]), 1 << 15).shape == (size, 1)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_under_autocast_the_same_numbers_are_dropped_and_keep_their_type(dtype, drawn):
    layer, x, found = FastDropout(0.3), torch.ones(64, 65), []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            found.append(layer(x.to(dtype) if enabled else x))
    assert found[1].dtype == dtype and torch.equal(found[0].to(dtype), found[1]) and len(drawn) == 2
