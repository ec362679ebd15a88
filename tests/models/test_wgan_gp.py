"""The adversarial generator: its penalty, what it trains and what not, and how it goes on after an interruption."""

import copy
import os
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avzoo.models.generators import WGANGP, wgan_gp

DIM, COND = 5, 3


def make(**changes) -> WGANGP:
    torch.manual_seed(0)
    return WGANGP(DIM, COND, **dict(dict(noise_dim=4, generator_hidden=7, critic_hidden=6, lr=1e-2), **changes))


def batch(size=8):
    source = torch.Generator().manual_seed(1)
    return torch.rand(size, DIM, generator=source), torch.randn(size, COND, generator=source)


def no_classifier(x):
    raise AssertionError('The generator asked for a classification loss of weight 0.')


def update(gan, classify=no_classifier, seed=3):
    x, condition = batch()
    return gan.update(x, condition, classify, generator=torch.Generator().manual_seed(seed))


def values(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_gradient_penalty_equals_a_hand_computation():
    gan = make().double()
    x, condition = (t.double() for t in batch())
    w1, b1 = gan.critic[0].weight, gan.critic[0].bias
    w2 = gan.critic[2].weight[0]
    total = 0.0
    for x_i, c_i in zip(x, condition, strict=True):
        hidden = w1 @ torch.cat([x_i, c_i]) + b1
        slope = 0.2 + 0.8 * (hidden > 0).double()  # derivative of LeakyReLU
        gradient = (w2 * slope) @ w1[:, :DIM]
        total += (gradient.pow(2).sum().sqrt() - 1) ** 2
    assert gan.gradient_penalty(x, condition).item() == pytest.approx((total / len(x)).item(), rel=1e-10)


def test_gradient_penalty_of_a_linear_critic_is_that_of_its_slope():
    gan = make()
    gan.critic = nn.Linear(DIM + COND, 1)
    slope = gan.critic.weight[0, :DIM].norm()
    assert gan.gradient_penalty(*batch()).item() == pytest.approx((slope.item() - 1) ** 2, rel=1e-5)


def test_one_critic_step_minimises_the_objective_of_the_wasserstein_gan():
    """Adam's first moment after one step is half the gradient, which is computed here by hand."""
    gan = make(n_critic=1, gp_weight=10.0, lr=1e-3, betas=(0.5, 0.999))
    reference = copy.deepcopy(gan)
    x, condition = batch()
    penalised, penalty_of = [], gan.gradient_penalty
    gan.gradient_penalty = lambda point, given: (penalised.append(point), penalty_of(point, given))[1]
    log = update(gan)
    source = torch.Generator().manual_seed(3)
    fake = reference.synthesizer(torch.cat([torch.randn(8, 4, generator=source), condition], 1)).detach()
    alpha = torch.rand(8, 1, generator=source)
    between = (alpha * x + (1 - alpha) * fake).requires_grad_()
    torch.testing.assert_close(penalised, [between])
    reference.critic.requires_grad_(True)
    score = lambda t: reference.critic(torch.cat([t, condition], 1))  # noqa: E731
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    distance, penalty = score(x).mean() - score(fake).mean(), ((gradient.norm(dim=1) - 1) ** 2).mean()
    slopes = torch.autograd.grad(10 * penalty - distance, list(reference.critic.parameters()))
    for slope, state in zip(slopes, gan.get_extra_state()['critic']['state'].values(), strict=True):
        torch.testing.assert_close(state['exp_avg'], slope / 2)
    moved = gan.critic[0].weight - reference.critic[0].weight.detach()
    assert torch.equal(moved.sign(), -slopes[0].sign())
    assert set(log) == {'critic_distance', 'gradient_penalty', 'generator_objective'}
    torch.testing.assert_close((log['critic_distance'], log['gradient_penalty']), (distance.detach(), penalty.detach()))


def test_an_update_trains_generator_and_critic_and_leaves_no_gradient():
    gan = make(condition_width=4)
    before = values(gan)
    log = update(gan)
    # The critic's last bias cancels in its objective.
    assert changed(before, values(gan)) == set(before) - {'critic.2.bias'}
    assert all(p.grad is None and not p.requires_grad for p in gan.parameters())
    assert all(not value.requires_grad and 'loss' not in key for key, value in log.items())


def test_the_critic_never_trains_the_encoder():
    gan, encoder = make(), nn.Linear(2, DIM)
    condition_source = nn.Linear(2, COND)
    inputs = torch.randn(8, 2)
    gan.update(encoder(inputs), condition_source(inputs), no_classifier)
    assert all(p.grad is None for p in [*encoder.parameters(), *condition_source.parameters()])


@pytest.mark.parametrize('width', [None, 4])
def test_a_generator_step_leaves_the_critic_and_a_critic_step_the_generator(width):
    gan = make(n_critic=0, condition_width=width)
    before = values(gan)
    update(gan)
    assert not any(name.startswith('critic') for name in changed(before, values(gan)))
    gan = make(n_critic=2, condition_width=width)
    gan._generator_step = lambda *_: torch.zeros(())
    before = values(gan)
    update(gan)
    assert all(name.startswith('critic') for name in changed(before, values(gan)))


def test_the_classifier_gets_no_gradient_but_steers_the_generator():
    classifier, labels = nn.Linear(DIM, 3), torch.arange(8) % 3
    classify = lambda x: F.cross_entropy(classifier(x), labels)  # noqa: E731
    gan, plain = make(cls_weight=5.0), make()
    before = values(classifier)
    update(gan, classify)
    update(plain)
    assert all(p.grad is None for p in classifier.parameters()) and not changed(before, values(classifier))
    assert changed(values(plain.synthesizer), values(gan.synthesizer))


def test_the_classification_loss_enters_the_objective_by_its_weight():
    _, condition = batch()
    fake = make().sample(condition, generator=torch.Generator().manual_seed(3))
    objective, plain = (update(make(n_critic=0, cls_weight=weight), lambda x: x.square().mean()) for weight in (5.0, 0))
    difference = objective['generator_objective'] - plain['generator_objective']
    torch.testing.assert_close(difference, 5 * fake.square().mean())


def test_the_generator_raises_the_score_of_the_critic():
    _, condition = batch()
    gan = make(n_critic=0)
    fake = gan.sample(condition, generator=torch.Generator().manual_seed(3))
    score = gan.critic(torch.cat([fake, condition], dim=1)).mean()
    torch.testing.assert_close(update(gan)['generator_objective'], -score)


def test_gradients_are_averaged_over_the_processes_before_a_step(monkeypatch):
    gan, reduced = make(n_critic=1), []

    def average(gradients, op):
        reduced.append((len(gradients), op))
        for gradient in gradients:
            gradient.zero_()  # As if another process had the opposite ones: Adam stands still.

    monkeypatch.setattr(wgan_gp, 'all_reduce_params', average)
    before = values(gan)
    update(gan)
    assert reduced == [(4, 'mean'), (4, 'mean')] and not changed(before, values(gan))


def test_the_condition_network_is_one_leaky_layer():
    gan = make(condition_width=4)
    _, condition = batch()
    layer = gan.condition_net[0]
    transferred = condition @ layer.weight.T + layer.bias
    noise = torch.randn(8, 4, generator=torch.Generator().manual_seed(3))
    leaky = torch.where(transferred > 0, transferred, 0.2 * transferred)
    want = gan.synthesizer(torch.cat([noise, leaky], dim=1))
    torch.testing.assert_close(gan.sample(condition, generator=torch.Generator().manual_seed(3)), want)


def test_an_update_works_where_gradients_are_switched_off_and_in_mixed_precision():
    gan = make()
    before = values(gan)
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        update(gan)
    assert changed(before, values(gan))
    assert all(p.dtype == torch.float32 for p in gan.parameters())


def test_it_goes_on_exactly_from_a_saved_state(tmp_path):
    undisturbed = make()
    for seed in range(4):
        update(undisturbed, seed=seed)
    first = make()
    for seed in range(2):
        update(first, seed=seed)
    torch.save(first.state_dict(), tmp_path / 'state.pth')
    update(first, seed=9)  # What happens after saving must not reach the loaded one.
    second = make()
    second.load_state_dict(torch.load(tmp_path / 'state.pth', weights_only=True))
    for seed in range(2, 4):
        update(second, seed=seed)
    assert not changed(values(undisturbed), values(second))


def test_two_models_loaded_from_one_another_share_no_optimizer_state():
    first, second = make(), make()
    update(first)
    second.load_state_dict(first.state_dict())
    kept = copy.deepcopy(second.get_extra_state())
    update(first, seed=4)
    now = second.get_extra_state()
    for player in kept:
        for index, entry in kept[player]['state'].items():
            assert all(torch.equal(value, now[player]['state'][index][key]) for key, value in entry.items())


def test_a_copy_of_the_module_trains_itself_and_not_the_original():
    gan = make()
    update(gan)
    twin, before = copy.deepcopy(gan), values(gan)
    update(twin, seed=4)
    assert not changed(before, values(gan)) and changed(before, values(twin))


def test_moments_follow_the_parameters():
    gan = make()
    update(gan)
    gan.double()
    assert all(
        entry['exp_avg'].dtype == torch.float64
        for state in gan.get_extra_state().values()
        for entry in state['state'].values()
    )


def _train_on_a_rank(rank, folder):
    torch.distributed.init_process_group('gloo', rank=rank, world_size=2, init_method=f'file://{folder}/meeting')
    gan = make(cls_weight=1.0)
    for step in range(2):
        source = torch.Generator().manual_seed(10 * step + rank)  # Each rank has data and noise of its own.
        gan.update(
            torch.rand(4, DIM, generator=source),
            torch.randn(4, COND, generator=source),
            lambda x: x.square().mean(),
            generator=source,
        )
    torch.save(values(gan), folder / f'rank{rank}.pth')
    torch.distributed.destroy_process_group()


def test_ranks_that_see_different_data_stay_equal(tool_server, tmp_path):
    # On the CPU: there may be one GPU.
    envs = [dict(RANK=rank, CUDA_VISIBLE_DEVICES='') for rank in ('0', '1')]
    both = tool_server.run_together(Path(__file__), tmp_path, envs=envs)
    assert [code for code, _, _ in both] == [0, 0], both
    first, second = (torch.load(tmp_path / f'rank{rank}.pth', weights_only=True) for rank in range(2))
    assert not changed(first, second) and changed(first, values(make()))


def test_samples_are_without_gradient_repeatable_and_non_negative_only_where_wanted():
    _, condition = batch()
    for output in ('relu', 'linear'):
        gan = make(output=output)
        first, again = (gan.sample(condition, generator=torch.Generator().manual_seed(0)) for _ in range(2))
        assert first.shape == (8, DIM) and not first.requires_grad and torch.equal(first, again)
        assert (first.min() < 0) == (output == 'linear')
    with pytest.raises(ValueError, match='relu, linear'):
        make(output='tanh')


def test_weights_are_drawn_as_asked():
    gan = WGANGP(400, 300, noise_dim=300, generator_hidden=200, init_std=0.02)
    assert gan.synthesizer[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not gan.synthesizer[0].bias.any()


def test_it_learns_a_simple_distribution():
    """One point for each of two conditions: after training, samples lie at theirs."""
    torch.manual_seed(0)
    gan = WGANGP(2, 2, noise_dim=4, generator_hidden=32, critic_hidden=32, lr=2e-3)
    condition = torch.eye(2).repeat(32, 1)
    points = torch.tensor([[1.0, 0.2], [0.3, 1.5]]).repeat(32, 1)
    for _ in range(300):
        gan.update(points, condition, no_classifier)
    error = (gan.sample(condition) - points).abs().mean().item()
    assert error < 0.15


def test_the_cosine_term_draws_features_to_their_condition():
    torch.manual_seed(0)
    gan = WGANGP(DIM, DIM, noise_dim=4, generator_hidden=7, critic_hidden=6, n_critic=0, cosine_weight=0.5)
    x, prototype = torch.rand(2, 8, DIM)
    fake = gan.sample(prototype, generator=torch.Generator().manual_seed(3))
    objective = gan.update(x, prototype, no_classifier, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(0)
    plain = WGANGP(DIM, DIM, noise_dim=4, generator_hidden=7, critic_hidden=6, n_critic=0)
    without = plain.update(x, prototype, no_classifier, generator=torch.Generator().manual_seed(3))
    cosine = (fake * prototype).sum(1) / (fake.norm(dim=1) * prototype.norm(dim=1))
    torch.testing.assert_close(
        objective['generator_objective'] - without['generator_objective'], 0.5 * (1 - cosine).mean()
    )


def test_a_condition_of_another_width_than_the_features_is_refused_by_the_cosine_term():
    with pytest.raises(ValueError, match=f'their widths are {DIM} and {COND}'):
        make(cosine_weight=0.5)


if __name__ == '__main__':
    _train_on_a_rank(int(os.environ['RANK']), Path(sys.argv[1]))
