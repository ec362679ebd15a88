"""The fusions against their formulas, computed by hand on a few numbers."""

import numpy as np
import pytest
import torch

from avzoo.models.fusions import (
    BottleneckFusion,
    GatedModalityFusion,
    GaussianTemporalPool,
    HierarchicalLatents,
    LatentCrossAttention,
    MaskedTransformer,
    PairAttention,
)
from avzoo.models.fusions.hierarchical_latents import _cut
from tests.models.by_hand import array, attention, layer_norm, linear, transformer_layer

SMALL = dict(num_heads=2, head_dim=3, mlp_dim=5, dropout=0.0)


@pytest.fixture
def tokens():
    rng = torch.Generator().manual_seed(0)
    return {m: torch.randn(2, t, 4, generator=rng) for m, t in (('audio', 2), ('visual', 3))}


@pytest.fixture
def masks(tokens):
    return {m: torch.ones(x.shape[:2], dtype=torch.bool) for m, x in tokens.items()}


def test_tcaf_attention_by_hand(tokens, masks):
    fusion = MaskedTransformer(4, depth=2, pattern='cross', **SMALL)
    fused = fusion(tokens, masks)
    kinds = 'caavvv'
    allowed = np.array([[i == 'c' or j == 'c' or i != j for j in kinds] for i in kinds])
    assert not allowed[1, 1] and not allowed[3, 4]  # Nothing within a modality, not even a token to itself.
    for row in range(2):
        x = np.concatenate([array(fusion.summary[0]), array(tokens['audio'][row]), array(tokens['visual'][row])])
        for layer in fusion.layers:
            x = transformer_layer(x, layer, allowed)
        np.testing.assert_allclose(array(fused[row]), x[0], rtol=1e-4, atol=1e-5)


def test_avca_attention_by_hand(tokens, masks):
    fusion = PairAttention(4, **SMALL)
    readouts = fusion(tokens, masks)
    for row in range(2):
        phi = np.stack([array(tokens[m][row]).mean(0) for m in ('audio', 'visual')])
        expected = phi + transformer_layer(phi + array(fusion.position), fusion.layer, np.ones((2, 2), bool))
        np.testing.assert_allclose(array(readouts[row]), expected, rtol=1e-4, atol=1e-5)


def test_mbt_exchanges_through_the_mean_of_the_bottlenecks(tokens, masks):
    fusion = BottleneckFusion(4, depth=3, fusion_layer=1, num_bottlenecks=2, **SMALL)
    fused = fusion(tokens, masks)
    z = {m: torch.cat([fusion.cls[m].expand(2, -1, -1), x], dim=1) for m, x in tokens.items()}
    z = {m: fusion.layers[m][0](x) for m, x in z.items()}
    b = fusion.bottleneck.expand(2, -1, -1)
    for layer in (1, 2):
        joint = {m: fusion.layers[m][layer](torch.cat([x, b], dim=1)) for m, x in z.items()}
        z = {m: x[:, :-2] for m, x in joint.items()}
        b = (joint['audio'][:, -2:] + joint['visual'][:, -2:]) / 2
    torch.testing.assert_close(fused, torch.stack([z['audio'][:, 0], z['visual'][:, 0]], dim=1))


@pytest.mark.parametrize(('depth', 'fusion_layer', 'meets'), [(2, 0, True), (2, 1, False), (2, 2, False)])
def test_mbt_needs_two_bottleneck_layers_to_pass_a_message(tokens, masks, depth, fusion_layer, meets):
    fusion = BottleneckFusion(4, depth=depth, fusion_layer=fusion_layer, **SMALL)
    heard = fusion(tokens, masks)[:, 0]
    blind = fusion(dict(tokens, visual=tokens['visual'].flip(2)), masks)[:, 0]
    assert torch.equal(heard, blind) != meets


def test_mbt_gap_reads_the_mean_of_real_tokens(tokens, masks):
    fusion = BottleneckFusion(4, depth=1, fusion_layer=1, readout='gap', **SMALL)
    expected = [fusion.layers[m][0](x).mean(1) for m, x in tokens.items()]
    torch.testing.assert_close(fusion(tokens, masks), torch.stack(expected, dim=1))


def test_zorro_modalities_see_neither_each_other_nor_the_fusion_tokens(tokens, masks):
    fusion = MaskedTransformer(4, depth=2, pattern='bottleneck', num_summary_tokens=2, **SMALL)
    kinds = 'ffaavvv'
    allowed = torch.tensor([[i in ('f', j) for j in kinds] for i in kinds])
    for weights in fusion.attention_maps(tokens, masks):
        assert torch.equal(weights > 0, allowed.expand_as(weights))


def test_gaussian_weights_by_hand():
    pool = GaussianTemporalPool(4, num_gaussians=2)
    with torch.no_grad():
        pool.centre.copy_(torch.tensor([[0.25, 0.75], [0.1, 0.6]]))
        pool.raw_width.copy_(torch.tensor([[0.0, -1.0], [0.5, 1.0]]))
    weights = pool.weights('visual', torch.tensor([[True, True, True, False]]))
    time = (np.arange(3) + 0.5) / 3
    for k, (centre, raw) in enumerate([(0.1, 0.5), (0.6, 1.0)]):
        sigma = np.log1p(np.exp(raw))
        expected = np.exp(-((time - centre) ** 2) / (2 * sigma**2))
        np.testing.assert_allclose(array(weights[0, k]), [*(expected / expected.sum()), 0], rtol=1e-5)


def test_gaussians_start_evenly_spread_with_width_one_over_their_number(tokens, masks):
    pool = GaussianTemporalPool(4, num_gaussians=4)
    assert pool.centre[0].tolist() == [0.125, 0.375, 0.625, 0.875]
    torch.testing.assert_close(torch.nn.functional.softplus(pool.raw_width), torch.full((2, 4), 0.25))
    weights = pool.weights('audio', masks['audio']) @ tokens['audio']
    torch.testing.assert_close(pool(tokens, masks)[:, :16], weights.flatten(1))


def test_late_gaussians_keep_the_modalities_apart(tokens, masks):
    early, late = GaussianTemporalPool(4, num_gaussians=3), GaussianTemporalPool(4, num_gaussians=3, late=True)
    assert (late.out_dim, late.num_readouts) == (12, 2)
    torch.testing.assert_close(late(tokens, masks).flatten(1), early(tokens, masks))


def test_a_gate_weighs_the_modalities_channel_by_channel(tokens, masks):
    fusion = GatedModalityFusion(4, dropout=0.0)
    means = np.stack([array(tokens[m]).mean(1) for m in ('audio', 'visual')], axis=1)  # (B, 2, 4)
    hidden = np.maximum(linear(means.reshape(2, 8), fusion.gate[0]), 0)
    gate = np.exp(linear(hidden, fusion.gate[2]).reshape(2, 2, 4))
    np.testing.assert_allclose(
        array(fusion(tokens, masks)), (gate / gate.sum(1, keepdims=True) * means).sum(1), rtol=1e-5, atol=1e-6
    )


def test_perceiver_layer_by_hand(tokens, masks):
    fusion = LatentCrossAttention(4, depth=1, num_latents=2, **SMALL)
    cross, own = fusion.cross_layers[0], fusion.self_layers[0]
    fused = fusion(tokens, masks)
    for row in range(2):
        x = np.concatenate([array(tokens['audio'][row]), array(tokens['visual'][row])])
        z = array(fusion.latents[0])
        # As one sequence [latents, tokens] in which the latents look at the tokens alone.
        both = np.concatenate([layer_norm(z, cross.norm), layer_norm(x, cross.context_norm)])
        z = z + attention(both, cross.attn, np.tile([False] * 2 + [True] * 5, (7, 1)))[:2]
        z = z + array(cross.mlp(cross.mlp_norm(torch.tensor(z).float())))
        z = transformer_layer(z, own, np.ones((2, 2), bool))
        np.testing.assert_allclose(array(fused[row]), z.mean(0), rtol=1e-4, atol=1e-5)


def test_tied_perceiver_layers_share_all_but_the_first_cross_attention():
    tied, untied = (LatentCrossAttention(4, depth=5, tie=tie, **SMALL) for tie in (True, False))
    assert [len(tied.cross_layers), len(tied.self_layers)] == [2, 1]
    assert [len(untied.cross_layers), len(untied.self_layers)] == [5, 5]


def test_hip_chunks_hold_the_real_steps_in_order():
    x = torch.arange(7.0).reshape(1, 7, 1).expand(3, 7, 1)
    chunks, valid = _cut(x, torch.tensor([7, 4, 1]), 2)
    assert [
        [c[v].flatten().tolist() for c, v in zip(*row, strict=True)] for row in zip(chunks, valid, strict=True)
    ] == [[[0, 1, 2], [3, 4, 5, 6]], [[0, 1], [2, 3]], [[], [0]]]


def test_hip_mixes_modalities_on_the_last_level_only(tokens, masks):
    fusion = HierarchicalLatents(4, num_latents=(2, 2, 3), **SMALL)
    seen = {}
    fusion.cross_layers[-1].register_forward_hook(lambda module, args, out: seen.update(context=args[1]))
    fusion(tokens, masks)
    before = seen['context']
    fusion(dict(tokens, visual=tokens['visual'].flip(2)), masks)
    assert torch.equal(before[:, :2], seen['context'][:, :2])  # The audio group's latents.
    assert not torch.equal(before[:, 2:], seen['context'][:, 2:])


def test_hip_with_squared_relu_by_hand():
    fusion = HierarchicalLatents(4, num_latents=(2, 2, 3), activation='squared_relu', **SMALL)
    for mlp in (fusion.cross_layers[1].mlp, fusion.self_layers[2][0].mlp):
        x = torch.randn(2, 3, 4)
        np.testing.assert_allclose(
            array(mlp(x)), linear(np.maximum(linear(array(x), mlp.fc1), 0) ** 2, mlp.fc2), rtol=1e-4, atol=1e-6
        )


def test_hip_levels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='divide'):
        HierarchicalLatents(4, groups=(4, 3, 1))
    with pytest.raises(ValueError, match='equally long'):
        HierarchicalLatents(4, groups=(4, 1))
