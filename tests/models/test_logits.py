"""Models whose heads rank by logits: the scale that the logits are divided by, and where it is kept."""

import pytest
import torch

from avzoo.models.heads import LinearHead
from avzoo.registry import MODELS
from tests.models.part_cases import BATCH, CASES, SECONDS
from tests.models.part_runs import LABELS, sequences

LOGITS = dict(type='LinearHead', rank_by='logits')
PROJECTED = dict(type='ProjectedHead', projector=dict(type='MLP', hidden_dim=8, out_dim=10), head=LOGITS)


def model(head, **arguments):
    torch.manual_seed(0)
    cfg = dict(CASES['model']['AVClassifier'].args, head=head, generator=None, conditioner=None, **arguments)
    return MODELS.build(dict(type='AVClassifier', **cfg)).eval()


def predict(part):
    tokens, masks = sequences()
    inputs = {m: (x, masks[m], torch.arange(x.shape[1]).expand(masks[m].shape) * SECONDS[m]) for m, x in tokens.items()}
    return part.predict(inputs, LABELS, torch.arange(BATCH))[0]


@pytest.mark.parametrize(
    ('head', 'logits'),
    [
        (dict(type='LinearHead'), False),
        (dict(type='EmbeddingDistanceHead', hidden_dim=8), False),
        (dict(PROJECTED, head=dict(type='LinearHead')), False),
        (LOGITS, True),
        (PROJECTED, True),
        (dict(type='LogisticHead'), True),
        (dict(type='EnsembleHead', heads=[LOGITS, LOGITS]), True),
    ],
)
def test_only_a_head_that_ranks_by_logits_has_a_scale_in_the_weights(head, logits):
    part = model(head)
    assert ('scale' in part.state_dict()) == logits
    assert (predict(part)['scale'] is not None) == logits


def test_logits_are_divided_by_the_scale_and_probabilities_undo_it():
    one, four = model(LOGITS), model(LOGITS, scale=4.0)
    scores, divided = predict(one)['scores'], predict(four)['scores']
    torch.testing.assert_close(divided, scores / 4)
    torch.testing.assert_close(four.probabilities(divided), scores.softmax(1))
    assert four.state_dict()['scale'].item() == 4.0


def test_without_logits_a_scale_does_nothing():
    head = dict(type='LinearHead')
    assert torch.equal(predict(model(head))['scores'], predict(model(head, scale=4.0))['scores'])


def test_logits_and_probabilities_say_the_same():
    x = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    for readout in ('mean_logits', 'mean_probability'):
        found = []
        for rank_by in ('probabilities', 'logits'):
            torch.manual_seed(0)
            head = LinearHead(5, 6, readout=readout, rank_by=rank_by)
            found.append(head.probabilities(head.scores(x)))
        torch.testing.assert_close(*found)


def test_an_unknown_kind_of_score_is_refused():
    with pytest.raises(ValueError, match="rank_by='logit'"):
        LinearHead(5, 6, rank_by='logit')
