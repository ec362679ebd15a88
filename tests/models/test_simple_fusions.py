"""Concatenation of means and of segments, and the head that has its own projector."""

import pytest
import torch

from avzoo.models.fusions import ConcatFusion, SegmentConcat
from avzoo.models.heads import ProjectedHead

DIMS = {'audio': 2, 'visual': 3}
SECONDS = {'audio': 0.96, 'visual': 0.64}


def tokens(audio=(4, 2), visual=(6, 3)):
    """Two videos whose tokens carry their step number."""
    steps = {'audio': max(audio), 'visual': max(visual)}
    x = {m: torch.arange(float(t)).view(1, t, 1).expand(2, t, DIMS[m]).clone() for m, t in steps.items()}
    masks = {
        m: torch.arange(steps[m]) < torch.tensor(lengths).unsqueeze(1)
        for m, lengths in (('audio', audio), ('visual', visual))
    }
    return {m: x[m] * masks[m].unsqueeze(-1) for m in x}, masks


def test_means_stand_side_by_side_in_the_order_of_the_encoders():
    fused = ConcatFusion(DIMS)(*tokens())
    assert torch.equal(fused, torch.tensor([[1.5, 1.5, 2.5, 2.5, 2.5], [0.5, 0.5, 1.0, 1.0, 1.0]]))


def test_in_evaluation_every_visual_step_is_a_segment_with_the_audio_of_its_time():
    segments, real = SegmentConcat(DIMS, SECONDS).eval()(*tokens())
    assert segments.shape == (2, 6, 5)
    assert real.sum(1).tolist() == [6, 3]
    assert segments[0, :, 2].tolist() == [0, 1, 2, 3, 4, 5]
    assert segments[0, :, 0].tolist() == [0, 1, 1, 2, 3, 3]  # round(s * 0.64 / 0.96)
    assert segments[1, :3, 0].tolist() == [0, 1, 1]  # never beyond the last real step


def test_in_training_each_real_segment_is_drawn_once_before_any_comes_again():
    fusion = SegmentConcat(DIMS, SECONDS, num_segments=6)
    x, masks = tokens()
    segments, real = fusion(x, masks)
    assert real.all() and segments.shape == (2, 6, 5)
    assert sorted(segments[0, :, 2].tolist()) == [0, 1, 2, 3, 4, 5]
    assert sorted(segments[1, :, 2].tolist()) == [0, 0, 1, 1, 2, 2]
    assert {tuple(fusion(x, masks)[0][0, :, 2].tolist()) for _ in range(10)} != {tuple(segments[0, :, 2].tolist())}


def test_without_the_leading_modality_the_other_leads():
    x, masks = tokens()
    segments, real = SegmentConcat({'audio': 2}, SECONDS).eval()({'audio': x['audio']}, {'audio': masks['audio']})
    assert segments[0, :, 0].tolist() == [0, 1, 2, 3] and torch.equal(real, masks['audio'])


def test_an_unknown_leading_modality_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'visual'"):
        SegmentConcat(DIMS, SECONDS, leading='visuals')


def projected_head() -> ProjectedHead:
    torch.manual_seed(0)
    return ProjectedHead(
        dict(in_dim=5, num_classes=3),
        head=dict(type='LinearHead'),
        projector=dict(type='MLP', hidden_dim=8, out_dim=4, dropout=0.0),
    )


def test_synthetic_features_leave_the_statistics_of_real_ones_alone():
    head, x, labels = projected_head(), torch.randn(6, 5), torch.arange(6) % 3
    statistics = {k: v.clone() for k, v in head.state_dict().items() if 'running' in k}
    head.loss(x, labels)
    assert all(torch.equal(v, head.state_dict()[k]) for k, v in statistics.items()) and head.projector.training
    assert all(layer.training for layer in head.projector.modules())
    head.loss(x, labels, dict(readout_mask=None))
    assert not any(torch.equal(v, head.state_dict()[k]) for k, v in statistics.items())


def test_real_and_synthetic_features_train_projector_and_classifier():
    for context in (None, dict(readout_mask=None)):
        head = projected_head()
        head.loss(torch.randn(6, 5), torch.arange(6) % 3, context)['loss_ce'].backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
        assert head.eval().scores(torch.randn(6, 5), context).shape == (6, 3)
