"""A whole chain in one GPU kernel gives the samples and gradients of the chain step by step."""

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger

from avzoo.models.generators import DDPM
from avzoo.models.kernels import chain_kernels, fused_chain, mlp_chain
from tests.conftest import REPO

on_gpu = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')]
SIZES = [(64, 128, 64, 200), (64, 128, 1, 100), (7, 30, 130, 20), (128, 128, 3, 10)]  # D, h, B, T


def sampled(part: DDPM, condition: torch.Tensor, train: bool = True) -> list[torch.Tensor]:
    torch.manual_seed(3)
    with torch.set_grad_enabled(train):
        x = part.sample(condition)
    gradients = torch.autograd.grad(x.square().mean(), list(part.parameters())) if train else []
    return [x.detach(), *gradients, torch.rand(3, device=condition.device)]


def chain(width: int, height: int, batch: int, steps: int) -> tuple[DDPM, torch.Tensor]:
    torch.manual_seed(0)
    predictor = dict(type='MLPNoisePredictor', hidden_dim=height)
    part = DDPM(width, 9, schedule=dict(type='LinearSchedule', num_steps=steps), noise_predictor=predictor)
    return part.to('cuda'), torch.randn(batch, 9, device='cuda')


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
@pytest.mark.parametrize('train', [True, False])
@pytest.mark.parametrize('sizes', SIZES)
def test_one_kernel_gives_the_samples_and_gradients_of_the_chain_step_by_step(sizes, train, mark, monkeypatch):
    part, condition = chain(*sizes)
    used = []
    find = mlp_chain.chain_kernels
    monkeypatch.setattr(mlp_chain, 'chain_kernels', lambda *args: used.append(find(*args)) or used[-1])
    found = sampled(part, condition, train)
    assert used and used[0] is not None
    monkeypatch.setattr(mlp_chain, 'chain_kernels', lambda *args: None)
    wanted = sampled(part, condition, train)
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=1e-4)
    assert torch.equal(found[-1], wanted[-1])  # As many random numbers were drawn.
    for one, other in zip(found[1:-1], wanted[1:-1], strict=True):
        assert (one - other).norm() <= 1e-4 * other.norm()


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
def test_what_does_not_fit_goes_step_by_step(mark, monkeypatch):
    part, condition = chain(512, 1024, 4, 5)
    weight = part.noise_predictor.net[1].weight
    assert fused_chain.chain_kernels(part.sample(condition), weight[:, :512], 5) is None
    x = torch.zeros(4, 64, device='cuda')
    assert fused_chain.chain_kernels(x, x, 100) is not None
    monkeypatch.setattr(fused_chain, '_MOST_NOISE', 4 * 64 * 100 - 1)
    assert fused_chain.chain_kernels(x, x, 100) is None
    assert fused_chain.chain_kernels(x.double(), x.double(), 3) is None


def test_on_a_cpu_a_chain_goes_step_by_step(monkeypatch):
    monkeypatch.setattr(fused_chain, '_kernels_of', lambda device: SimpleNamespace(fits=lambda *tensors: True))
    assert fused_chain.chain_kernels(torch.zeros(4, 3), torch.zeros(5, 3), 10) is None


def test_kernels_are_taken_where_they_fit_and_the_noise_is_not_too_much(monkeypatch):
    x = SimpleNamespace(is_cuda=True, device='cuda', numel=lambda: 12)
    kernels = SimpleNamespace(fits=lambda x, of_x: of_x == 'fitting')
    monkeypatch.setattr(fused_chain, '_kernels_of', lambda device: kernels)
    monkeypatch.setattr(fused_chain, '_MOST_NOISE', 120)
    assert fused_chain.chain_kernels(x, 'fitting', 10) is kernels
    assert fused_chain.chain_kernels(x, 'fitting', 11) is None
    assert fused_chain.chain_kernels(x, 'too large', 10) is None


def compare_in_python(width: int, height: int, batch: int, count: int, slope: float) -> None:
    """Compare the kernels, as Python code on the CPU, with the steps; tensors have any layout in memory."""
    torch.manual_seed(0)
    x, of_x = torch.randn(width, batch).t(), torch.randn(height, width) / 8
    fixed, table = torch.randn(batch, height), torch.randn(count, height)
    weights = mlp_chain.MLPWeights(of_x, fixed, table, torch.randn(height, width).t() / 8, torch.randn(width), slope)
    steps = [mlp_chain.ReverseStep(0.9, -0.1 * t, 0.05) for t in range(count)]
    noise, grad = torch.randn(count, batch, width), torch.randn(width, batch).t()
    factors, draws = torch.tensor(steps), iter(noise)
    found = chain_kernels.forward(x, weights, factors, noise, True)
    wanted = mlp_chain._forward(x, weights, steps, lambda: next(draws), True)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    kept = weights.of_x, weights.out, *wanted[1:], slope
    back = chain_kernels.backward(grad, *kept, factors), mlp_chain._backward(grad, *kept, steps)
    torch.testing.assert_close(*back, atol=1e-5, rtol=1e-4)


@pytest.mark.skipif(find_spec('triton') is None, reason='no Triton')
def test_the_kernels_compute_what_the_steps_do_for_any_layout_of_memory():
    code = 'from tests.models.test_fused_chain import compare_in_python as compare\n'
    code += 'compare(8, 16, 3, 4, 0.01); compare(7, 30, 5, 3, 0.0); compare(1, 1, 1, 2, 0.01)'
    env = dict(os.environ, TRITON_INTERPRET='1')  # Triton must find it when it is imported.
    done = subprocess.run([sys.executable, '-c', code], cwd=REPO, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU can run the kernel')
@pytest.mark.parametrize('installed', [True, False])
def test_a_kernel_that_cannot_be_compiled_is_replaced_and_the_log_says_so(installed, monkeypatch, caplog):
    monkeypatch.setattr(fused_chain, 'find_spec', lambda name: installed or None)
    logger = MMLogger.get_instance('chain')
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logger)
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        assert fused_chain._kernels_of.__wrapped__(torch.device('cpu')) is None
    assert ('step by step' in caplog.text) == installed


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason='one GPU')
def test_a_chain_on_a_gpu_that_is_not_the_current_one_is_computed_there(mark):
    part, condition = chain(7, 30, 5, 4)
    here, there = sampled(part, condition), sampled(part.to('cuda:1'), condition.to('cuda:1'))
    torch.testing.assert_close([x.cpu() for x in there], [x.cpu() for x in here], atol=1e-4, rtol=1e-3)
