"""What is computed on real tokens alone, and for the summary alone, is what padded sequences give in full."""

import pytest
import torch

from avzoo.models.fusions import MaskedTransformer, masked_transformer
from avzoo.models.kernels import packing
from avzoo.models.kernels.packing import Packing, packing_of
from avzoo.models.layers import mlp
from avzoo.models.layers.mlp import MLP
from avzoo.registry import MODELS

WIDTH, LENGTHS = 6, {'audio': [4, 1, 3], 'visual': [2, 6, 1]}


def tokens() -> tuple[dict, dict]:
    rng = torch.Generator().manual_seed(0)
    x = {m: torch.randn(3, max(lengths), WIDTH, generator=rng) for m, lengths in LENGTHS.items()}
    return x, {m: torch.arange(x[m].shape[1]) < torch.tensor(lengths)[:, None] for m, lengths in LENGTHS.items()}


def fusion(**changes) -> MaskedTransformer:
    torch.manual_seed(1)
    return MaskedTransformer(WIDTH, depth=3, num_heads=2, head_dim=4, mlp_dim=5, dropout=0.0, **changes)


def in_full(part: MaskedTransformer, x: dict, masks: dict) -> torch.Tensor:
    """All tokens through all layers, padding included."""
    joint, biases = part.assemble(x, masks)
    for layer, pattern in zip(part.layers, part.patterns, strict=True):
        joint = layer(joint, biases[pattern])
    return joint[:, : part.summary.shape[1]].mean(1)


@pytest.mark.parametrize('summaries', [1, 3])
@pytest.mark.parametrize('shared_norm', [True, False])
@pytest.mark.parametrize('pattern', ['full', 'self', 'cross', 'hybrid', 'alternate', 'bottleneck'])
@pytest.mark.parametrize('packed', [True, False, 'with more keys'])
def test_the_summary_and_all_gradients_are_those_of_the_whole_sequence(
    pattern, shared_norm, summaries, packed, monkeypatch
):
    part = fusion(pattern=pattern, shared_norm=shared_norm, num_summary_tokens=summaries)
    x, masks = tokens()
    used = []
    if packed == 'with more keys':
        monkeypatch.setattr(packing, '_LEAST_OVER', 0)
        monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: used.append(0) or 'AVX512')
    if not packed:
        monkeypatch.setattr(masked_transformer, 'packing_of', lambda valid: used.append(valid))
    found = []
    for run in (part, lambda *inputs: in_full(part, *inputs)):
        inputs = {m: value.clone().requires_grad_() for m, value in x.items()}
        out = run(inputs, masks)
        found.append([out, *torch.autograd.grad(out.square().sum(), [*inputs.values(), *part.parameters()])])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)
    assert bool(used) != (packed is True)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('noise', [True, False], ids=['noise in the padding', 'zeros in the padding'])
def test_an_encoder_gives_for_padding_what_it_gives_for_any_step(noise, training, monkeypatch):
    x, mask = (part['visual'] for part in tokens())
    x = x if noise else x * mask.unsqueeze(-1)
    found, packed = [], []
    for packs in (True, False):
        torch.manual_seed(1)
        part = MLP(WIDTH, hidden_dim=5, out_dim=4, dropout=0.5).train(training)
        part.net[1].running_mean.normal_()
        monkeypatch.setattr(
            mlp, 'packing_of', lambda valid, on=packs: packed.append(on) or Packing(valid) if on else None
        )
        torch.manual_seed(2)
        out = part(x, mask)
        gradients = torch.autograd.grad(out.square().sum(), list(part.parameters()))
        found.append([out, *gradients, *part.state_dict().values()])
    # A bias before BatchNorm has no gradient but rounding.
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-5)
    assert packed == [True]


def test_only_real_steps_reach_the_first_layer_of_an_encoder():
    x, mask = (part['visual'] for part in tokens())
    part, seen = MLP(WIDTH, hidden_dim=5, out_dim=4), []
    part.net[0].register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    part(x * mask.unsqueeze(-1), mask)
    part.eval()(x * mask.unsqueeze(-1), mask)
    assert seen == [9, 10]  # In evaluation one step of zeros stands for all padding.


def test_packed_steps_come_back_to_their_places():
    valid = torch.tensor([[True, False, True], [True, False, False]])
    packing, x = Packing(valid), torch.arange(6.0).view(2, 3, 1)
    packed = packing.pack(x)
    assert packed.flatten().tolist() == [0, 2, 3]
    assert torch.equal(packing.spread(packed)[valid], x[valid])
    assert packing.first(packed, 1).flatten().tolist() == [0, 3]
    packing = Packing(~valid)  # The first of all steps is padding.
    assert torch.equal(packing.spread(packing.pack(x))[~valid], x[~valid])


@pytest.mark.parametrize(('real', 'packs'), [(20, False), (19, False), (18, True), (1, True), (0, False)])
def test_tokens_are_packed_where_a_tenth_is_padding(real, packs):
    valid = (torch.arange(20) < real).view(2, 10)
    assert (packing_of(valid) is not None) == packs


def test_keys_fill_up_vectors_where_many_are_left_over(monkeypatch):
    lengths = range(16, 34)
    for capability, expected in [('AVX512', [0] * 10 + [6, 5, 4, 3, 2, 1, 0, 0]), ('AVX2', [0] * 18)]:
        monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda capability=capability: capability)
        keys = [Packing(torch.ones(2, length, dtype=torch.bool)).of_keys for length in lengths]
        assert [k.shape[1] - length for k, length in zip(keys, lengths, strict=True)] == expected, capability


def test_pytorchs_kernels_get_no_further_keys(monkeypatch):
    part, (x, masks), asked = fusion(), tokens(), []
    monkeypatch.setattr(Packing, 'of_keys', property(lambda self: asked.append(self) or self))
    monkeypatch.setattr('avzoo.models.kernels.cpu_kernels._chosen', 'torch')
    part(x, masks)
    assert not asked
    monkeypatch.setattr('avzoo.models.kernels.cpu_kernels._chosen', 'auto')
    part(x, masks)
    assert len(asked) == 3  # One for each layer.


@pytest.mark.parametrize('case', ['exported', 'functional gradients'])
def test_what_follows_the_computation_sees_whole_sequences(case):
    x, masks = tokens()
    part = fusion()
    if case == 'exported':
        found = torch.export.export(part, (x, masks)).module()(x, masks)
        torch.testing.assert_close(found, part(x, masks), atol=1e-5, rtol=1e-5)
    else:
        weights = {name: weight.detach() for name, weight in part.named_parameters()}
        found = torch.func.grad(lambda w: torch.func.functional_call(part, w, (x, masks)).square().sum())(weights)
        expected = torch.autograd.grad(part(x, masks).square().sum(), list(part.parameters()))
        torch.testing.assert_close(list(found.values()), list(expected), atol=1e-5, rtol=1e-5)


def test_no_other_device_waits_for_the_number_of_real_tokens():
    assert packing_of(torch.zeros(2, 10, dtype=torch.bool, device='meta')) is None


def test_the_norm_over_time_divides_each_channel_by_its_length():
    part = MODELS.build(dict(type='AVPreprocessor', seconds_per_step=dict(visual=0.64), norm=dict(visual='l2_time')))
    x = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    x[1, 2:], x[:, :, 3] = 0, 0
    found = part._modality('visual', x, torch.tensor([6, 2, 6]), torch.zeros(3, dtype=torch.long))[0]
    torch.testing.assert_close(found, torch.nn.functional.normalize(x, dim=1))


def test_a_gain_of_one_copies_nothing():
    x = torch.ones(1, 2, 3)
    for gain, copied in [({}, False), (dict(visual=1.0), False), (dict(visual=2.0), True)]:
        part = MODELS.build(dict(type='AVPreprocessor', seconds_per_step=dict(visual=0.64), gain=gain))
        assert (part._normalize('visual', x) is not x) == copied
