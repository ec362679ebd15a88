"""What a head's scores say as probabilities."""

import pytest
import torch

from tests.models.part_cases import BATCH, CASES, CLASSES
from tests.models.part_runs import build, features


@pytest.mark.parametrize('name', CASES['head'])
def test_every_head_turns_scores_into_probabilities_that_rank_alike(name):
    head = build('head', name).eval()
    scores = head.scores(features(CASES['head'][name].readouts))
    probabilities = head.probabilities(scores)
    assert probabilities.shape == (BATCH, CLASSES) and (probabilities >= 0).all()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(BATCH))
    assert torch.equal(probabilities.argsort(1), scores.argsort(1))


def test_a_linear_heads_scores_are_probabilities():
    head = build('head', 'LinearHead').eval()
    scores = head.scores(features(True))
    assert torch.equal(head.probabilities(scores), scores)


def test_minus_distances_become_probabilities_by_softmax():
    probabilities = build('head', 'EmbeddingDistanceHead').probabilities(torch.tensor([[-1.0, -3.0]]))
    torch.testing.assert_close(probabilities[0, 0] / probabilities[0, 1], torch.tensor(2.0).exp())
