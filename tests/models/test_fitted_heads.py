"""Heads that are fitted: LogisticHead, GaussianHead, EnsembleHead."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from avzoo.models.generators import TextGaussian
from avzoo.models.heads import EnsembleHead, GaussianHead, LogisticHead
from avzoo.utils.errors import ConfigError
from tests.models.fitting import clustered, fitting_set, spied

COUNTS, NUM_BASE, DIM = [30, 24, 12, 6, 4], 3, 6
X, LABELS = clustered(COUNTS, DIM, spread=1.0)
VARIANCE = torch.tensor([9.0, 4.0, 2.0, 1.0, 0.5, 0.1])
FACTS = dict(in_dim=DIM, num_classes=5)


def training(**facts):
    return fitting_set(X, LABELS, NUM_BASE, 5, **facts)


def logistic(variance=VARIANCE, **arguments):
    head = LogisticHead(DIM, 5, **(dict(max_steps=500) | arguments))
    log = head.fit(training(class_variance=variance))
    return head, log


def by_sklearn(x, c):
    x = x.double().numpy()
    scaled = (x - x.mean(0)) / x.std(ddof=1)
    model = LogisticRegression(C=c, class_weight='balanced', tol=1e-8, max_iter=5000).fit(scaled, LABELS.numpy())
    return model.decision_function(scaled)


def centred(logits):
    logits = np.asarray(logits, dtype=np.float64)
    return logits - logits.mean(1, keepdims=True)


@pytest.mark.parametrize('c', [0.01, 1.0])
@pytest.mark.parametrize(('power', 'num_dims'), [(0.0, 600), (0.25, 600), (0.5, 4)])
def test_logistic_regression_is_that_of_scikit_learn_in_the_same_metric(c, power, num_dims):
    head, _ = logistic(inverse_penalty=c, power=power, num_dims=num_dims)
    expected = by_sklearn((X * VARIANCE**power)[:, :num_dims], c)
    found = head.scores(X).detach()
    np.testing.assert_allclose(centred(found), centred(expected), atol=5e-3)
    assert not head.fc.weight[:, num_dims:].any()


def test_without_a_metric_all_dimensions_weigh_alike():
    head, _ = logistic(variance=None)
    np.testing.assert_allclose(centred(head.scores(X).detach()), centred(by_sklearn(X, 0.01)), atol=2e-3)


def test_the_log_says_the_class_balanced_cross_entropy():
    head, log = logistic()
    each = torch.nn.functional.cross_entropy(head.scores(X), LABELS, reduction='none')
    expected = torch.stack([each[c == LABELS].mean() for c in range(5)]).mean()
    assert log == dict(cross_entropy=pytest.approx(expected.item(), abs=1e-4))


def test_a_class_without_videos_is_never_predicted():
    head = LogisticHead(DIM, 7)
    head.fit(fitting_set(X, LABELS + 1, NUM_BASE, 7))  # Neither the first nor the last.
    assert not head.fc.weight[[0, 6]].any() and head.fc.weight[1:6].any(1).all()
    assert (head.fc.bias[[0, 6]] == head.fc.bias[1:6].min()).all()
    assert set(head.scores(X).argmax(1).tolist()) <= {1, 2, 3, 4, 5}


def test_few_steps_stop_before_convergence():
    assert logistic(max_steps=2)[1]['cross_entropy'] > logistic()[1]['cross_entropy'] + 0.01


def test_of_more_than_the_most_videos_each_batch_loses_the_same_share():
    head = LogisticHead(DIM, 5, max_videos=len(X) // 2)
    head.fit(fitting_set(X, LABELS, NUM_BASE, 5, batch=10))
    kept = torch.cat([torch.arange(i, min(i + 10, len(X)), 2) for i in range(0, len(X), 10)])
    half = LogisticHead(DIM, 5)
    half.fit(fitting_set(X[kept], LABELS[kept], NUM_BASE, 5))
    torch.testing.assert_close(head.fc.weight, half.fc.weight, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('penalty', [0.0, -1.0])
def test_a_penalty_that_is_not_above_zero_is_refused(penalty):
    with pytest.raises(ValueError, match='inverse_penalty'):
        LogisticHead(DIM, 5, inverse_penalty=penalty)


def generator():
    part = TextGaussian(DIM, 3, 5)
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(3))
    part.fit(training(conditions=vectors, class_variance=VARIANCE))
    return part, vectors


def test_the_gaussian_head_is_the_bayes_classifier_of_unit_variance_around_the_generators_means():
    part, _ = generator()
    head = GaussianHead(DIM, 5)
    assert head.fit(training(generator=part)) == {}
    density = torch.stack([torch.distributions.Normal(m, 1.0).log_prob(X).sum(1) for m in part.class_means], 1)
    np.testing.assert_allclose(centred(head.scores(X).detach()), centred(density), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.probabilities(head.scores(X)), density.softmax(1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('other', [None, torch.nn.Identity()])
def test_the_gaussian_head_is_refused_without_a_gaussian_generator(other):
    with pytest.raises(ConfigError, match=r'model\.generator.*TextGaussian'):
        GaussianHead(DIM, 5).fit(training(generator=other))


def ensemble(**arguments):
    head = EnsembleHead(FACTS, heads=[dict(type='GaussianHead'), dict(type='LogisticHead')], **arguments)
    log = head.fit(training(generator=generator()[0], class_variance=VARIANCE))
    return head, log


def test_an_ensemble_adds_logits_over_their_spread():
    head, log = ensemble()
    expected = 0
    for one, spread in zip(head.heads, head.spread, strict=True):
        logits = one.scores(X).detach()
        deviation = (logits - logits.mean(1, keepdim=True)).square().mean().sqrt()
        assert float(spread) == pytest.approx(float(deviation), rel=1e-4)
        expected = expected + logits / deviation
    sizes = torch.tensor([NUM_BASE] * NUM_BASE + [5 - NUM_BASE] * (5 - NUM_BASE))
    torch.testing.assert_close(head.scores(X).detach(), 2.0 * expected - sizes.log(), rtol=1e-4, atol=1e-4)
    assert log.keys() == {'1.cross_entropy'}


def test_base_and_novel_classes_have_equal_prior_odds_if_groups_are_balanced():
    balanced, plain = ensemble()[0], ensemble(balance_groups=False)[0]
    lowered = (plain.scores(X) - balanced.scores(X))[0]
    odds = torch.exp(-lowered)  # Of classes that are scored alike without it.
    assert float(odds[:NUM_BASE].sum()) == pytest.approx(float(odds[NUM_BASE:].sum()))


def test_sharpness_makes_probabilities_more_confident_and_ranks_alike():
    blunt, sharp = (ensemble(sharpness=s, balance_groups=False)[0] for s in (1.0, 4.0))
    torch.testing.assert_close(4 * blunt.scores(X), sharp.scores(X))
    probabilities = [head.probabilities(head.scores(X)) for head in (blunt, sharp)]
    assert torch.equal(*(p.argsort(1) for p in probabilities))
    assert (probabilities[1].amax(1) >= probabilities[0].amax(1)).all()


def test_a_head_that_ranks_by_probabilities_is_refused():
    for i, heads in enumerate([[dict(type='LinearHead')], [dict(type='LogisticHead'), dict(type='LinearHead')]]):
        with pytest.raises(ConfigError, match=rf'model\.head\.heads\.{i} '):
            EnsembleHead(FACTS, heads=heads)


def test_an_ensemble_of_nothing_is_refused():
    with pytest.raises(ValueError, match='heads is empty'):
        EnsembleHead(FACTS, heads=[])


def test_losses_of_an_ensemble_add_up_by_name():
    head = EnsembleHead(FACTS, heads=[dict(type='LinearHead', rank_by='logits', loss_weight=w) for w in (1.0, 3.0)])
    losses = head.loss(X, LABELS)
    each = [one.loss(X, LABELS)['loss_ce'] for one in head.heads]
    assert losses.keys() == {'loss_ce'}
    torch.testing.assert_close(losses['loss_ce'], each[0] + each[1])


def test_an_ensemble_of_linear_heads_trains_by_gradients():
    torch.manual_seed(0)
    head = EnsembleHead(FACTS, heads=[dict(type='LinearHead', rank_by='logits')] * 2)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    before = head.loss(X, LABELS)['loss_ce'].item()
    for _ in range(100):
        optimizer.zero_grad()
        head.loss(X, LABELS)['loss_ce'].backward()
        optimizer.step()
    head.fit(training())  # Only the spreads: the weights stay.
    assert head.loss(X, LABELS)['loss_ce'].item() < 0.5 * before
    assert (head.scores(X).argmax(1) == LABELS).float().mean() > 0.8 and (head.spread != 1).all()


def test_logistic_regression_reads_the_training_set_once():
    seen, passes = spied(training(class_variance=VARIANCE))
    LogisticHead(DIM, 5).fit(seen)
    assert len(passes) == 1
