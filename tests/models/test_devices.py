"""Parts compute on the device and in the number type of their inputs.

On the device ``meta`` nothing is computed, but a tensor that was made on another device is refused all the same.
"""

import pytest
import torch

from avzoo.models.fusions import MaskedTransformer
from avzoo.models.generators import DDPM, WGANGP

PATTERNS = ['full', 'self', 'cross', 'hybrid', 'alternate', 'bottleneck']


def fusion(pattern='self'):
    torch.manual_seed(0)
    return MaskedTransformer(4, depth=2, pattern=pattern, num_heads=2, head_dim=3, mlp_dim=5, dropout=0.0).eval()


def video(dtype=torch.float32, device='cpu'):
    """Return tokens and masks of two videos, of which the second is padded."""
    torch.manual_seed(1)
    tokens = {m: torch.randn(2, 3, 4).to(device, dtype) for m in ('audio', 'visual')}
    return tokens, {m: torch.tensor([[True] * 3, [True, False, False]]).to(device) for m in tokens}


def ddpm(**changes):
    torch.manual_seed(0)
    schedule, predictor = dict(type='LinearSchedule', num_steps=4), dict(type='MLPNoisePredictor', hidden_dim=5)
    return DDPM(3, 2, schedule=schedule, noise_predictor=predictor, **changes)


@pytest.mark.parametrize('pattern', PATTERNS)
def test_attention_is_computed_on_the_device_of_the_tokens(pattern):
    part = fusion(pattern).to('meta')
    assert part(*video(device='meta')).device.type == 'meta'
    assert {weights.device.type for weights in part.attention_maps(*video(device='meta'))} == {'meta'}


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_attention_is_computed_in_the_type_of_the_tokens(dtype):
    part, inputs = fusion().to(dtype), video(dtype)
    exact = fusion()(*video())
    torch.testing.assert_close(part(*inputs).float(), exact, atol=0.05, rtol=0.05)
    # Half precision has no number as low as those of float32: a padded token would attend to nothing at all.
    assert {weights.dtype for weights in part.attention_maps(*inputs)} == {dtype}
    assert all(weights.isfinite().all() for weights in part.attention_maps(*inputs))


def test_summary_tokens_take_the_type_of_the_other_tokens():
    x, biases = fusion().assemble(*video(torch.bfloat16))
    assert {x.dtype, *(bias.dtype for bias in biases.values())} == {torch.bfloat16}


@pytest.mark.parametrize('variance', ['beta', 'posterior'])
def test_diffusion_is_computed_on_the_device_of_features_and_condition(variance):
    model, condition = ddpm(variance=variance).to('meta'), torch.empty(6, 2, device='meta')
    assert model.loss(torch.empty(6, 3, device='meta'), condition)['loss_diffusion'].device.type == 'meta'
    assert model.sample(condition).device.type == 'meta'


def test_noise_is_drawn_in_the_type_of_features_and_condition():
    model, condition = ddpm().double(), torch.ones(6, 2).double()
    sampled = model.sample(condition, generator=torch.Generator().manual_seed(3))
    source = torch.Generator().manual_seed(3)
    x = torch.randn(6, 3, dtype=torch.float64, generator=source)
    for step in reversed(range(4)):
        x = model.p_sample(x, step, condition, torch.randn(6, 3, dtype=torch.float64, generator=source))
    torch.testing.assert_close(sampled, x, atol=1e-12, rtol=1e-12)


def test_adversarial_features_are_generated_on_the_device_and_in_the_type_of_the_condition():
    gan = WGANGP(3, 2, noise_dim=4, generator_hidden=5, critic_hidden=5)
    x = gan.double().sample(torch.ones(6, 2).double(), generator=torch.Generator().manual_seed(3))
    noise = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(x, gan.synthesizer(torch.cat([noise, torch.ones(6, 2).double()], dim=1)))
    on_meta = gan.to('meta').float()
    condition = torch.empty(6, 2, device='meta')
    assert on_meta.sample(condition).device.type == 'meta'
