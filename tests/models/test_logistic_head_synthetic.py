"""Generated features in the fit of the logistic head."""

import pytest
import torch
from torch import nn

from avzoo.models.contracts import FittingSet
from avzoo.models.heads import LogisticHead
from avzoo.models.heads.logistic_head import _class_weights

CLASSES, DIM = 3, 2
BASE = torch.tensor([True, True, False])
X = torch.tensor([[4.0, 0], [4, 1], [-4, 0], [-4, 1], [0.0, 9]])
LABELS = torch.tensor([0, 0, 1, 1, 2])


class Generator(nn.Module):
    """Features around the condition."""

    def sample(self, condition, *, generator=None):
        self.asked = condition
        return condition + torch.randn(condition.shape, generator=generator)


def training(**changes):
    parts = dict(
        batches=lambda: iter([(X, LABELS)]),
        num_videos=len(X),
        base_mask=BASE,
        conditions=torch.tensor([[4.0, 0], [-4, 0], [0, -9]]),
        class_variance=None,
        generator=Generator(),
        seed=0,
    )
    return FittingSet(**dict(parts, **changes))


def scores(part, x=X):
    with torch.no_grad():
        return part.scores(x)


def fitted(training_set, **options):
    part = LogisticHead(DIM, CLASSES, inverse_penalty=1.0, **options)
    part.fit(training_set)
    return part


def test_generated_features_move_the_border_of_the_novel_class_alone():
    x = torch.tensor([[0.0, -9]])
    without, with_them = (fitted(training(), synthetic_per_class=n, synthetic_share=0.9) for n in (0, 30))
    assert scores(without, x).argmax() != 2 and scores(with_them, x).argmax() == 2


def test_only_the_novel_classes_are_generated_and_as_often_as_asked():
    generator = Generator()
    fitted(training(generator=generator), synthetic_per_class=7)
    assert torch.equal(generator.asked, torch.tensor([[0.0, -9]]).expand(7, 2))


@pytest.mark.parametrize('changes', [dict(generator=None), dict(conditions=None)])
def test_without_a_generator_the_fit_is_that_of_the_real_features(changes):
    plain, with_option = fitted(training()), fitted(training(**changes), synthetic_per_class=30)
    assert torch.equal(scores(plain), scores(with_option))


def test_all_classes_weigh_the_same_and_generated_features_have_their_share():
    labels = torch.tensor([0, 0, 0, 1, 2, 2, 2, 3])
    is_real = torch.tensor([True, True, True, True, True, False, False, False])
    weights = _class_weights(labels, is_real, 0.25)
    assert weights.tolist() == pytest.approx([2 / 3] * 3 + [2] + [1.5, 0.25, 0.25] + [2])


def test_the_seed_of_the_run_decides_what_is_generated():
    one, again, other = (scores(fitted(training(seed=seed), synthetic_per_class=5)) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.parametrize('share', [-0.1, 1.1])
def test_a_share_beyond_the_whole_is_refused(share):
    with pytest.raises(ValueError, match=f'synthetic_share={share}'):
        LogisticHead(DIM, CLASSES, synthetic_share=share)
