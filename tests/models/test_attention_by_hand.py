"""Attention patterns, padded queries and the padding embedding, followed by hand."""

import math

import numpy as np
import pytest
import torch

from avzoo.models.embeddings import TimeModalityEmbedding
from avzoo.models.fusions import MaskedTransformer
from avzoo.models.fusions.attention_patterns import AUDIO, SUMMARY, VISUAL, attention_bias
from tests.models.by_hand import array, attention_weights, layer_norm, linear, transformer_layer

SMALL = dict(num_heads=2, head_dim=3, mlp_dim=5, dropout=0.0)
KINDS = 'caavvv'
# Who reads whom: everyone reads its own modality and the class token, and in `full` the other modality too.
SELF = np.array([[i == j or 'c' in (i, j) for j in KINDS] for i in KINDS])
FULL = np.ones_like(SELF)
# The second video has one audio step and two visual ones.
MASKS = dict(
    audio=torch.tensor([[True, True], [True, False]]), visual=torch.tensor([[True, True, True], [True, True, False]])
)
REAL = np.array([[True] * 6, [True, True, False, True, True, False]])


@pytest.fixture
def tokens():
    rng = torch.Generator().manual_seed(0)
    return {m: torch.randn(2, t, 4, generator=rng) for m, t in (('audio', 2), ('visual', 3))}


def sequence(fusion, tokens, row):
    """Return the class token and the steps of a video as one sequence (6, 4)."""
    return np.concatenate([array(fusion.summary[0]), *(array(x[row]) for x in tokens.values())])


@pytest.mark.parametrize(
    ('pattern', 'switch_after', 'tables'),
    [
        ('hybrid', 0, [FULL, FULL, FULL]),
        ('hybrid', 1, [SELF, FULL, FULL]),
        ('hybrid', 2, [SELF, SELF, FULL]),
        ('hybrid', 3, [SELF, SELF, SELF]),
        ('alternate', 0, [SELF, FULL, SELF]),
        ('self', 0, [SELF, SELF, SELF]),
        ('full', 0, [FULL, FULL, FULL]),
    ],
)
def test_layers_attend_within_modalities_and_then_across_them(tokens, pattern, switch_after, tables):
    torch.manual_seed(1)
    fusion = MaskedTransformer(4, depth=3, pattern=pattern, switch_after=switch_after, **SMALL)
    fused = fusion(tokens, MASKS)
    for row, real in enumerate(REAL):
        x = sequence(fusion, tokens, row)[real]
        for layer, table in zip(fusion.layers, tables, strict=True):
            x = transformer_layer(x, layer, table[real][:, real])
        np.testing.assert_allclose(array(fused[row]), x[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('pattern', 'switch_after', 'tables'),
    [('hybrid', 1, [SELF, FULL, FULL]), ('hybrid', 2, [SELF, SELF, FULL]), ('alternate', 0, [SELF, FULL, SELF])],
)
def test_each_attention_map_is_that_of_its_layer(tokens, pattern, switch_after, tables):
    torch.manual_seed(1)
    fusion = MaskedTransformer(4, depth=3, pattern=pattern, switch_after=switch_after, shared_norm=False, **SMALL)
    with torch.no_grad():  # So that no normalisation can be left out unnoticed.
        for layer in fusion.layers:
            layer.norm.weight.uniform_(0.5, 2.0)
    maps = fusion.attention_maps(tokens, MASKS)
    for row, real in enumerate(REAL):
        x = sequence(fusion, tokens, row)[real]
        for weights, layer, table in zip(maps, fusion.layers, tables, strict=True):
            allowed = table[real][:, real]
            want = attention_weights(layer_norm(x, layer.norm), layer.attn, allowed)
            np.testing.assert_allclose(array(weights[row])[:, real][:, :, real], want, rtol=1e-4, atol=1e-6)
            x = transformer_layer(x, layer, allowed)


def test_the_number_of_layers_before_the_switch_changes_what_is_read(tokens):
    found = []
    for switch_after in range(4):
        torch.manual_seed(1)
        fusion = MaskedTransformer(4, depth=3, switch_after=switch_after, **SMALL)
        found.append(fusion(tokens, MASKS))
    # The last layer counts as well: within a modality the class token reads the same, but what it reads differs.
    assert not any(torch.allclose(a, b, atol=1e-4) for a, b in [(found[0], found[1]), (found[1], found[2])])
    torch.testing.assert_close(found[2], found[3])  # The class token reads everything in either table.


def test_pairs_of_real_tokens_alone_may_attend():
    bias = attention_bias(
        'self', torch.tensor([SUMMARY, AUDIO, AUDIO, VISUAL]), torch.tensor([[True, True, False, True]])
    )
    want = [
        [1, 1, 0, 1],
        [1, 1, 0, 0],
        [0, 0, 0, 0],  # A padded query: nothing is allowed, so all its logits are equal.
        [1, 0, 0, 1],
    ]
    assert bias.shape == (1, 1, 4, 4)
    assert (bias == 0)[0, 0].int().tolist() == want and (bias[bias != 0] == torch.finfo(torch.float32).min / 2).all()


@pytest.mark.parametrize('pattern', ['full', 'self', 'cross', 'bottleneck'])
def test_a_padded_query_attends_evenly_to_all_tokens(tokens, pattern):
    fusion = MaskedTransformer(4, depth=1, pattern=pattern, **SMALL)
    (weights,) = fusion.attention_maps(tokens, MASKS)
    for row, real in enumerate(REAL):
        np.testing.assert_allclose(array(weights[row][:, ~real]), 1 / 6, rtol=1e-6)
        assert not weights[row][:, real][:, :, ~real].any()
    x, biases = fusion.assemble(tokens, MASKS)
    attn = fusion.layers[0].attn
    even = linear(linear(array(x[1]), attn.to_v).mean(0), attn.to_out)
    np.testing.assert_allclose(array(attn(x, bias=biases[pattern])[1, ~REAL[1]]), [even, even], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('use_time', [True, False])
@pytest.mark.parametrize('use_modality', [True, False])
def test_padded_steps_carry_one_learned_vector_more(tokens, use_time, use_modality):
    embedding = TimeModalityEmbedding(
        4, embed_dim=2, fourier_scale=0.1, use_time=use_time, use_modality=use_modality, dropout=0.0
    )
    seconds = torch.tensor([[0.0, 0.96], [0.5, 1.46]])
    found = embedding(tokens['audio'], MASKS['audio'], seconds, 'audio')
    for row, step in np.ndindex(2, 2):
        extra = np.zeros(2) if MASKS['audio'][row, step] else array(embedding.padding)
        if use_time:  # The time enters twice, with one frequency each.
            phase = 2 * math.pi * float(seconds[row, step]) * array(embedding.frequencies).sum()
            extra = extra + linear(np.array([math.sin(phase), math.cos(phase)]), embedding.time_proj)
        if use_modality:
            extra = extra + array(embedding.modality)[0]
        want = linear(np.concatenate([array(tokens['audio'][row, step]), extra]), embedding.out_proj['audio'])
        np.testing.assert_allclose(array(found[row, step]), want, rtol=1e-4, atol=1e-5)
