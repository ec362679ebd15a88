"""Few queries read many tokens without keys and values of these: the same numbers, and only where layers allow it."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from avzoo.models.fusions import MaskedTransformer
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.models.kernels.fast_layers import use_fast_layers
from avzoo.models.kernels.packing import Packing
from avzoo.models.layers.masking import key_bias
from avzoo.models.layers.transformer_layer import Attention

VIDEOS, TOKENS, WIDTH = 80, 9, 6


@pytest.fixture(autouse=True)
def used(monkeypatch) -> list:
    """The number of queries for a video, each time that they read without keys."""
    calls, real = [], Attention._read
    monkeypatch.setattr(
        Attention, '_read', lambda self, q, context, bias: calls.append(q.shape[1]) or real(self, q, context, bias)
    )
    return calls


def attention() -> Attention:
    torch.manual_seed(0)
    return Attention(WIDTH, num_heads=2, head_dim=30)


def inputs(queries: int = 1, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries (B, S, d), tokens (B, M, d) and which of these are real, (B, M); some videos have one token."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randn(VIDEOS, TOKENS, WIDTH, generator=rng, dtype=dtype)
    valid = torch.arange(TOKENS) < torch.randint(1, TOKENS + 1, (VIDEOS, 1), generator=rng)
    return torch.randn(VIDEOS, queries, WIDTH, generator=rng, dtype=dtype), tokens, valid


def by_keys(part: Attention, *args, **kwargs) -> torch.Tensor:
    before = choose_cpu_kernels('torch')
    try:
        return part(*args, **kwargs)
    finally:
        choose_cpu_kernels(before)


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('queries', [1, 2])
def test_what_is_read_and_its_gradients_are_those_of_keys_and_values(queries, masked, packed, used):
    part, (x, tokens, valid) = attention(), inputs(queries)
    valid = valid if masked else torch.ones_like(valid)
    found = []
    for run in (part, lambda *args, **kwargs: by_keys(part, *args, **kwargs)):
        leaves = [x.clone().requires_grad_(), tokens.clone().requires_grad_()]
        packing = Packing(valid) if packed else None
        context = packing.pack(leaves[1]) if packed else leaves[1]
        out = run(leaves[0], context, key_bias(valid) if masked else None, packing=packing)
        grads = torch.autograd.grad(out.square().sum(), [*leaves, *part.parameters()])
        found.append([out, grads[0], grads[1] * valid.unsqueeze(-1), *grads[2:]])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)
    assert used == [queries]


def test_hidden_tokens_change_nothing(used):
    part, (x, tokens, valid) = attention(), inputs()
    noise = torch.where(valid.unsqueeze(-1), tokens, 1e4)
    assert torch.equal(part(x, tokens, key_bias(valid)), part(x, noise, key_bias(valid)))
    assert len(used) == 2


@pytest.mark.parametrize(
    'case', ['many queries', 'few videos', 'kernels of torch', 'double', 'autocast', 'traced', 'hook', 'own forward',
             'bias', 'other layer', 'fast layers']
)  # fmt: skip
def test_keys_are_computed_where_that_is_quicker_or_a_layer_does_more(case, used, monkeypatch):
    part, (x, tokens, _) = attention(), inputs(7 if case == 'many queries' else 1)
    if case == 'few videos':
        x, tokens = x[:9], tokens[:9]
    elif case == 'double':
        part, x, tokens = part.double(), x.double(), tokens.double()
    elif case == 'hook':
        part.to_v.register_forward_hook(lambda layer, args, out: 2 * out)
    elif case == 'own forward':
        part.to_k.forward = lambda t: nn.Linear.forward(part.to_k, 2 * t)
    elif case == 'bias':
        part.to_k = nn.Linear(WIDTH, 60)
    elif case == 'other layer':
        weight_norm(part.to_v)
    elif case == 'fast layers':
        use_fast_layers(part)
    with torch.autocast('cpu', enabled=case == 'autocast'):
        if case == 'traced':
            torch.jit.trace(part, (x, tokens), check_trace=False)
        elif case == 'kernels of torch':
            by_keys(part, x, tokens)
        else:
            found = part(x, tokens)
            torch.testing.assert_close(found, by_keys(part, x, tokens), atol=1e-5, rtol=1e-5)
    assert used == ([1] if case == 'fast layers' else [])


def test_the_last_layer_reads_for_the_summary_alone(used):
    torch.manual_seed(0)
    part = MaskedTransformer(WIDTH, depth=3, num_heads=2, head_dim=30, mlp_dim=5, dropout=0.0)
    x = {m: torch.randn(VIDEOS, TOKENS, WIDTH) for m in ('audio', 'visual')}
    masks = {m: torch.arange(TOKENS) < torch.randint(1, TOKENS + 1, (VIDEOS, 1)) for m in x}
    found = part(x, masks)
    assert used == [1]
    torch.testing.assert_close(found, by_keys(part, x, masks), atol=1e-5, rtol=1e-5)
