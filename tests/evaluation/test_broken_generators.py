"""Diffusion models that were broken on purpose are told from one that works."""

import pytest
import torch

from avzoo.evaluation.denoising_check import check_denoising
from avzoo.evaluation.generator_check import Features, check_generator, check_line
from avzoo.models.contracts import FittingSet
from avzoo.models.generators import DDPM, FeatureDiffusion
from avzoo.models.generators.samplers import levels
from avzoo.registry import NOISE_SCHEDULES

CLASSES, NOVEL, DIM, SHOTS = 12, 4, 6, 3
BASE = torch.arange(CLASSES) < CLASSES - NOVEL
MEANS = 3 * torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(0))
QUARTERS = ('loss_quarters', 'loss_shuffled_quarters', 'loss_zero_quarters')


def drawn(labels, seed):
    return Features(MEANS[labels] + torch.randn(len(labels), DIM, generator=seeded(seed)), labels)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


HELD_OUT = drawn(torch.arange(CLASSES).repeat(30), 1)
TRAINED = drawn(torch.arange(CLASSES - NOVEL).repeat(50), 3)
FEW = drawn(torch.arange(CLASSES - NOVEL, CLASSES).repeat(SHOTS), 2)


def condition(labels):
    return torch.eye(CLASSES)[labels]


def fitted(labels=None, steps=400):
    """A small diffusion model of the Gaussian classes, by these labels of the training features."""
    x, right = (torch.cat(parts) for parts in zip(TRAINED, FEW, strict=True))
    torch.manual_seed(0)
    model = FeatureDiffusion(
        DIM,
        CLASSES,
        schedule=dict(type='CosineSchedule', num_steps=20),
        noise_predictor=dict(type='EmbeddedPredictor', hidden_dim=64),
        classes='all',
        steps=steps,
        sample_steps=10,
        lr=3e-3,
    )
    batches = [(x, right if labels is None else labels)]
    everything = torch.ones(CLASSES, dtype=torch.bool)
    model.fit(FittingSet(lambda: iter(batches), len(x), everything, torch.eye(CLASSES), None, None, 0))
    return model


def check(model, sample=None):
    rng = seeded(0)

    def error(features, columns):
        t, noise = torch.arange(len(features.x)) % model.num_steps, torch.randn(features.x.shape, generator=seeded(1))
        return float(model.denoising_error(features.x, condition(columns), t, noise))

    def own(columns):
        return model.sample(condition(columns), generator=rng)

    return check_generator(sample or own, error, FEW, HELD_OUT, BASE) | check_denoising(model, condition, HELD_OUT)


@pytest.fixture(scope='module')
def working():
    return fitted()


@pytest.fixture(scope='module')
def found(working):
    return check(working)


def test_a_model_that_works_has_learned_along_the_whole_chain(found):
    assert found['learned']
    for loss, shuffled, zero in zip(*(found[name] for name in QUARTERS), strict=True):
        assert loss < 0.8 * zero and shuffled > 1.4 * zero
    assert found['loss_zero'] == pytest.approx(1, abs=0.15)
    assert found['spread'] == pytest.approx(found['real_spread'], rel=0.25)
    assert found['nearest_is_shot'] < 40 and found['shot_distance_ratio'] > 0.5


def test_a_model_of_shuffled_conditions_has_learned_nothing_of_them():
    count = len(TRAINED.labels) + len(FEW.labels)
    labels = torch.cat([TRAINED.labels, FEW.labels])[torch.randperm(count, generator=seeded(4))]
    found = check(fitted(labels))
    assert not found['learned']
    assert found['loss_quarters'] == pytest.approx(found['loss_shuffled_quarters'], rel=0.1)
    assert found['spread'] > 2 * found['real_spread']  # Every class is all classes.


def test_an_untrained_model_is_no_better_than_predicting_zero():
    found = check(fitted(steps=1))
    assert not found['learned']
    assert found['loss_quarters'] == pytest.approx(found['loss_zero_quarters'], rel=0.05)


def test_a_model_that_runs_on_another_schedule_than_it_learned_spreads_too_far(found):
    model = fitted()
    model.schedule = NOISE_SCHEDULES.build(dict(type='LinearSchedule', num_steps=20))
    model.path = levels(model.schedule.signal, model.schedule.noise, 10)
    wrong = check(model)
    assert not wrong['learned'] and wrong['spread'] > 1.5 * found['spread']
    assert max(wrong['loss_quarters']) > max(found['loss_quarters'])


def test_copies_of_the_shots_are_told_from_samples(working, found):
    def copies(columns):
        return torch.stack([FEW.x[FEW.labels == column][i % SHOTS] for i, column in enumerate(columns)])

    copied = check(working, copies)
    assert copied['nearest_is_shot'] == 100 and copied['shot_distance_ratio'] < 1e-6
    assert copied['real_nearest_is_shot'] == found['real_nearest_is_shot'] < 20
    assert copied['spread'] < 0.8 * copied['real_spread']


def test_what_is_found_is_plain_and_fits_in_a_line(found):
    assert all(type(v) in (float, bool) or [type(x) for x in v] == [float] * 4 for v in found.values())
    assert '\n' not in check_line(found) and len(check_line(found)) < 250


@pytest.mark.parametrize('steps', [1, 2, 3, 5, 200])
def test_a_chain_of_any_length_has_four_quarters(steps):
    seen = []

    class Model:
        num_steps = steps

        def denoising_error(self, x_0, condition, t, noise):
            seen.append(t)
            return torch.tensor(0.0)

    check_denoising(Model(), condition, HELD_OUT)
    seen = seen[::2]  # Each comes twice, with the right conditions and with others.
    assert len(seen) == 4 and torch.cat(seen).unique().tolist() == list(range(steps))
    assert all(before.max() <= after.min() for before, after in zip(seen, seen[1:], strict=False))


@pytest.mark.parametrize('kind', ['ddpm', 'v', 'flow'])
def test_the_loss_of_zero_is_that_of_a_network_that_predicts_zero(kind):
    network = dict(noise_predictor=dict(type='EmbeddedPredictor', hidden_dim=4))
    if kind == 'ddpm':
        model = DDPM(DIM, CLASSES, schedule=dict(type='LinearSchedule', num_steps=8), **network)
    else:
        schedule = dict(type='CosineSchedule', num_steps=8)
        model = FeatureDiffusion(DIM, CLASSES, schedule=schedule, sample_steps=4, prediction=kind, **network)
        model.feature_mean.fill_(0.5)
    for weight in model.noise_predictor.parameters():
        weight.data.zero_()
    found = check_denoising(model, condition, HELD_OUT)
    assert found['loss_quarters'] == pytest.approx(found['loss_zero_quarters'])
