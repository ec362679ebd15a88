"""Quirks of the released training on a model that can be followed by hand: on as released, off the sane way."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import OPTIMIZERS

from avzoo.config.load import load_config
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.evaluation.functional import gfsl_metrics
from avzoo.evaluation.gfsl_metric import GFSLMetric
from tests.faithfulness.tiny import LABELS, diffusion_error, reverse_chain, tiny_batch, tiny_draws, tiny_model
from tests.golden.conftest import second_forward

PROJECTED = 'projector.net.4.weight'
PREDICTED = 'generator.noise_predictor.net.4.weight'


def gradient(loss, model, name):
    return torch.autograd.grad(loss, model.get_parameter(name), retain_graph=True)[0]


def inputs_of(model):
    return model.data_preprocessor(tiny_batch(), training=True)['inputs']


@pytest.fixture
def losses_of(fixed_noise):
    """A function that returns the losses of a tiny model on a batch of novel classes, under fixed draws."""

    def losses(model):
        fixed_noise(*tiny_draws())
        return model.loss(inputs_of(model), LABELS, novel=True)

    return losses


def losses_by_hand(model):
    """The same losses from the formulas, each with its whole gradient."""
    noises, t = tiny_draws()
    condition, c_o = model.conditioner.vectors[LABELS], model.extract_feat(inputs_of(model))
    predictor = model.generator.noise_predictor
    chain = reverse_chain(predictor, condition, noises[1:])
    return dict(
        loss_ce=F.cross_entropy(model.head.fc(c_o), LABELS),
        loss_diffusion=diffusion_error(predictor, c_o, condition, t, noises[0]),
        loss_synthetic=F.cross_entropy(model.head.fc(chain), LABELS),
    )


def test_losses_of_a_novel_batch(losses_of):
    model = tiny_model()
    found, want = losses_of(model), losses_by_hand(model)
    assert list(found) == list(want)
    for name, value in want.items():
        torch.testing.assert_close(found[name], value, msg=name)


@pytest.mark.parametrize('synthetic_grad', [True, False])
def test_gradient_through_the_whole_sampling_chain_or_none(losses_of, synthetic_grad):
    model = tiny_model(synthetic_grad=synthetic_grad)
    found, want = gradient(sum(losses_of(model).values()), model, PREDICTED), losses_by_hand(model)
    through = gradient(want['loss_synthetic'], model, PREDICTED)
    alone = gradient(want['loss_diffusion'], model, PREDICTED)
    assert through.abs().max() > 0.01
    torch.testing.assert_close(found, alone + through if synthetic_grad else alone)


@pytest.mark.parametrize('synthetic_grad', [True, False])
def test_the_classifier_learns_from_synthetic_features_either_way(losses_of, synthetic_grad):
    model = tiny_model(synthetic_grad=synthetic_grad)
    found, want = losses_of(model)['loss_synthetic'], losses_by_hand(model)['loss_synthetic']
    torch.testing.assert_close(gradient(found, model, 'head.fc.weight'), gradient(want, model, 'head.fc.weight'))


@pytest.mark.parametrize('detach_features', [False, True])
def test_gradient_of_the_diffusion_loss_in_the_features_or_none(losses_of, detach_features):
    model = tiny_model(detach_features=detach_features)
    found, want = gradient(sum(losses_of(model).values()), model, PROJECTED), losses_by_hand(model)
    diffusion, alone = (gradient(want[f'loss_{name}'], model, PROJECTED) for name in ('diffusion', 'ce'))
    assert diffusion.abs().max() > 0.01
    torch.testing.assert_close(found, alone if detach_features else alone + diffusion)


def statistics_of(model, times):
    """The first encoder layer's running mean, and what it should be after the batch has entered ``times`` times."""
    layer, norm = model.encoders.audio.net[:2]
    batch_mean = layer(inputs_of(model)['audio'][0].flatten(0, 1)).mean(0)
    return norm.running_mean, batch_mean * (1 - 0.9**times)  # It starts from 0, with a momentum of 0.1.


@pytest.mark.parametrize(('frozen_mode', 'times'), [('train', 1), ('eval', 0)])
def test_frozen_parts_go_on_with_their_statistics_or_stand_still(losses_of, frozen_mode, times):
    model = tiny_model(frozen=('encoders',), frozen_mode=frozen_mode)
    losses_of(model)
    torch.testing.assert_close(*statistics_of(model, times))
    assert model.projector.net[1].running_mean.abs().max() > 0  # The others train in both modes.


@pytest.mark.parametrize(('frozen_mode', 'equal'), [('train', False), ('eval', True)])
def test_dropout_of_frozen_parts_is_live_or_not(frozen_mode, equal):
    encoder = dict(type='MLP', hidden_dim=6, out_dim=4, dropout=0.5)
    model = tiny_model(encoders=dict(audio=encoder, visual=encoder), frozen=('encoders',), frozen_mode=frozen_mode)
    x, mask, _ = inputs_of(model)['audio']
    one, other = (model.encoders.audio(x, mask) for _ in range(2))
    assert torch.equal(one, other) == equal and not one.requires_grad


@pytest.mark.parametrize(('hook', 'times'), [(True, 2), (False, 1)])
def test_a_second_forward_lets_the_batch_enter_the_statistics_twice(losses_of, hook, times):
    model = tiny_model()
    losses_of(model)
    if hook:
        second_forward(model, tiny_batch())
    torch.testing.assert_close(*statistics_of(model, times))


@pytest.mark.parametrize(
    ('optimizer', 'moved'),
    [
        ('Adam', 7e-5),  # The decay is the whole gradient here, and Adam's first step is as long as its learning rate.
        ('AdamW', 7e-5 * 1e-5),
    ],
)
def test_weight_decay_in_the_gradient_or_beside_it(repo_dir, optimizer, moved):
    cfg = load_config(repo_dir / 'configs/avdiff/avdiff_ucf_5shot.py').optim_wrapper.optimizer
    assert cfg.type == 'Adam'
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    weight.grad = torch.zeros_like(weight)
    OPTIMIZERS.build(dict(cfg, type=optimizer, params=[weight])).step()
    assert 1 - float(weight.detach()) == pytest.approx(moved, rel=0.01)


@pytest.mark.parametrize('seed', [42, 7])
def test_all_draws_have_the_seed_of_the_run(tiny_config, tmp_path, seed):
    cfg = tiny_config(tmp_path, f'randomness.seed={seed}')
    runs = [phase_config(cfg, Phase(2, 'full', draw), {}, tmp_path) for draw in (0, 1)]
    assert [run.randomness.seed for run in runs] == [run.train_dataloader.dataset.seed for run in runs] == [seed] * 2


@pytest.mark.parametrize(('grid', 'gamma'), [(GFSLMetric().gamma_grid, 0.3), ((0.0, 0.25, 0.5), 0.25)])
def test_gamma_is_searched_in_steps_of_a_tenth_or_on_another_grid(grid, gamma):
    np.testing.assert_allclose(GFSLMetric().gamma_grid, np.arange(11) / 10)
    # The novel video is recognised from 0.22 on, and the base video no longer from 0.4 on.
    scores, base = np.array([[0.61, 0.39], [0.70, 0.30]]), np.array([True, False])
    assert gfsl_metrics(scores, np.array([1, 0]), base, gamma='search', gamma_grid=grid)['gamma'] == gamma
