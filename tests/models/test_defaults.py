"""What a part is that a config gives no arguments."""

import pytest
import torch

from avzoo.models.fusions import MaskedTransformer
from avzoo.models.fusions.attention_patterns import layer_patterns
from avzoo.models.generators import DDPM, WGANGP, LinearSchedule, MLPNoisePredictor
from avzoo.models.layers.transformer_layer import Attention, TransformerLayer


def test_the_masked_transformer_has_four_hybrid_layers_of_eight_heads():
    part = MaskedTransformer(12)
    layer = part.layers[0]
    assert part.patterns == layer_patterns('hybrid', 4) == ['full'] * 4
    assert layer.attn.num_heads == 8 and layer.attn.to_q.out_features == 8 * 64
    assert layer.mlp.fc1.out_features == 128 and layer.mlp_norm is None
    assert layer.attn.dropout.p == pytest.approx(0.1)
    assert part.summary.shape == (1, 1, 12) and (part.out_dim, part.num_readouts) == (12, 1)


def test_a_transformer_layer_has_eight_heads_of_64_and_a_hidden_layer_of_128():
    for part in (Attention(12), (layer := TransformerLayer(12)).attn):
        assert part.num_heads == 8 and part.to_q.out_features == 8 * 64
    assert layer.mlp.fc1.out_features == 128 and layer.mlp_norm is None
    assert Attention(12).dropout.p == 0 and layer.attn.dropout.p == pytest.approx(0.1)


def test_summary_tokens_start_with_the_standard_deviation_asked_for():
    drawn = {}
    for std in (None, 3.0):
        torch.manual_seed(0)
        drawn[std] = MaskedTransformer(12, depth=1, **({} if std is None else dict(summary_std=std))).summary
    torch.manual_seed(0)
    unit = torch.randn(1, 1, 12)
    torch.testing.assert_close(drawn[None].detach(), unit)
    torch.testing.assert_close(drawn[3.0].detach(), 3 * unit)


def test_the_schedule_has_200_steps_from_one_ten_thousandth_to_two_hundredths():
    schedule = LinearSchedule()
    assert schedule.num_steps == len(schedule.beta) == 200
    assert (schedule.beta[0].item(), schedule.beta[-1].item()) == pytest.approx((1e-4, 0.02))
    assert schedule.state_dict() == {}  # The constants follow from the arguments.


def test_the_noise_predictor_has_one_hidden_layer_of_128():
    found = [layer for layer in MLPNoisePredictor(3, 2).net if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in found] == [(6, 128), (128, 3)]


def test_the_diffusion_model_weighs_its_loss_by_one_and_adds_noise_of_variance_beta_at_every_step():
    model = DDPM(3, 2, schedule=dict(type='LinearSchedule'), noise_predictor=dict(type='MLPNoisePredictor'))
    assert (model.loss_weight, model.variance, model.noise_at_last_step) == (1.0, 'beta', True)


def test_the_adversarial_generator_takes_five_critic_steps_with_adam_at_a_rate_of_one_ten_thousandth():
    gan = WGANGP(3, 2)
    assert gan.synthesizer[0].in_features == 64 + 2 and gan.synthesizer[0].out_features == 128
    assert gan.critic[0].out_features == 64 and gan.condition_net is None
    assert (gan.n_critic, gan.gp_weight, gan.cls_weight, gan.cosine_weight) == (5, 10.0, 0.0, 0.0)
    gan.update(torch.rand(4, 3), torch.rand(4, 2), lambda x: x.mean())
    for state in gan.get_extra_state().values():
        (group,) = state['param_groups']
        assert group['lr'] == pytest.approx(1e-4) and tuple(group['betas']) == (0.5, 0.999)
    assert (gan.sample(torch.randn(50, 2)) >= 0).all()  # relu
    steps = {name: state['state'][0]['step'].item() for name, state in gan.get_extra_state().items()}
    assert steps == dict(critic=5, generator=1)
