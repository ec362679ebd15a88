"""The fitted diffusion generator against known distributions: a Gaussian in closed form, a mixture of four classes."""

from functools import cache
from threading import Lock

import pytest
import torch
from torch import nn

from avzoo.models.contracts import FittingSet
from avzoo.models.generators import DDPM, FeatureDiffusion
from avzoo.models.generators.samplers import SAMPLERS

DIM, CLASSES, WORDS = 3, 4, 5
RNG = torch.Generator().manual_seed(0)
# Far from standard, so that standardising matters; two dimensions depend on each other.
MEANS = torch.tensor([[4.0, 0, 100], [-4, 0, 100], [0, 4, 100], [0, -4, 100]])
FACTOR = torch.tensor([[0.6, 0, 0], [0.5, 0.4, 0], [0, 0, 9]])
VECTORS = 3 + 0.1 * torch.randn(CLASSES, WORDS, generator=RNG)
LINEAR, COSINE, STRAIGHT = (
    dict(type=name, num_steps=100) for name in ('LinearSchedule', 'CosineSchedule', 'StraightPath')
)
LINEAR['beta_end'] = 0.1  # So that hardly anything is left of the signal.
OPTIONS = {
    'noise': dict(prediction='noise', schedule=LINEAR),
    'v': dict(prediction='v'),
    'flow': dict(prediction='flow', schedule=STRAIGHT),
    'film': dict(noise_predictor=dict(type='EmbeddedPredictor', hidden_dim=64, conditioning='film')),
    'prior': dict(gaussian_prior=True),
    'guided': dict(condition_dropout=0.2),
}


def real(count: int = 500, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (count * 4, 3) of the four classes, with labels."""
    labels = torch.arange(CLASSES).repeat(count)
    noise = torch.randn(len(labels), DIM, generator=torch.Generator().manual_seed(seed))
    return MEANS[labels] + noise @ FACTOR.t(), labels


def training(seed: int = 0, **changes: torch.Tensor) -> FittingSet:
    """A training set, by default of the four classes."""
    x, labels = (changes.get(name, default) for name, default in zip(('x', 'labels'), real(), strict=True))
    return FittingSet(
        batches=lambda: zip(x.split(300), labels.split(300), strict=True),
        num_videos=len(x),
        base_mask=changes.get('base_mask', torch.ones(CLASSES, dtype=torch.bool)),
        conditions=changes.get('conditions', VECTORS),
        class_variance=None,
        generator=None,
        seed=seed,
    )


def unfitted(**options) -> FeatureDiffusion:
    torch.manual_seed(0)
    args = dict(
        schedule=COSINE,
        noise_predictor=dict(type='EmbeddedPredictor', hidden_dim=64),
        sampler='ddpm',
        sample_steps=100,
        steps=600,
        batch_size=256,
        lr=5e-3,
    )
    return FeatureDiffusion(DIM, WORDS, **dict(args, **options))


@cache
def fitted(name: str) -> FeatureDiffusion:
    part = unfitted(**OPTIONS[name])
    part.fit(training())
    return part


def sampled(part: FeatureDiffusion, count: int = 1000, **options) -> list[torch.Tensor]:
    """Samples (count, 3) of each class, with another sampler or guidance if asked."""
    other = unfitted(**options) if options else part
    other.load_state_dict(part.state_dict())
    labels = torch.arange(CLASSES).repeat_interleave(count)
    return list(other.sample(VECTORS[labels], generator=torch.Generator().manual_seed(2)).split(count))


def given_their_class(samples: list[torch.Tensor]) -> float:
    """The share of samples that lie next to the mean of their class."""
    scale = torch.tensor([1.0, 1, 9])
    hits = [(torch.cdist(x / scale, MEANS / scale).argmin(1) == c).float().mean() for c, x in enumerate(samples)]
    return float(torch.stack(hits).mean())


@pytest.mark.parametrize('name', OPTIONS)
def test_samples_of_a_class_have_its_mean_and_covariance(name):
    covariance = FACTOR @ FACTOR.t()
    scale = covariance.diag().sqrt()
    samples = sampled(fitted(name))
    for mean, x in zip(MEANS, samples, strict=True):
        torch.testing.assert_close(x.mean(0) / scale, mean / scale, atol=0.25, rtol=0)
        torch.testing.assert_close(
            x.t().cov() / torch.outer(scale, scale), covariance / torch.outer(scale, scale), atol=0.35, rtol=0
        )
    assert given_their_class(samples) > 0.98


@pytest.mark.parametrize(
    'sampler', [dict(sampler='ddim', sample_steps=50), dict(sampler='dpm_solver++', sample_steps=10)]
)
@pytest.mark.parametrize('name', ['noise', 'v', 'flow'])
def test_few_steps_give_the_same_classes(name, sampler):
    samples = sampled(fitted(name), **OPTIONS[name], **sampler)
    assert given_their_class(samples) > 0.98
    for mean, x in zip(MEANS, samples, strict=True):
        assert ((x.mean(0) - mean).abs() < torch.tensor([0.3, 0.3, 3])).all()
        assert (x.std(0) / (FACTOR @ FACTOR.t()).diag().sqrt() > 0.6).all()


def test_guidance_moves_samples_away_from_the_unconditional_mean_and_together():
    options = OPTIONS['guided']
    plain, guided = (sampled(fitted('guided'), **options, guidance_weight=w) for w in (1.0, 2.0))
    centre = MEANS.mean(0)
    for one, other in zip(plain, guided, strict=True):
        assert (other.mean(0) - centre)[:2].norm() > (one.mean(0) - centre)[:2].norm()
        spread = other.std(0) / one.std(0)
        assert spread[:2].max() < 0.85 and 0.95 < spread[2] < 1.05  # The classes do not differ in the third.


def test_without_a_condition_samples_come_from_all_classes():
    part = fitted('guided')
    x = part.sample(VECTORS.mean(0).expand(400, WORDS), generator=torch.Generator().manual_seed(3))
    classes = torch.cdist(x[:, :2], MEANS[:, :2]).argmin(1).bincount(minlength=CLASSES)
    assert (classes > 40).all()


def test_shuffled_class_vectors_give_the_features_of_other_classes():
    part = fitted('v')
    x, labels = real(seed=5)
    t = torch.arange(len(x)) % 100
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(6))
    true, shuffled = (float(part.denoising_error(x, VECTORS[y], t, noise)) for y in (labels, (labels + 1) % CLASSES))
    assert shuffled > 1.5 * true
    samples = sampled(part)
    assert given_their_class(samples[1:] + samples[:1]) < 0.02


@pytest.mark.parametrize('schedule', [COSINE, STRAIGHT], ids=lambda s: s['type'])
@pytest.mark.parametrize(('sampler', 'steps'), [('ddpm', 100), ('ddim', 100), ('dpm_solver++', 20)])
def test_the_closed_form_denoiser_alone_samples_the_gaussian(sampler, steps, schedule):
    part = unfitted(gaussian_prior=True, sampler=sampler, sample_steps=steps, schedule=schedule, steps=1)
    x = torch.randn(4000, DIM, generator=RNG) @ FACTOR.t() + MEANS[0]
    part.fit(training(x=x, labels=torch.zeros(len(x), dtype=torch.long)))
    for parameter in part.noise_predictor.parameters():
        parameter.zero_()
    found = part.sample(VECTORS[:1].expand(4000, WORDS), generator=torch.Generator().manual_seed(4))
    scale = x.std(0)
    torch.testing.assert_close(found.mean(0) / scale, x.mean(0) / scale, atol=0.08, rtol=0)
    torch.testing.assert_close((found / scale).t().cov(), (x / scale).t().cov(), atol=0.08, rtol=0)


def test_a_fit_follows_from_its_seed_alone():
    states = []
    for seed in (0, 0, 1):
        part = unfitted(steps=5)
        torch.rand(1)
        before = torch.get_rng_state()
        part.fit(training(seed=seed))
        assert torch.equal(before, torch.get_rng_state())
        states.append(part.noise_predictor.out.weight.clone())
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_no_weight_requires_a_gradient_after_the_fit():
    assert not any(p.requires_grad for p in fitted('v').parameters())


def test_dimensions_without_variance_stay_at_their_value():
    part = unfitted(steps=5)
    x = real()[0]
    x[:, 1] = 7
    conditions = VECTORS.clone()
    conditions[:, 0] = 2
    part.fit(training(x=x, conditions=conditions))
    assert part.sample(conditions).isfinite().all()


@pytest.mark.parametrize('schedule', [COSINE, STRAIGHT, dict(LINEAR, zero_terminal_snr=True)], ids=lambda s: s['type'])
def test_noise_is_not_predicted_where_no_signal_is_left(schedule):
    with pytest.raises(ValueError, match=f"schedule={schedule['type']}.*prediction='v'"):
        unfitted(prediction='noise', schedule=schedule)


@pytest.mark.parametrize('schedule', [COSINE, dict(LINEAR, zero_terminal_snr=True)], ids=lambda s: s['type'])
def test_ddpm_refuses_a_schedule_that_ends_in_noise(schedule):
    with pytest.raises(ValueError, match='FeatureDiffusion'):
        DDPM(DIM, WORDS, schedule=schedule, noise_predictor=dict(type='MLPNoisePredictor'))


@pytest.mark.parametrize(
    'options',
    [
        dict(guidance_weight=2.0),
        dict(sample_steps=101),
        dict(sample_steps=1),
        dict(prediction='x0'),
        dict(sampler='pc'),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_met_is_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        unfitted(**options)


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_every_sampler_ends_at_a_certain_x_0(sampler):
    part = unfitted(sampler=sampler)
    x_0 = torch.tensor([[1.0, -2, 3]])
    found = SAMPLERS[sampler](lambda x, step: x_0, torch.zeros(1, DIM), part.path, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, x_0)


def test_the_videos_of_novel_classes_are_learnt_only_if_asked():
    states = {}
    for classes in ('base', 'all'):
        for moved in (0.0, 50.0):
            part = unfitted(steps=2, classes=classes)
            x, labels = real()
            x[labels == 3] += moved
            part.fit(training(x=x, base_mask=torch.arange(CLASSES) < 3))
            states[classes, moved] = [x.clone() for x in part.state_dict().values()]
    same = {c: all(map(torch.equal, states[c, 0.0], states[c, 50.0])) for c in ('base', 'all')}
    assert same == {'base': True, 'all': False}


class Scaled(torch.autograd.Function):
    """The identity, whose gradient depends on the number of threads."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * torch.get_num_threads()


class Network(nn.Module):
    """A network with parts that a comparison of thread counts must neither change nor overlook."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.unused = kind, nn.Linear(2, 2)
        self.norm, self.dropout = nn.BatchNorm1d(8), nn.Dropout(0.1)  # Fitted anew each time.
        self.first, self.last = nn.Linear(DIM + WORDS, 8), nn.Linear(8, DIM)
        if kind == 'hidden gradients':
            nn.init.zeros_(self.last.weight)
        elif kind == 'no copy':
            self.first.scaled = 2 * self.first.weight
        elif kind == 'lock':
            self.lock = Lock()

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        x = self.first(torch.cat([x_t, condition], dim=1))
        return self.last(self.dropout(self.norm(Scaled.apply(x) if self.kind == 'hidden gradients' else x)))


@pytest.mark.parametrize('kind', ['equal', 'hidden gradients', 'loss', 'no copy', 'lock'])
def test_the_number_of_threads_changes_nothing(kind, monkeypatch):
    states, before = [], torch.get_num_threads()
    if kind == 'loss':
        error = FeatureDiffusion._error
        monkeypatch.setattr(FeatureDiffusion, '_error', lambda *args: error(*args) + torch.get_num_threads())
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            part = unfitted(steps=30)
            torch.manual_seed(0)
            part.noise_predictor = Network(kind)
            log = part.fit(training())
            states.append([*part.state_dict().values(), torch.rand(1), torch.tensor(log['diffusion_loss'])])
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, *states))
