"""Quirks of the released model: on gives its numbers, off the sane ones."""

import numpy as np
import pytest
import torch

from avzoo.models.embeddings import TimeModalityEmbedding
from avzoo.models.generators import LinearSchedule
from avzoo.models.layers.mlp import MLP
from avzoo.utils.errors import ConfigError
from tests.golden.conftest import without_dropout


@pytest.fixture
def text(golden):
    return torch.tensor(golden.inputs['text'])


def c_o(model, batch):
    with torch.no_grad():
        return model.extract_feat(model.data_preprocessor(batch)['inputs'])


def off(model, golden_values, batch):
    return float((c_o(model, batch) - torch.tensor(golden_values)).abs().max())


def test_one_layer_norm_for_both_sublayers(build, batch, golden):
    assert off(build(), golden.outputs['theta_o'], batch()) < 1e-5
    model = build('model.fusion.shared_norm=false', strict=False)
    for layer in model.fusion.layers:
        layer.mlp_norm.load_state_dict(layer.norm.state_dict())
    # Two norms with the weights of the one: the same numbers.
    assert off(model, golden.outputs['theta_o'], batch()) < 1e-5
    # Two norms as a new model has them are two.
    model.fusion.layers[0].mlp_norm.reset_parameters()
    assert off(model, golden.outputs['theta_o'], batch()) > 1e-3


def statistics(model, batch):
    without_dropout(model).train()
    c_o(model, batch)
    return {m: (model.encoders[m].net[1].running_mean, model.encoders[m].net[1].running_var) for m in model.encoders}


def test_padded_steps_enter_the_statistics_of_the_encoders(build, batch, golden):
    want = {'audio': 'A_enc', 'visual': 'V_enc'}
    found = {
        stats: statistics(build(*(f'model.encoders.{m}.padding_in_stats={stats}' for m in want)), batch('base_'))
        for stats in (True, False)
    }
    for m, prefix in want.items():
        # Frozen encoders: the step changes no weight of theirs, so this is the first forward alone.
        for i, name in enumerate(('mean', 'var')):
            released = golden.train_step[f'base.train.frozen.after_step.{prefix}.fc.1.running_{name}']
            np.testing.assert_allclose(found[True][m][i], released, atol=1e-6, rtol=1e-5)
            assert not np.allclose(found[False][m][i], released, atol=1e-5, rtol=0.02)


def test_without_padding_in_the_statistics_more_padding_changes_nothing():
    x, mask = torch.rand(3, 5, 4), torch.arange(5) < torch.tensor([[5], [2], [3]])
    longer = torch.cat([x * mask[..., None], torch.zeros(3, 6, 4)], 1), torch.cat([mask, torch.zeros(3, 6) > 0], 1)
    for padding_in_stats in (True, False):
        torch.manual_seed(0)
        model = MLP(4, hidden_dim=6, out_dim=2, dropout=0.0, padding_in_stats=padding_in_stats)
        one = model(x * mask[..., None], mask)[mask]
        torch.manual_seed(0)
        model = MLP(4, hidden_dim=6, out_dim=2, dropout=0.0, padding_in_stats=padding_in_stats)
        other = model(*longer)[longer[1]]
        assert torch.allclose(one, other, atol=1e-6) == (not padding_in_stats)


@pytest.mark.parametrize('scale', [10.0, 1.0])
def test_standard_deviation_of_the_fourier_frequencies(scale):
    torch.manual_seed(0)
    drawn = TimeModalityEmbedding(8, embed_dim=4096, fourier_scale=scale).frequencies
    assert drawn.std() == pytest.approx(scale, rel=0.05) and drawn.shape == (2, 2048)


def test_frequencies_of_a_checkpoint_are_those_that_it_was_trained_with(build):
    assert torch.equal(build('model.embedding.fourier_scale=1.0').embedding.frequencies, build().embedding.frequencies)


@torch.no_grad()
def test_noise_at_the_last_reverse_step(build, golden, text, fixed_noise):
    out, ends = golden.outputs, {}
    for noisy in (True, False):
        ddpm = build(f'model.generator.noise_at_last_step={noisy}').generator
        fixed_noise([out['chain_x_T'], *out['chain_noise']])
        ends[noisy] = ddpm.sample(text[:4])
    np.testing.assert_allclose(ends[True], out['chain_x_0'], atol=1e-3)
    # Without it only the mean of the last step is taken; beta_0 is 1e-4.
    np.testing.assert_allclose(ends[False], out['chain_x_0'] - 0.01 * out['chain_noise'][-1], atol=1e-3)
    assert (ends[True] - ends[False]).abs().max() > 0.01


@torch.no_grad()
def test_variance_of_a_reverse_step(build, golden, text):
    out = golden.outputs
    x, noise = torch.tensor(out['diff_q_sample'][1:2]), torch.tensor(out['diff_p_noise'][1:2])
    steps = {}
    for variance in ('beta', 'posterior'):
        ddpm = build(f'model.generator.variance={variance}').generator
        steps[variance] = ddpm.p_sample(x, 199, text[1:2], noise)
        middle = ddpm.p_sample(x, 199, text[1:2], torch.zeros_like(noise))
        spread = (steps[variance] - middle) / noise
        alpha_bar, beta = torch.tensor(out['diff_alpha_bar']), torch.tensor(out['diff_beta'])
        want = beta[199] if variance == 'beta' else beta[199] * (1 - alpha_bar[198]) / (1 - alpha_bar[199])
        assert spread.median() == pytest.approx(float(want.sqrt()), rel=1e-3)
    np.testing.assert_allclose(steps['beta'], out['diff_p_sample'][1:2], atol=1e-5)
    assert not np.allclose(steps['posterior'], out['diff_p_sample'][1:2], atol=1e-4)


def test_number_of_diffusion_steps_and_their_betas(build, golden):
    schedule = build().generator.schedule
    np.testing.assert_allclose(schedule.alpha_bar, golden.outputs['diff_alpha_bar'], atol=1e-6)
    assert float(schedule.alpha_bar[-1]) == pytest.approx(0.132, abs=1e-3)  # Far from pure noise.
    assert float(LinearSchedule(zero_terminal_snr=True).alpha_bar[-1]) < 1e-3
    with pytest.raises(ConfigError, match='FeatureDiffusion'):  # The noise says nothing of x_0 where no signal is left.
        build('model.generator.schedule.zero_terminal_snr=true')
