"""Sampling chains compute once what stays the same, and give the samples and gradients of the plain chain."""

import pytest
import torch
from torch import nn

from avzoo.models.generators import DDPM, FeatureDiffusion
from avzoo.models.generators.chain import PredictsAlong
from avzoo.models.kernels import mlp_chain
from avzoo.registry import NOISE_PREDICTORS

DIM, WORDS, STEPS, BATCH = 8, 5, 30, 6
PREDICTORS = {
    'plain': dict(type='MLPNoisePredictor', hidden_dim=7),
    'deep': dict(type='MLPNoisePredictor', hidden_dim=7, num_layers=3),
    'linear': dict(type='MLPNoisePredictor', num_layers=0),
    'dropout': dict(type='MLPNoisePredictor', hidden_dim=7, dropout=0.5),
    'concat': dict(type='EmbeddedPredictor', hidden_dim=7, num_layers=2),
    'film': dict(type='EmbeddedPredictor', hidden_dim=7, num_layers=2, conditioning='film', dropout=0.5),
}


class Plain(nn.Module):
    """A noise predictor that has to see its whole input at each step."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x_t, t, condition):
        return self.part(x_t, t, condition)


def condition() -> torch.Tensor:
    return torch.randn(BATCH, WORDS, generator=torch.Generator().manual_seed(1))


def generator(name: str, kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == 'ddpm':
        return DDPM(DIM, WORDS, schedule=dict(type='LinearSchedule', num_steps=STEPS), noise_predictor=PREDICTORS[name])
    options = dict(condition_dropout=0.1, guidance_weight=1.5, gaussian_prior=True) if kind == 'guided' else {}
    schedule = dict(type='CosineSchedule', num_steps=STEPS)
    return FeatureDiffusion(DIM, WORDS, schedule=schedule, noise_predictor=PREDICTORS[name], sampler='ddpm', **options)


@pytest.mark.parametrize('name', PREDICTORS)
def test_a_step_of_the_chain_is_the_prediction_with_its_gradients(name):
    torch.manual_seed(0)
    part = NOISE_PREDICTORS.build(dict(PREDICTORS[name], dim=DIM, cond_dim=WORDS))
    steps, x = torch.tensor([20, 7, 0]), torch.randn(BATCH, DIM)
    predict = part.along(steps, condition())
    for place, step in enumerate(steps):
        found = []
        for run in (lambda x: predict(x, place), lambda x: part(x, step.expand(BATCH), condition())):  # noqa: B023
            torch.manual_seed(place)  # Of dropout.
            inputs = x.clone().requires_grad_()
            out = run(inputs)
            found.append(
                [out, *torch.autograd.grad(out.square().sum(), [inputs, *part.parameters()], retain_graph=True)]
            )
        torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('kind', ['ddpm', 'fitted', 'guided'])
@pytest.mark.parametrize('name', PREDICTORS)
def test_samples_and_gradients_are_those_of_a_predictor_that_sees_everything_at_each_step(name, kind):
    part, found = generator(name, kind), []
    network = part.noise_predictor
    for predictor in (network, Plain(network)):
        part.noise_predictor = predictor
        rng = torch.Generator().manual_seed(2)
        torch.manual_seed(3)
        sample = part.sample(condition(), generator=rng)
        gradients = torch.autograd.grad(sample.square().sum(), list(network.parameters())) if kind == 'ddpm' else []
        found.append([sample, *gradients, torch.randn(4, generator=rng), torch.randn(4)])
    assert isinstance(network, PredictsAlong) and not isinstance(predictor, PredictsAlong)
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_a_chain_computes_the_part_of_the_condition_once():
    part, seen = generator('plain', 'ddpm'), []
    part.noise_predictor.net[0].register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    with torch.no_grad():
        part.sample(condition())
    assert seen.count(WORDS) == 1 and seen.count(DIM) == STEPS


def test_a_second_derivative_of_a_chain_is_refused():
    part = generator('plain', 'ddpm')
    weight = next(part.parameters())
    (slope,) = torch.autograd.grad(part.sample(condition()).square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        slope.sum().backward()


@pytest.mark.parametrize('trained', ['all', 'the last bias', 'none', 'all, without gradients'])
def test_a_chain_keeps_its_activations_only_for_weights_that_are_trained(trained, monkeypatch):
    part, kept, walk = generator('plain', 'ddpm'), [], mlp_chain._forward
    monkeypatch.setattr(mlp_chain, '_forward', lambda *args: kept.append(args[-1]) or walk(*args))
    steps = torch.arange(STEPS - 1, -1, -1)
    part.requires_grad_(trained.startswith('all'))
    *_, last = part.noise_predictor.parameters()
    last.requires_grad_(trained != 'none')
    weights = part.noise_predictor.as_mlp(steps, condition())
    factors = [part._step(int(t)) for t in steps]
    learns = trained in ('all', 'the last bias')
    with torch.set_grad_enabled(trained != 'all, without gradients'):
        found = mlp_chain.mlp_chain(torch.zeros(BATCH, DIM), weights, factors, lambda: torch.zeros(BATCH, DIM))
    assert kept == [learns] and found.requires_grad == learns


@pytest.mark.parametrize('kind', ['ddpm', 'guided', 'fitted'])
def test_samples_of_a_chain_and_their_gradients_do_not_depend_on_autocast(kind):
    part, words, found = generator('plain', kind), condition().bfloat16(), []
    trained = [p for p in part.parameters() if p.requires_grad]
    for enabled in (False, True):
        torch.manual_seed(3)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            sample = part.sample(words if enabled else words.float())
        found.append([sample, *(torch.autograd.grad(sample.square().sum(), trained) if trained else ())])
    assert len(found[0]) == 1 + len(trained) and found[1][0].dtype == torch.float32
    assert all(map(torch.equal, *found))


def test_a_chain_is_walked_back_in_full_precision_under_autocast():
    part, found = generator('plain', 'ddpm'), []
    for enabled in (False, True):
        torch.manual_seed(3)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            found += torch.autograd.grad(part.sample(condition()).square().sum(), part.noise_predictor.net[-1].weight)
    assert torch.equal(*found)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.double])
@pytest.mark.parametrize('kind', ['ddpm', 'fitted'])
def test_a_generator_of_another_precision_samples_under_autocast_as_without(kind, dtype):
    part, found = generator('plain', kind).to(dtype), []
    for enabled in (False, True):
        torch.manual_seed(3)
        with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            found.append(part.sample(condition().to(dtype)))
    assert torch.equal(*found)
