"""The steps that the diffusion loss draws, and the end of the schedule that starts from pure noise."""

import pytest
import torch

from avzoo.models.generators import DDPM, LinearSchedule

STEPS = 4


def ddpm(**changes):
    torch.manual_seed(0)
    predictor = dict(type='MLPNoisePredictor', hidden_dim=5)
    return DDPM(3, 2, schedule=dict(type='LinearSchedule', num_steps=STEPS), noise_predictor=predictor, **changes)


@pytest.fixture
def drawn():
    """A function that returns the steps (N,) and the diffused features (N, 3) that the loss of N zeros asks about."""

    def draw(count, seed=0):
        model, calls = ddpm(), []
        model.noise_predictor.register_forward_pre_hook(lambda module, args: calls.append(args))
        rng = torch.Generator().manual_seed(seed)
        model.loss(torch.zeros(count, 3), torch.zeros(count, 2), generator=rng)
        ((x_t, t, _),) = calls
        return t, x_t

    return draw


def test_the_loss_draws_every_step_from_the_first_to_the_last_equally_often(drawn):
    counts = drawn(4000)[0].bincount()
    assert len(counts) == STEPS
    torch.testing.assert_close(counts / 4000, torch.full((STEPS,), 1 / STEPS), atol=0.03, rtol=0)


def test_each_feature_gets_a_step_and_a_noise_of_its_own(drawn):
    t, x_t = drawn(4000)
    # Zeros diffuse to noise with the variance 1 - alpha_bar of their step.
    for step, alpha_bar in enumerate(LinearSchedule(num_steps=STEPS).alpha_bar):
        assert x_t[t == step].var().item() == pytest.approx(1 - float(alpha_bar), rel=0.15)
    assert len(x_t.unique(dim=0)) == len(x_t) and (x_t[:, 0] != x_t[:, 1]).any()


def test_the_given_generator_decides_steps_and_noise(drawn):
    (t, x), (again, x_again), (other, _) = drawn(50), drawn(50), drawn(50, seed=1)
    assert torch.equal(t, again) and torch.equal(x, x_again) and not torch.equal(t, other)


def test_the_given_generator_decides_the_loss_whatever_was_drawn_before():
    model = ddpm()
    losses = []
    for seed in (0, 0, 1):
        torch.rand(1)  # The global numbers go on.
        rng = torch.Generator().manual_seed(seed)
        losses.append(model.loss(torch.ones(6, 3), torch.ones(6, 2), generator=rng)['loss_diffusion'].item())
    assert losses[0] == losses[1] != losses[2]


def test_diffusion_mixes_signal_and_noise_by_their_shares():
    model, (x, noise) = ddpm(), torch.randn(2, STEPS, 3, generator=torch.Generator().manual_seed(0))
    found = model.q_sample(x, torch.arange(STEPS), noise)
    for row, alpha_bar in enumerate(LinearSchedule(num_steps=STEPS).alpha_bar):
        torch.testing.assert_close(found[row], alpha_bar**0.5 * x[row] + (1 - alpha_bar) ** 0.5 * noise[row])


def test_an_unknown_variance_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'gamma'.*'beta' or 'posterior'"):
        ddpm(variance='gamma')


@pytest.mark.parametrize('weight', [0.5, 3.0])
def test_the_loss_is_the_weighted_squared_error_of_the_noise(weight):
    model, (x, condition) = ddpm(loss_weight=weight), (torch.ones(6, 3), torch.ones(6, 2))
    found = model.loss(x, condition, generator=torch.Generator().manual_seed(0))['loss_diffusion']
    rng = torch.Generator().manual_seed(0)
    t, noise = torch.randint(STEPS, (6,), generator=rng), torch.randn(6, 3, generator=rng)
    error = model.noise_predictor(model.q_sample(x, t, noise), t, condition) - noise
    torch.testing.assert_close(found, weight * error.square().mean())


def test_the_last_beta_of_zero_terminal_snr_stays_below_one():
    schedule = LinearSchedule(num_steps=STEPS, zero_terminal_snr=True)
    assert schedule.beta[-1].item() == pytest.approx(0.999, abs=1e-6)
    # Of the signal at the step before, a thousandth is left: one part in a hundred would not be nearly zero.
    assert (schedule.alpha_bar[-1] / schedule.alpha_bar[-2]).item() == pytest.approx(1e-3, rel=1e-3)
    assert (schedule.beta[:-1] < 0.99).all()


@pytest.mark.parametrize('num_steps', [2, 200])
def test_zero_terminal_snr_keeps_the_first_beta_and_samples_finite_numbers(num_steps):
    schedule = dict(num_steps=num_steps, zero_terminal_snr=True)
    assert LinearSchedule(**schedule).beta[0].item() == pytest.approx(1e-4, rel=0.01)
    model = ddpm()
    model.schedule = LinearSchedule(**schedule)
    assert model.sample(torch.zeros(5, 2)).isfinite().all()
