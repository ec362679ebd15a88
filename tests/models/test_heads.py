"""The heads against their formulas, computed by hand on a few numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avzoo.models.heads import EmbeddingDistanceHead, LinearHead, TripletAuxHead
from avzoo.models.heads.triplet_aux_head import draw_negatives
from tests.models.by_hand import array, cross_entropy, dense, linear

WORDS = torch.tensor([[0.5, -1.0, 0.2], [1.5, 0.3, -0.7], [-0.4, 0.8, 1.1], [0.9, 0.1, 0.6]])


def fitted(head):
    head.classes.read_constants(SimpleNamespace(class_embeddings=WORDS.numpy()))
    return head


def mse(a, b):
    return float(np.mean((a - b) ** 2))


def test_tcaf_losses_by_hand():
    torch.manual_seed(0)
    weights = dict(loss_weight=2.0, reg_weight=3.0, rec_weight=5.0)
    head = fitted(EmbeddingDistanceHead(4, 4, embedding_dim=3, hidden_dim=5, dropout=0.0, **weights))
    theta_o, labels = torch.rand(3, 4), torch.tensor([2, 0, 2])
    losses = head.loss(theta_o, labels)

    w, o = array(WORDS)[labels], array(theta_o)
    theta_w = dense(w, head.w_proj)
    assert losses['loss_ce'].item() == pytest.approx(
        2 * cross_entropy(o @ dense(array(WORDS), head.w_proj).T, labels), rel=1e-5
    )
    assert losses['loss_reg'].item() == pytest.approx(3 * mse(o, theta_w), rel=1e-5)
    assert losses['loss_rec'].item() == pytest.approx(
        5 * (mse(w, dense(o, head.d_o.net)) + mse(w, dense(theta_w, head.d_w))), rel=1e-5
    )


def test_tcaf_scores_are_minus_distances():
    torch.manual_seed(0)
    head = fitted(EmbeddingDistanceHead(4, 4, embedding_dim=3)).eval()
    theta_o = torch.rand(2, 4)
    projected = head.w_proj(WORDS)
    expected = [[-np.linalg.norm(array(o - p)) for p in projected] for o in theta_o]
    np.testing.assert_allclose(array(head.scores(theta_o)), expected, rtol=1e-5, atol=1e-6)


def triplet(anchor, positive, negative, margin=0.3):
    def distance(a, b):
        return np.linalg.norm(a - b + 1e-6, axis=1)

    return float(np.maximum(distance(anchor, positive) - distance(anchor, negative) + margin, 0).mean())


def test_avca_losses_by_hand():
    torch.manual_seed(1)
    numbers = dict(embedding_dim=3, dropout=0.0, margin=0.3, loss_weight=2.0, aux_weight=3.0)
    head = fitted(TripletAuxHead(4, 4, dict(audio=5, visual=5), num_readouts=2, **numbers))
    c_o, labels = torch.rand(2, 2, 4), torch.tensor([3, 1])  # With two samples the negative is the other one.
    phi = {m: torch.rand(2, 1, 5) for m in ('audio', 'visual')}
    losses = head.loss(c_o, labels, dict(encoded=phi, masks={m: torch.ones(2, 1, dtype=torch.bool) for m in phi}))

    w, a, v = array(WORDS)[labels], array(c_o[:, 0]), array(c_o[:, 1])
    t_w = dense(w, head.w_proj)
    r_a, r_v, r_w = dense(a, head.d), dense(v, head.d), dense(t_w, head.d)
    n = [1, 0]
    l_w = triplet(t_w, v, v[n]) + triplet(t_w, a, a[n]) + triplet(a, t_w, t_w[n]) + triplet(v, t_w, t_w[n])
    l_ct = triplet(r_w, r_v, r_v[n]) + triplet(r_w, r_a, r_a[n])
    l_t = triplet(a, t_w, a[n]) + triplet(v, t_w, v[n]) + triplet(t_w, a, t_w[n]) + triplet(t_w, v, t_w[n])
    l_reg = (
        mse(dense(v, head.rec['visual']), array(phi['visual'][:, 0]))
        + mse(v, t_w)
        + mse(dense(a, head.rec['audio']), array(phi['audio'][:, 0]))
        + mse(a, t_w)
    )
    expected = dict(
        loss_ce=2 * cross_entropy(linear(v, head.classifier.fc), labels),
        loss_triplet=3 * (l_w + l_ct + l_t),
        loss_rec=3 * (mse(w, r_v) + mse(w, r_a) + mse(w, r_w)),
        loss_reg=3 * l_reg,
    )
    assert {k: x.item() for k, x in losses.items()} == pytest.approx(expected, rel=1e-5)


def test_negatives_are_of_another_class_and_vary():
    labels = torch.tensor([0, 0, 1, 2])
    draws = [draw_negatives(labels, torch.Generator().manual_seed(seed)) for seed in range(20)]
    for negative, found in draws:
        assert (labels[negative] != labels).all() and found.all()
    assert len({tuple(negative.tolist()) for negative, _ in draws}) > 3


def test_avca_has_no_triplets_in_a_batch_of_one_class():
    head = fitted(TripletAuxHead(4, 4, dict(audio=5, visual=5), num_readouts=2, embedding_dim=3))
    context = dict(
        encoded={m: torch.rand(3, 1, 5) for m in ('audio', 'visual')},
        masks={m: torch.ones(3, 1, dtype=torch.bool) for m in ('audio', 'visual')},
    )
    assert head.loss(torch.rand(3, 2, 4), torch.tensor([2, 2, 2]), context)['loss_triplet'] == 0


def test_avca_refuses_a_single_modality():
    with pytest.raises(ValueError, match='audio'):
        TripletAuxHead(4, 4, dict(visual=5), num_readouts=1)


def test_readouts_become_one_decision_by_logits_or_by_probabilities():
    torch.manual_seed(0)
    c_o, labels = torch.randn(3, 2, 4), torch.tensor([0, 2, 1])
    logits, probability = LinearHead(4, 3), LinearHead(4, 3, readout='mean_probability')
    probability.load_state_dict(logits.state_dict())
    each = linear(array(c_o), logits.fc)  # (B, R, C)
    softmax = np.exp(each) / np.exp(each).sum(-1, keepdims=True)
    mean = np.exp(each.mean(1))
    np.testing.assert_allclose(array(logits.scores(c_o)), mean / mean.sum(-1, keepdims=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(array(probability.scores(c_o)), softmax.mean(1), rtol=1e-5, atol=1e-6)
    assert logits.loss(c_o, labels)['loss_ce'].item() == pytest.approx(cross_entropy(each.mean(1), labels), rel=1e-5)
    assert probability.loss(c_o, labels)['loss_ce'].item() == pytest.approx(
        np.mean([cross_entropy(each[:, r], labels) for r in range(2)]), rel=1e-5
    )


MASK = torch.tensor([[True, True, False], [True, False, False]])  # Two readouts of the first video count, one of the
COUNT = [2, 1]  # second; they come first.


@pytest.mark.parametrize('readout', ['mean_logits', 'mean_probability'])
def test_a_readout_that_does_not_count_enters_neither_loss_nor_scores(readout):
    torch.manual_seed(0)
    head, labels = LinearHead(4, 3, readout=readout), torch.tensor([2, 0])
    c_o = torch.randn(2, 3, 4, requires_grad=True)
    loss, scores = head.loss(c_o, labels, dict(readout_mask=MASK))['loss_ce'], head.scores(c_o, dict(readout_mask=MASK))
    losses, want = [], []
    for row, (count, label) in enumerate(zip(COUNT, labels, strict=True)):
        logits = linear(array(c_o[row, :count]), head.fc)  # (R, C)
        softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        mean = np.exp(logits.mean(0)) / np.exp(logits.mean(0)).sum()
        by_logits = readout == 'mean_logits'
        want.append(mean if by_logits else softmax.mean(0))
        losses.append(-np.log(mean[label]) if by_logits else -np.log(softmax[:, label]).mean())
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)
    np.testing.assert_allclose(array(scores), want, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(loss, c_o)
    assert not gradient[~MASK].any() and gradient[MASK].any(1).all()


def test_distances_and_their_losses_leave_out_what_does_not_count():
    head = fitted(EmbeddingDistanceHead(4, 4, embedding_dim=3, hidden_dim=5, dropout=0.0)).eval()
    c_o, labels = torch.rand(2, 3, 4), torch.tensor([2, 0])
    mean = torch.stack([c_o[row, :count].mean(0) for row, count in enumerate(COUNT)])
    context = dict(readout_mask=MASK)
    torch.testing.assert_close(head.scores(c_o, context), head.scores(mean))
    torch.testing.assert_close(head.loss(c_o, labels, context), head.loss(mean, labels))
