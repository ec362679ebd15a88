"""Quirks of the released model on parts that can be followed by hand: on as released, off the sane way."""

import numpy as np
import pytest
import torch

from avzoo.config.load import load_config
from avzoo.models.fusions import MaskedTransformer
from avzoo.models.generators import LinearSchedule, MLPNoisePredictor
from avzoo.models.layers.mlp import MLP
from tests.faithfulness.tiny import BETA, LABELS, reverse_chain, tiny_draws, tiny_model
from tests.models import by_hand


def redrawn(part):
    rng = torch.Generator().manual_seed(3)
    for parameter in part.parameters():
        parameter.data.normal_(generator=rng)
    return part


@pytest.mark.parametrize('shared_norm', [True, False])
def test_one_layer_norm_or_one_for_each_sublayer(shared_norm):
    fusion = MaskedTransformer(4, depth=1, num_heads=1, head_dim=4, mlp_dim=3, dropout=0.0, shared_norm=shared_norm)
    layer, x = redrawn(fusion.layers[0]), torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(4))
    first, second = (layer.norm, layer.norm) if shared_norm else (layer.norm, layer.mlp_norm)
    y = x[0] + layer.attn(first(x))[0]
    want = y + layer.mlp(torch.tensor(by_hand.layer_norm(by_hand.array(y), second)).float())
    torch.testing.assert_close(layer(x)[0], want)
    assert sum(isinstance(part, torch.nn.LayerNorm) for part in layer.modules()) == (1 if shared_norm else 2)


@pytest.mark.parametrize('padding_in_stats', [True, False])
def test_statistics_over_all_rows_or_over_real_ones(padding_in_stats):
    x, mask = torch.zeros(2, 3, 2), torch.tensor([[True, True, True], [True, False, False]])
    x[mask] = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    encoder = redrawn(MLP(2, hidden_dim=3, out_dim=2, dropout=0.0, padding_in_stats=padding_in_stats))
    encoder(x, mask)
    # Four rows are real and two are zeros: the mean row is (16, 20) over 6 or over 4.
    want = encoder.net[0](torch.tensor([16.0, 20.0]) / (6 if padding_in_stats else 4))
    torch.testing.assert_close(encoder.net[1].running_mean, 0.1 * want)


def sampled(fixed_noise, **changes):
    """Return what a tiny generator samples under fixed noises, what the released chain gives, and the last noise."""
    model, (noises, _) = tiny_model(), tiny_draws()
    for name, value in changes.items():
        setattr(model.generator, name, value)
    condition = model.conditioner(LABELS)
    fixed_noise(noises[1:])
    return (
        model.generator.sample(condition),
        reverse_chain(model.generator.noise_predictor, condition, noises[1:]),
        noises[-1],
    )


def test_the_reverse_chain_goes_from_the_last_step_to_the_first(fixed_noise):
    found, want, _ = sampled(fixed_noise)
    torch.testing.assert_close(found, want)


def test_without_noise_at_the_last_step_its_mean_is_taken(fixed_noise):
    found, want, noise = sampled(fixed_noise, noise_at_last_step=False)
    torch.testing.assert_close(found, want - BETA[0].sqrt() * noise)


@pytest.mark.parametrize(
    ('variance', 'want'),
    [
        ('beta', [0.1, 0.2, 0.3]),
        # alpha_bar is 0.9, 0.72, 0.504.
        ('posterior', [0.0, 0.2 * 0.1 / 0.28, 0.3 * 0.28 / 0.496]),
    ],
)
def test_variance_of_each_reverse_step(variance, want):
    ddpm = tiny_model(
        generator=dict(
            type='DDPM',
            variance=variance,
            noise_predictor=dict(type='MLPNoisePredictor', hidden_dim=5),
            schedule=dict(type='LinearSchedule', num_steps=3, beta_start=0.1, beta_end=0.3),
        )
    ).generator
    x, condition, noise = torch.zeros(1, 3), torch.zeros(1, 5), torch.ones(1, 3)
    for step, value in enumerate(want):
        spread = ddpm.p_sample(x, step, condition, noise) - ddpm.p_sample(x, step, condition, 0 * noise)
        np.testing.assert_allclose(spread.detach().square(), value, atol=1e-6)


@pytest.mark.parametrize(('steps', 'end'), [(100, 0.36), (200, 0.13), (300, 0.05)])
def test_the_schedule_ends_far_from_pure_noise_or_at_it(steps, end):
    released = np.cumprod(1 - np.linspace(1e-4, 0.02, steps))
    np.testing.assert_allclose(LinearSchedule(num_steps=steps).alpha_bar, released, rtol=1e-4)
    assert released[-1] == pytest.approx(end, abs=0.005)
    # Lin et al. 2024, algorithm 1: the root is shifted to end at 0 and scaled to begin where it began.
    root = np.sqrt(released)
    sane = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    np.testing.assert_allclose(LinearSchedule(num_steps=steps, zero_terminal_snr=True).alpha_bar, sane, atol=1e-4)


def test_hidden_layers_of_the_noise_predictor_are_equally_wide(repo_dir):
    layers = [part for part in MLPNoisePredictor(3, 5, hidden_dim=8, num_layers=2).net if hasattr(part, 'weight')]
    assert [layer.out_features for layer in layers] == [8, 8, 3]
    # The released code halves the second one, which no published setting has.
    for data in ('ucf', 'vgg', 'activitynet'):
        cfg = load_config(repo_dir / f'configs/avdiff/avdiff_{data}_5shot.py')
        assert cfg.model.generator.noise_predictor.num_layers == 1
