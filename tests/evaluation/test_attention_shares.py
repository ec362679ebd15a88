"""Attention shares: recorded from what the fusion computes, which stays the same."""

import numpy as np
import pytest
import torch

from avzoo.evaluation.attention_shares import KINDS, recording
from avzoo.models.fusions import (
    BottleneckFusion,
    ConcatFusion,
    LatentCrossAttention,
    MaskedTransformer,
    PairAttention,
)
from avzoo.models.fusions.attention_patterns import _TABLES, layer_patterns
from avzoo.models.kernels import packing
from avzoo.utils.errors import ConfigError

SMALL = dict(num_heads=2, head_dim=3, mlp_dim=5, dropout=0.3)
SUMMARY, AUDIO, VISUAL = range(3)


@pytest.fixture
def video():
    """Three videos of up to 5 audio and 7 visual steps, most of them padding."""
    rng = torch.Generator().manual_seed(0)
    tokens = dict(audio=torch.randn(3, 5, 4, generator=rng), visual=torch.randn(3, 7, 4, generator=rng))
    lengths = dict(audio=[5, 1, 2], visual=[2, 7, 1])
    return tokens, {m: torch.arange(x.shape[1]) < torch.tensor(lengths[m])[:, None] for m, x in tokens.items()}


FUSIONS = {
    **{
        pattern: lambda pattern=pattern: MaskedTransformer(4, depth=2, pattern=pattern, num_summary_tokens=2, **SMALL)
        for pattern in ('full', 'self', 'cross', 'bottleneck', 'alternate')
    },
    'mbt': lambda: BottleneckFusion(4, depth=2, fusion_layer=1, num_bottlenecks=2, **SMALL),
    'mbt gap': lambda: BottleneckFusion(4, depth=2, fusion_layer=1, readout='gap', **SMALL),
    'perceiver': lambda: LatentCrossAttention(4, depth=3, num_latents=3, **SMALL),
    'pair': lambda: PairAttention(4, **SMALL),
}


@pytest.fixture(params=FUSIONS)
def fusion(request):
    torch.manual_seed(0)
    return FUSIONS[request.param]().eval()


def recorded(fusion, video, bins=4):
    with torch.no_grad(), recording(fusion, bins) as record:
        out = fusion(*video)
    return record.result(len(video[0]['audio'])), out


def test_shares_of_a_kind_of_query_sum_to_one(fusion, video):
    found, _ = recorded(fusion, video)
    for shares in (found.shares, found.even):
        sums = shares.sum(2)
        assert shares.shape[1:] == (3, 3) and np.isfinite(sums).any(1).all()
        np.testing.assert_allclose(sums[np.isfinite(sums)], 1, rtol=1e-6)
    assert (np.isnan(found.shares) == np.isnan(found.even)).all()


def test_a_recorded_fusion_computes_the_same_and_is_left_as_it_was(fusion, video):
    before = fusion(*video)
    hooks = {name: len(module._forward_pre_hooks) for name, module in fusion.named_modules()}
    _, out = recorded(fusion, video)
    assert torch.equal(out, before) and torch.equal(fusion(*video), before)
    assert {name: len(module._forward_pre_hooks) for name, module in fusion.named_modules()} == hooks
    with pytest.raises(RuntimeError), recording(fusion):
        raise RuntimeError
    assert not any(module._forward_pre_hooks for module in fusion.modules())


def test_recording_draws_no_random_numbers(video):
    fusion = FUSIONS['full']().train()
    torch.manual_seed(3)
    before = fusion(*video), torch.rand(1)
    torch.manual_seed(3)
    _, out = recorded(fusion, video)
    assert torch.equal(out, before[0]) and torch.equal(torch.rand(1), before[1])


@pytest.mark.parametrize('pattern', ['full', 'self', 'cross', 'bottleneck', 'alternate'])
def test_pairs_that_the_table_forbids_have_exactly_nothing(pattern, video):
    found, _ = recorded(FUSIONS[pattern]().eval(), video)
    for layer, name in enumerate(layer_patterns(pattern, 2)):
        allowed = np.array(_TABLES[name], dtype=bool)
        if layer == 1:  # Of the last layer the summary tokens alone are read.
            assert np.isnan(found.shares[layer, AUDIO:]).all()
            allowed = allowed[:1]
        shares = found.shares[layer, : len(allowed)]
        assert (shares[~allowed] == 0).all() and (shares[allowed] > 0).all()


@pytest.mark.parametrize('packed', [True, False])
def test_shares_are_those_of_the_attention_maps(video, monkeypatch, packed):
    if not packed:
        monkeypatch.setattr(packing, '_LEAST_PADDING', 1.1)
    fusion = FUSIONS['full']().eval()
    tokens, masks = video
    assert (packing.packing_of(torch.cat([*masks.values()], 1)) is not None) == packed
    found, _ = recorded(fusion, video)
    weights = fusion.attention_maps(tokens, masks)[0].mean(1)  # (B, N, N)
    groups = [slice(0, 2), slice(2, 7), slice(7, 14)]
    real = torch.cat([torch.ones(3, 2, dtype=torch.bool), masks['audio'], masks['visual']], 1)
    for i, queries in enumerate(groups):
        for j, keys in enumerate(groups):
            share = [float(w[queries][r[queries]][:, keys].sum(1).mean()) for w, r in zip(weights, real, strict=True)]
            assert found.shares[0, i, j] == pytest.approx(np.mean(share), rel=1e-5)


def test_even_shares_are_those_of_the_numbers_of_tokens(video):
    found, _ = recorded(FUSIONS['full']().eval(), video)
    lengths = np.array([[2, 5, 2], [2, 1, 7], [2, 2, 1]])  # Of each video: summary, audio, visual.
    np.testing.assert_allclose(found.even[0], [(lengths / lengths.sum(1, keepdims=True)).mean(0)] * 3, rtol=1e-5)


def test_attention_over_time_is_that_to_the_modalities_cut_in_parts(video):
    for name in ('full', 'perceiver', 'mbt'):
        found, _ = recorded(FUSIONS[name]().eval(), video, bins=3)
        layer = 0
        np.testing.assert_allclose(found.over_time[layer].sum(1), found.shares[layer, SUMMARY, 1:], rtol=1e-5)
    step = dict(audio=torch.ones(1, 2, dtype=torch.bool), visual=torch.tensor([[True, False]]))
    tokens = {m: torch.randn(1, 2, 4) for m in step}
    parts = recorded(FUSIONS['full']().eval(), (tokens, step), bins=4)[0].over_time[0]
    assert parts[0, 0] == pytest.approx(parts[0, 1]) and parts[0, 2] == pytest.approx(parts[0, 3])  # Two steps, halves.
    assert parts[0, 0] != pytest.approx(parts[0, 2]) and parts[1] == pytest.approx([parts[1, 0]] * 4)


def test_a_bottleneck_sees_one_modality_at_a_time_and_before_it_nobody_sees_another(video):
    found, _ = recorded(FUSIONS['mbt']().eval(), video)
    assert found.shares.shape == (2, 3, 3)
    assert found.shares[0, AUDIO, VISUAL] == found.shares[0, VISUAL, AUDIO] == 0
    assert (found.shares[0, SUMMARY] > 0).all()  # The cls tokens of both modalities.


def test_tied_layers_count_as_often_as_they_run(video):
    found, _ = recorded(FUSIONS['perceiver']().eval(), video)
    assert len(found.shares) == 6
    assert (found.shares[1::2, SUMMARY] == [1, 0, 0]).all() and (found.shares[::2, SUMMARY, SUMMARY] == 0).all()


def test_pairs_of_averaged_modalities_have_no_time(video):
    found, _ = recorded(FUSIONS['pair']().eval(), video)
    assert np.isnan(found.over_time).all() and np.isnan(found.shares[0, SUMMARY]).all()
    assert found.shares[0, AUDIO, VISUAL] > 0 and KINDS == ('summary', 'audio', 'visual')


def test_a_fusion_without_attention_is_refused():
    with pytest.raises(ConfigError, match=r'ConcatFusion.*MaskedTransformer'), recording(ConcatFusion(dict(audio=4))):
        pass


def test_batches_add_up_to_what_one_batch_finds(video):
    tokens, masks = video
    fusion = FUSIONS['alternate']().eval()
    whole, _ = recorded(fusion, video)
    with torch.no_grad(), recording(fusion, 4) as record:
        for i in range(3):
            fusion({m: x[i : i + 1] for m, x in tokens.items()}, {m: x[i : i + 1] for m, x in masks.items()})
    np.testing.assert_allclose(record.result(3).shares, whole.shares, rtol=1e-5)
    np.testing.assert_allclose(record.result(3).over_time, whole.over_time, rtol=1e-5)
