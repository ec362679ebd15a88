"""Fits of the same numbers: the second gives what the first found; any difference is a fit of its own."""

import pytest
import torch

from avzoo.models.generators import FeatureDiffusion
from tests.models.test_feature_diffusion import VECTORS, WORDS, training

NETWORK = dict(type='EmbeddedPredictor', hidden_dim=8)


@pytest.fixture
def fits(monkeypatch):
    """The number of fits that were computed, as a list of ones."""
    monkeypatch.setattr('avzoo.models.layers.fit_once._last', {})
    done, train = [], FeatureDiffusion._train
    monkeypatch.setattr(FeatureDiffusion, '_train', lambda self, *args: done.append(1) or train(self, *args))
    return done


def fitted(init: int = 0, data=None, **changes) -> tuple[FeatureDiffusion, dict[str, float]]:
    torch.manual_seed(init)
    sizes = dict(sample_steps=4, steps=3, batch_size=8)
    options = dict(sizes, schedule=dict(type='CosineSchedule', num_steps=8), noise_predictor=NETWORK)
    part = FeatureDiffusion(3, WORDS, **dict(options, **changes))
    return part, part.fit(data or training())


def test_the_same_fit_is_computed_once(fits):
    (one, log), (other, again) = fitted(), fitted()
    assert len(fits) == 1 and log == again
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert torch.equal(*(part.sample(VECTORS, generator=torch.Generator().manual_seed(0)) for part in (one, other)))
    assert not any(parameter.requires_grad for parameter in other.parameters())


@pytest.mark.parametrize(
    'change',
    [
        dict(init=1),
        dict(data=training(seed=1)),
        dict(lr=1e-2),
        dict(batch_size=9),
        dict(prediction='flow', schedule=dict(type='StraightPath', num_steps=8)),
        dict(schedule=dict(type='CosineSchedule', num_steps=9)),
        dict(gaussian_prior=True),
    ],
    ids=['init', 'data', 'lr', 'batch_size', 'path', 'schedule', 'prior'],
)
def test_another_fit_is_computed(change, fits):
    fitted()
    part, _ = fitted(**change)
    assert len(fits) == 2
    fits.clear()
    assert all(torch.equal(value, fitted(**change)[0].state_dict()[name]) for name, value in part.state_dict().items())


def test_a_network_that_drops_out_is_always_fitted(fits):
    for _ in range(2):
        fitted(noise_predictor=dict(NETWORK, dropout=0.1))
    assert len(fits) == 2


def test_what_was_found_is_not_changed_by_its_use(fits):
    part, log = fitted()
    part.feature_mean.zero_()
    log.clear()
    assert fitted()[0].feature_mean.abs().max() > 0 and fitted()[1]
