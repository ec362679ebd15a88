"""What is computed in the precision of its weights also under autocast."""

import pytest
import torch

from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.models.kernels.precision import outside_autocast, without_autocast
from avzoo.models.layers import transformer_layer
from avzoo.models.layers.transformer_layer import Attention


def autocast() -> torch.autocast:
    return torch.autocast('cpu', dtype=torch.bfloat16)


def product(x: torch.Tensor, nothing: None) -> torch.Tensor:
    assert nothing is None
    return x @ x


def test_a_function_computes_in_a_precision_under_autocast_alone():
    x = torch.randn(5, 5, dtype=torch.bfloat16).requires_grad_()
    # A model that is in half precision stays so.
    assert outside_autocast(product, x, None, dtype=torch.float32).dtype == torch.bfloat16
    with autocast():
        out = outside_autocast(product, x, None, dtype=torch.float32)
        assert (x.float() @ x.float()).dtype == torch.bfloat16  # What is outside is not.
    assert torch.equal(out, x.float() @ x.float())
    out.sum().backward()
    assert x.grad is not None


def test_no_autocast_is_no_mistake_where_torch_has_none():
    x = torch.ones(2, 2, device='meta')
    assert outside_autocast(product, x, None, dtype=torch.float32).device.type == 'meta'
    with without_autocast('meta'):
        pass


@pytest.mark.parametrize('queries', [1, 4])
@pytest.mark.parametrize('kernels', ['auto', 'torch'])
def test_attention_under_autocast(queries, kernels, monkeypatch):
    torch.manual_seed(0)
    part, x, tokens = Attention(6, num_heads=2, head_dim=30), torch.randn(80, queries, 6), torch.randn(80, 9, 6)
    bias, types, attend, read = torch.zeros(80, 1, queries, 9), [], transformer_layer._attend, Attention._read
    monkeypatch.setattr(transformer_layer, '_attend', lambda q, *rest: types.append(q.dtype) or attend(q, *rest))
    monkeypatch.setattr(Attention, '_read', lambda self, q, *rest: types.append(q.dtype) or read(self, q, *rest))
    wanted = part(x, tokens, bias)
    before = choose_cpu_kernels(kernels)
    try:
        with autocast():
            found = part(x, tokens, bias)
    finally:
        choose_cpu_kernels(before)
    assert found.dtype == torch.bfloat16
    assert types == [torch.float32, torch.float32 if kernels == 'auto' else torch.bfloat16]
    torch.testing.assert_close(found.float(), wanted, atol=0.02, rtol=0.02)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.double])
def test_a_model_of_another_precision_may_be_used_under_autocast(dtype):
    torch.manual_seed(0)
    part, x, tokens = Attention(6, num_heads=2, head_dim=30).to(dtype), torch.randn(80, 1, 6), torch.randn(80, 9, 6)
    wanted = part(x.to(dtype), tokens.to(dtype))
    with autocast():
        found = part(x.to(dtype), tokens.to(dtype))
    assert found.dtype == dtype  # Of doubles autocast makes nothing else.
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0.02)
