"""Few queries read many tokens without keys and values of these: the same numbers, and only where layers allow it."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
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


@pytest.mark.parametrize('dtype', [torch.double, torch.bfloat16])
def test_a_bias_of_another_type_is_added(dtype, used):
    part, (x, tokens, valid) = attention(), inputs()
    bias = key_bias(valid, torch.bfloat16).to(dtype)
    torch.testing.assert_close(part(x, tokens, bias), by_keys(part, x, tokens, bias), atol=1e-5, rtol=1e-5)
    assert used == [1]


def test_a_query_whose_keys_are_all_hidden_reads_their_mean_and_learns_from_it(used):
    part, (x, tokens, valid) = attention(), inputs()
    bias, found = key_bias(valid & (torch.arange(VIDEOS) > 2).unsqueeze(1)), []
    for run in (part, by_keys):
        with sdpa_kernel(SDPBackend.MATH):  # The gradients of the other ways are wrong there.
            out = run(x, tokens, bias) if run is part else run(part, x, tokens, bias)
        found.append([out, *torch.autograd.grad(out.square().sum(), list(part.parameters()))])
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-5)
    assert used == [1]


def test_tokens_that_are_not_packed_may_come_with_a_packing(used):
    part, (x, tokens, valid) = attention(), inputs()
    found = part(x, tokens, key_bias(valid), packing=Packing(valid))
    torch.testing.assert_close(found, by_keys(part, x, tokens, key_bias(valid)), atol=1e-5, rtol=1e-5)
    assert used == [1]


class NormedKeys(Attention):
    """Normalises queries and keys, in a method that reading without keys does not call."""

    def _heads(self, x, packing):
        return nn.functional.normalize(super()._heads(x, packing), dim=-1)


def normed_keys(part: Attention) -> None:
    part.__class__ = NormedKeys


class DoubledLinear(nn.Linear):
    """Doubles what a linear layer gives."""

    def forward(self, x):
        return 2 * super().forward(x)


DO_MORE = {
    'hook': lambda part: part.to_v.register_forward_hook(lambda layer, args, out: 2 * out),
    'hook before': lambda part: part.to_v.register_forward_pre_hook(lambda layer, args: 2 * args[0]),
    'hook of gradients': lambda part: part.to_k.register_full_backward_hook(lambda layer, *grads: None),
    'hook before gradients': lambda part: part.to_k.register_full_backward_pre_hook(lambda layer, grads: None),
    'own forward': lambda part: setattr(part.to_k, 'forward', lambda t: nn.Linear.forward(part.to_k, 2 * t)),
    'bias': lambda part: setattr(part, 'to_k', nn.Linear(WIDTH, 60)),
    'parametrized': lambda part: weight_norm(part.to_v),
    'wrapped': lambda part: setattr(part, 'to_k', nn.Sequential(part.to_k)),
    'own attention': normed_keys,
    'own layer': lambda part: setattr(part.to_v, '__class__', DoubledLinear),
}


@pytest.mark.parametrize('case', DO_MORE)
def test_keys_are_computed_where_a_layer_does_more_than_multiply(case, used):
    part, (x, tokens, _) = attention(), inputs()
    DO_MORE[case](part)
    torch.testing.assert_close(part(x, tokens), by_keys(part, x, tokens), atol=1e-5, rtol=1e-5)
    assert not used


def test_fast_layers_do_no_more(used):
    part, (x, tokens, _) = attention(), inputs()
    use_fast_layers(part)
    part(x, tokens)
    assert used == [1]


@pytest.mark.parametrize('case', ['kernels of torch', 'double', 'bfloat16', 'traced'])
def test_keys_are_computed_where_pytorchs_way_is_asked_for(case, used):
    part, (x, tokens, _) = attention(), inputs()
    if case in ('double', 'bfloat16'):
        part, x, tokens = (thing.to(getattr(torch, case)) for thing in (part, x, tokens))
    if case == 'traced':
        torch.jit.trace(part, (x, tokens), check_trace=False)
    else:
        (by_keys if case == 'kernels of torch' else Attention.__call__)(part, x, tokens)
    assert not used


# Two heads of 30: few are at most half of the products of keys, 2 (B S 30 + S B M) <= B M 30, and 256 keys or more.
COUNTS = [
    (32, 8, 1, True),
    (85, 3, 1, False),
    (90, 3, 1, True),
    (130, 2, 1, False),
    (80, 8, 3, True),
    (13, 20, 6, True),
    (80, 8, 4, False),
    (80, 7, 3, False),
]


@pytest.mark.parametrize(('videos', 'tokens', 'queries', 'few'), COUNTS)
def test_it_pays_for_few_queries_and_many_keys(videos, tokens, queries, few, used):
    attention()(torch.ones(videos, queries, WIDTH), torch.ones(videos, tokens, WIDTH))
    assert used == ([queries] if few else [])


def test_the_last_layer_reads_for_the_summary_alone(used):
    torch.manual_seed(0)
    part = MaskedTransformer(WIDTH, depth=3, num_heads=2, head_dim=30, mlp_dim=5, dropout=0.0)
    x = {m: torch.randn(VIDEOS, TOKENS, WIDTH) for m in ('audio', 'visual')}
    masks = {m: torch.arange(TOKENS) < torch.randint(1, TOKENS + 1, (VIDEOS, 1)) for m in x}
    found = part(x, masks)
    assert used == [1]
    torch.testing.assert_close(found, by_keys(part, x, masks), atol=1e-5, rtol=1e-5)
