"""Quirks of the released training and evaluation: on gives its numbers, off the sane ones."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.optim import ReduceOnPlateauLR

from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.config.load import load_config
from avzoo.engine.curriculum import runner as curriculum_runner
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.plan import Phase, chosen_gamma, evaluation_config, outcome, phase_config
from avzoo.engine.hooks import ExtraForwardHook, best_epoch
from avzoo.evaluation.functional import gfsl_metrics
from avzoo.registry import MODELS
from tests.golden.conftest import second_forward, without_dropout

FROZEN = ('encoders', 'embedding', 'fusion')


@pytest.fixture
def novel_step(build, batch, golden, fixed_noise):
    """A function that runs the golden novel batch backward with changed arguments."""

    def run(*options, frozen_mode='train'):
        model = without_dropout(build(*options, frozen=FROZEN, frozen_mode=frozen_mode))
        own, step = batch('novel_'), golden.train_step
        model.conditioner.vectors[own['label']] = torch.tensor(golden.inputs['novel_text'])
        fixed_noise([step['noise'], step['x_T'], *step['chain_noise']], step['t'])
        model.train()
        losses = model.loss(model.data_preprocessor(own)['inputs'], own['label'], novel=True)
        sum(losses.values()).backward()
        return model, {k: float(v.detach()) for k, v in losses.items()}

    return run


def test_gradients_through_the_sampling_chain(novel_step, golden):
    want = golden.train_step
    name = 'novel.train.frozen.grad.generator.fc.3.weight'
    model, losses = novel_step()
    last = model.generator.noise_predictor.net[4]
    np.testing.assert_allclose(last.weight.grad, want[name], rtol=1e-3, atol=1e-4 * np.abs(want[name]).max())
    cut, same_losses = novel_step('model.synthetic_grad=false')
    assert same_losses == losses  # The loss is the same; it only does not reach the generator.
    grad = cut.generator.noise_predictor.net[4].weight.grad
    assert not np.allclose(grad, want[name], rtol=1e-2, atol=1e-2 * np.abs(want[name]).max())
    assert torch.allclose(cut.head.fc.weight.grad, model.head.fc.weight.grad, atol=1e-6)
    # What is left is the diffusion loss alone.
    none, _ = novel_step('model.synthetic_weight=0.0')
    assert torch.allclose(grad, none.generator.noise_predictor.net[4].weight.grad, atol=1e-6)


def test_diffusion_loss_reaches_the_features(novel_step, golden):
    weight = 'projector.net.5.weight'
    want = golden.train_step['novel.train.frozen.grad.O_proj.fc.5.weight']
    model, _ = novel_step()
    np.testing.assert_allclose(model.get_parameter(weight).grad, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())
    detached, _ = novel_step('model.detach_features=true')
    assert not np.allclose(detached.get_parameter(weight).grad, want, rtol=1e-2, atol=1e-2 * np.abs(want).max())


def test_frozen_parts_stay_in_train_mode(novel_step, golden):
    want = {
        m: golden.train_step[f'novel.train.frozen.after_step.{p}.fc.1.running_mean']
        for m, p in (('audio', 'A_enc'), ('visual', 'V_enc'))
    }
    model, _ = novel_step(frozen_mode='train')
    fixed, _ = novel_step(frozen_mode='eval')
    for m, released in want.items():
        np.testing.assert_allclose(model.encoders[m].net[1].running_mean, released, atol=1e-6, rtol=1e-5)
        assert not np.allclose(fixed.encoders[m].net[1].running_mean, released, atol=1e-4)
    assert model.encoders.audio.net[3].training and not fixed.encoders.audio.net[3].training  # Dropout.
    assert fixed.projector.training


def test_second_forward_updates_the_statistics_twice(novel_step, batch, golden):
    # Frozen encoders do not move in the step, so the order of step and forward does not matter here.
    name = 'novel.train.frozen.{}.A_enc.fc.1.running_mean'
    model, _ = novel_step()
    np.testing.assert_allclose(
        model.encoders.audio.net[1].running_mean, golden.train_step[name.format('after_step')], atol=1e-6
    )
    second_forward(model, batch('novel_'))
    np.testing.assert_allclose(
        model.encoders.audio.net[1].running_mean,
        golden.train_step[name.format('after_step_and_get_embeddings')],
        atol=1e-6,
    )


def test_second_forward_waits_for_the_end_of_a_turn():
    order = []

    class Model:
        def data_preprocessor(self, batch, training):
            return {'inputs': batch}

        def extract_feat(self, inputs):
            order.append(f'again {inputs}')

    runner = SimpleNamespace(
        plain_model=Model(), train_dataloader=SimpleNamespace(batch_sampler=SimpleNamespace(subsets=('base', 'novel')))
    )
    hook = ExtraForwardHook()
    for i, name in enumerate(['base 0', 'novel 0', 'base 1']):
        order.append(name)
        hook.after_train_iter(runner, i, name)
    assert order == ['base 0', 'novel 0', 'again base 0', 'again novel 0', 'base 1']


QUIRKS = {
    'curriculum.gamma_epoch': 'last',
    'curriculum.zero_gamma': 'search_test',
    'curriculum.lr_drops': 'counter',
    'model.conditioner.order': 'released',
    'custom_hooks.2.type': 'ExtraForwardHook',
}
WINDOWS = {
    **{f'{phase}_dataloader.dataset.window.audio_length': 'released' for phase in ('train', 'val', 'test')},
    'train_dataloader.dataset.window.last_start': False,
}


def leaves(value, path=()):
    if isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, part in pairs for k, v in leaves(part, (*path, str(key))).items()}
    return {'.'.join(path): value}


def changes(plain, released):
    before, after = (leaves(load_config(path).to_dict()) for path in (plain, released))
    assert before.keys() <= after.keys()
    return {key: value for key, value in after.items() if key not in before or before[key] != value}


@pytest.mark.parametrize(('data', 'want'), [('ucf', QUIRKS), ('activitynet', QUIRKS | WINDOWS)])
def test_the_released_configs_switch_on_every_quirk_and_nothing_else(repo_dir, data, want):
    plain, released = (repo_dir / f'configs/avdiff/avdiff_{data}_5shot{recipe}.py' for recipe in ('', '_released'))
    assert changes(plain, released) == want


def test_the_same_lines_serve_another_data_set(repo_dir, tmp_path):
    lines = (repo_dir / 'configs/avdiff/avdiff_ucf_5shot_released.py').read_text().split('_base_ = ', 1)[1]
    plain = repo_dir / 'configs/avdiff/avdiff_vgg_20shot.py'
    own = tmp_path / 'own.py'
    own.write_text(f'_base_ = {lines.replace("./avdiff_ucf_5shot.py", str(plain))}')
    assert changes(plain, own) == QUIRKS


def test_second_forward_is_off_by_default(repo_dir):
    default, released = (
        [hook.type for hook in load_config(repo_dir / f'configs/avdiff/{name}.py').custom_hooks]
        for name in ('avdiff_ucf_5shot', 'avdiff_ucf_5shot_released')
    )
    assert released == [*default, 'ExtraForwardHook']


def test_adam_goes_on_where_there_is_no_plateau_scheduler(repo_dir):
    for data, carry in (('vgg', True), ('ucf', False), ('activitynet', False)):
        cfg = load_config(repo_dir / f'configs/avdiff/avdiff_{data}_5shot.py')
        assert cfg.curriculum.full.carry_optimizer is carry
        assert (cfg.param_scheduler is None) is carry


def test_weight_decay_is_added_to_the_gradient(repo_dir):
    optimizer = load_config(repo_dir / 'configs/avdiff/avdiff_ucf_5shot.py').optim_wrapper.optimizer
    assert optimizer.type == 'Adam' and optimizer.weight_decay == 1e-5


def test_a_score_of_zero_counts_as_none():
    assert best_epoch([dict(epoch=1, HM=0.0), dict(epoch=2, HM=0.0)], 'HM') == 2
    assert best_epoch([dict(epoch=1, HM=0.0), dict(epoch=2, HM=0.1), dict(epoch=3, HM=0.1)], 'HM') == 2


@pytest.mark.parametrize(('choice', 'drop'), [('scheduler', 5), ('counter', 6)])
def test_learning_rate_drops_of_stage_two(tiny_config, tmp_path, choice, drop):
    # The second score is better by less than a ten-thousandth: enough for the counter, not for the scheduler.
    scores = [10.0, 10.0005, *[9.0] * 5]
    cfg = tiny_config(tmp_path, 'curriculum.full.monitor=HM')
    cfg.param_scheduler = dict(type='ReduceOnPlateauLR', rule='greater', factor=0.1, patience=3)
    cfg.curriculum.lr_drops = choice
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = ReduceOnPlateauLR(optimizer, monitor='HM', rule='greater', factor=0.1, patience=3)
    history = []
    for epoch, score in enumerate(scores, 1):
        history.append(dict(epoch=epoch, lr=optimizer.param_groups[0]['lr'], loss=1.0, HM=score, gamma=0.0))
        scheduler.step(dict(HM=score))
    outcomes = {'stage1_full': outcome(cfg, Phase(1, 'full'), history)}
    run = phase_config(cfg, Phase(2, 'full', 0), outcomes, tmp_path)
    assert dict(run.param_scheduler[0]) == dict(type='MultiStepLR', milestones=[drop], gamma=0.1)


@pytest.mark.parametrize(
    ('scores', 'drops'),
    [([5.0, 4.0, 5.0, 3.0], []), ([5.0, 4.0, 5.0, 3.0, 2.0], [5]), ([1.0] * 10, [5, 9]), ([1.0, 2.0, 3.0], [])],
)
def test_the_counter_waits_for_any_better_score(tiny_config, tmp_path, scores, drops):
    cfg = tiny_config(tmp_path, 'curriculum.lr_drops=counter', 'curriculum.full.monitor=HM')
    cfg.param_scheduler = dict(type='ReduceOnPlateauLR', rule='greater', factor=0.1, patience=3)
    history = [dict(epoch=e, lr=1.0, loss=1.0, HM=score, gamma=0.0) for e, score in enumerate(scores, 1)]
    assert outcome(cfg, Phase(1, 'full'), history)['lr_drops'] == drops
    cfg.param_scheduler = None  # No plateau, nothing counted.
    assert outcome(cfg, Phase(1, 'full'), history)['lr_drops'] == []


def test_the_base_substage_is_chosen_by_base_classes_without_calibration(repo_dir):
    for data in ('vgg', 'ucf', 'activitynet'):
        curriculum = load_config(repo_dir / f'configs/avdiff/avdiff_{data}_5shot.py').curriculum
        assert (curriculum.base.monitor, curriculum.full.monitor) == ('B0', 'HM')


@pytest.mark.parametrize(('monitor', 'epoch'), [('B0', 1), ('HM', 2)])
def test_metric_that_chooses_the_base_epoch(tiny_config, tmp_path, monitor, epoch):
    cfg = tiny_config(tmp_path, f'curriculum.base.monitor={monitor}')
    history = [dict(epoch=e, lr=1.0, loss=1.0, B0=b0, HM=hm, gamma=0.0) for e, b0, hm in [(1, 9.0, 1.0), (2, 8.0, 2.0)]]
    assert outcome(cfg, Phase(1, 'base'), history)['best_epoch'] == epoch


@pytest.fixture
def released_and_sane(repo_dir):
    return [load_config(repo_dir / f'configs/avdiff/avdiff_ucf_5shot{recipe}.py') for recipe in ('_released', '')]


def test_gamma_of_the_last_or_of_the_best_epoch(released_and_sane):
    released, sane = released_and_sane
    outcomes = dict(stage1_full=dict(best_epoch=2, gamma=0.2, last_gamma=0.5))
    assert chosen_gamma(released, outcomes) == 0.5 and chosen_gamma(sane, outcomes) == 0.2


@pytest.mark.parametrize(('choice', 'gamma'), [('search_test', 0.0), ('keep', 0.0), ('search_test', 0.1)])
def test_a_validated_gamma_of_zero_is_searched_on_the_test_set(small_avdiff, tmp_path, choice, gamma):
    # A grid without 0 tells a search from the calibration of the checkpoint.
    cfg = small_avdiff(tmp_path, f'curriculum.zero_gamma={choice}', 'val_evaluator.gamma_grid=(0.3,0.5)')
    torch.manual_seed(0)
    model = MODELS.build(evaluation_config(cfg, 'test', 0, tmp_path).model)
    model.gamma.fill_(gamma)
    meta = dict(format=TRAINING_FORMAT, stage=2, substage='full', draw=0, num_shots=2)
    save_checkpoint(tmp_path / 'it.pth', dict(meta=meta, state_dict=model.state_dict()))
    used = evaluate_checkpoint(cfg, tmp_path / 'it.pth', split='test', draw=0, work_dir=tmp_path).metrics['gamma']
    assert used in (0.3, 0.5) if (choice, gamma) == ('search_test', 0.0) else used == gamma
    given = evaluate_checkpoint(cfg, tmp_path / 'it.pth', split='test', draw=0, work_dir=tmp_path, gamma=0.25)
    assert given.metrics['gamma'] == 0.25


def test_the_released_recipe_searches_where_zero_was_chosen(released_and_sane):
    assert [cfg.curriculum.zero_gamma for cfg in released_and_sane] == ['search_test', 'keep']


def test_what_the_search_gives_where_zero_was_meant(golden):
    m = golden.metrics
    base = np.isin(np.arange(32), m['seen_idx'])
    searched, kept = (gfsl_metrics(m['scores'], m['targets'], base, gamma=g) for g in ('search', 0.0))
    assert searched['HM'] == pytest.approx(100 * float(m['given_zero_hm']))
    assert searched['gamma'] == pytest.approx(float(m['given_zero_beta']))
    assert kept['HM'] == pytest.approx(100 * float(m['hm'][0])) and kept['HM'] < searched['HM']


@pytest.mark.parametrize(('carry', 'steps'), [(True, 3 + 6), (False, 6)])
def test_moments_of_adam_in_the_full_substage(small_avdiff, tmp_path, carry, steps):
    cfg = small_avdiff(
        tmp_path,
        'curriculum.base.max_epochs=1',
        'curriculum.full.max_epochs=1',
        f'curriculum.full.carry_optimizer={carry}',
        'curriculum.keep_optimizer=True',
    )
    curriculum_runner.CurriculumRunner(cfg, stage=1).train()
    states = load_checkpoint(tmp_path / 'stage1_full' / 'last.pth')['optimizer']['state'].values()
    assert {int(state['step']) for state in states} == ({3, steps} if carry else {steps})  # Frozen parts stay at 3.
