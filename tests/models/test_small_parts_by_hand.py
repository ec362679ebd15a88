"""Preprocessor, encoders, projectors and HiP's hierarchy against a few numbers computed by hand."""

import numpy as np
import pytest
import torch

from avzoo.models.data_preprocessors import AVPreprocessor
from avzoo.models.fusions import HierarchicalLatents
from avzoo.models.heads import ProjectedHead
from avzoo.models.layers.masking import key_bias, logit_bias, masked_mean
from avzoo.models.layers.mlp import MLP
from avzoo.models.projectors import ReadoutMLPs
from tests.models.by_hand import array, dense, linear


@pytest.fixture
def batch():
    """Two videos of three and one audio steps; the first is cut out from its step 2 on."""
    x = torch.tensor([[[3.0, 4.0], [0.0, 5.0], [6.0, 8.0]], [[8.0, 6.0], [0.0, 0.0], [0.0, 0.0]]])
    return dict(
        features=dict(audio=dict(x=x, lengths=torch.tensor([3, 1]), starts=torch.tensor([2, 0]))),
        label=torch.tensor([1, 0]),
    )


def test_a_batch_becomes_features_masks_and_times(batch):
    found = AVPreprocessor(dict(audio=0.5), scale=dict(audio=2.0), gain=dict(audio=10.0))(batch)
    x, mask, seconds = found['inputs']['audio']
    assert x.tolist() == [[[15.0, 20.0], [0.0, 25.0], [30.0, 40.0]], [[40.0, 30.0], [0.0, 0.0], [0.0, 0.0]]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    assert seconds.tolist() == [[1.0, 1.5, 2.0], [0.0, 0.5, 1.0]]
    assert found['label'].tolist() == [1, 0] and 'features' not in found


def test_the_gain_comes_after_the_norm(batch):
    numbers = dict(scale=dict(audio=2.0), norm=dict(audio='l2_feature'), gain=dict(audio=10.0))
    x, _, _ = AVPreprocessor(dict(audio=0.5), **numbers)(batch)['inputs']['audio']
    torch.testing.assert_close(x[0], torch.tensor([[6.0, 8.0], [0.0, 10.0], [6.0, 8.0]]))
    torch.testing.assert_close(x[1, 0], torch.tensor([8.0, 6.0]))


@pytest.mark.parametrize('momentum', [0.1, 0.99])
def test_only_the_second_batch_norm_has_the_other_momentum(momentum):
    mlp, x = MLP(3, hidden_dim=4, out_dim=2, dropout=0.0, last_bn_momentum=momentum), torch.randn(5, 3)
    mlp(x)
    first, norm1, _, _, second, norm2, _, _ = mlp.net
    hidden = linear(array(x), first)
    np.testing.assert_allclose(array(norm1.running_mean), 0.1 * hidden.mean(0), rtol=1e-5, atol=1e-7)
    inner = linear(dense(array(x), mlp.net[:4]), second)
    np.testing.assert_allclose(array(norm2.running_mean), momentum * inner.mean(0), rtol=1e-4, atol=1e-6)


def test_each_readout_goes_through_its_own_network():
    projector = ReadoutMLPs(3, num_readouts=2, hidden_dim=4, out_dim=2, dropout=0.0)
    x = torch.randn(5, 2, 3)
    expected = np.stack([dense(array(x[:, r]), projector.mlps[r].net) for r in range(2)], axis=1)
    np.testing.assert_allclose(array(projector(x)), expected, rtol=1e-4, atol=1e-5)


def test_a_projected_head_classifies_what_the_projector_gives():
    cfg = dict(type='MLP', hidden_dim=4, out_dim=2, dropout=0.0)
    head = ProjectedHead(dict(in_dim=3, num_classes=3), projector=cfg, head=dict(type='LinearHead'))
    c_o = torch.randn(6, 3)
    logits = np.exp(linear(dense(array(c_o), head.projector.net), head.head.fc))
    np.testing.assert_allclose(array(head.scores(c_o)), logits / logits.sum(1, keepdims=True), rtol=1e-4)


def test_a_mean_over_no_step_is_zero():
    x, mask = torch.tensor([[[2.0], [4.0], [9.0]], [[5.0], [7.0], [9.0]]]), torch.tensor([[1, 1, 0], [0, 0, 0]]).bool()
    assert masked_mean(x, mask).tolist() == [[3.0], [0.0]]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_a_hidden_key_gets_no_weight_and_no_infinity_in_any_precision(dtype):
    bias = key_bias(torch.tensor([[True, False]]), dtype)
    assert bias.shape == (1, 1, 1, 2) and bias.dtype == dtype and bias[0, 0, 0, 0] == 0
    assert (bias + torch.tensor(-30000.0, dtype=dtype)).isfinite().all()
    assert bias.softmax(-1)[0, 0, 0].tolist() == [1.0, 0.0]
    assert logit_bias(torch.zeros(2, dtype=torch.bool), dtype).softmax(-1).tolist() == [0.5, 0.5]


def test_hip_reads_chunks_then_modalities_then_everything():
    torch.manual_seed(0)
    fusion = HierarchicalLatents(4, num_latents=(2, 2, 3), num_heads=2, head_dim=3, mlp_dim=5, dropout=0.0)
    tokens = dict(audio=torch.randn(2, 4, 4), visual=torch.randn(2, 5, 4))
    lengths = dict(audio=[4, 1], visual=[5, 2])
    masks = {m: torch.arange(x.shape[1]) < torch.tensor(lengths[m]).unsqueeze(1) for m, x in tokens.items()}
    fused = fusion(tokens, masks)

    def read(level, group, context):
        """Return the latents (1, N, 4) of a group after they have read a context (M, 4)."""
        z, cross = fusion.latents[level][group : group + 1], fusion.cross_layers[level]
        if len(context):
            z = cross(z, context.unsqueeze(0))
        else:  # A sequence that is shorter than the number of chunks: nothing to read.
            z = z + cross.mlp(cross.mlp_norm(z))
        return fusion.self_layers[level](z)[0]

    for row in range(2):
        groups = []
        for m in ('audio', 'visual'):
            real = tokens[m][row, : lengths[m][row]]
            groups += [real[: len(real) // 2], real[len(real) // 2 :]]
        groups = [read(0, g, context) for g, context in enumerate(groups)]
        groups = [read(1, g, torch.cat(groups[2 * g : 2 * g + 2])) for g in range(2)]
        torch.testing.assert_close(fused[row], read(2, 0, torch.cat(groups)).mean(0), rtol=1e-4, atol=1e-5)
