"""The phases of the curriculum, and the ordinary run that each of them is."""

import copy

import pytest

from avzoo.engine.curriculum.plan import (
    Phase,
    chosen_gamma,
    epoch_steps,
    evaluation_config,
    outcome,
    phase_config,
    phase_epochs,
    plan_phases,
    start_file,
)
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.registry import import_parts
from avzoo.utils.errors import ConfigError

BASE_1, FULL_1, BASE_2, DRAW_0, DRAW_7 = (
    Phase(1, 'base'),
    Phase(1, 'full'),
    Phase(2, 'base'),
    Phase(2, 'full', 0),
    Phase(2, 'full', 7),
)
PLATEAU = dict(type='ReduceOnPlateauLR', rule='greater', factor=0.5, patience=1)
MILESTONES = dict(type='MultiStepLR', milestones=[1], gamma=0.3)


def history(*entries):
    """Return the history of a full sub-stage from triples of learning rate, HM and gamma."""
    return [dict(epoch=e, lr=lr, loss=1.0, HM=hm, gamma=gamma) for e, (lr, hm, gamma) in enumerate(entries, 1)]


# A sub-stage whose best epoch is neither the first nor the last.
ENTRIES = history((1.0, 10.0, 0.1), (0.5, 30.0, 0.3), (0.5, 20.0, 0.2), (0.5, 15.0, 0.4))


@pytest.mark.parametrize('phase', [BASE_1, FULL_1, BASE_2, DRAW_0, DRAW_7, Phase(2, 'full', 12)])
def test_a_phase_is_found_by_the_name_of_its_folder(phase):
    assert Phase.from_name(phase.name) == phase


@pytest.mark.parametrize(
    'name',
    ['', 'stage3_base', 'stage2_full', 'stage2_base_draw0', 'stage1_full_draw0', 'stage1_base_draw', 'stage1_base '],
)
def test_a_folder_of_another_name_is_not_a_phase(name):
    with pytest.raises(ValueError, match=f"'{name}'"):
        Phase.from_name(name)


def test_each_phase_trains_on_its_splits_and_starts_from_its_parent():
    found = {phase.name: (phase.train_splits, phase.parent) for phase in (BASE_1, FULL_1, BASE_2, DRAW_0, DRAW_7)}
    assert found == {
        'stage1_base': (('stage1_base',), None),
        'stage1_full': (('stage1_base', 'stage1_novel'), BASE_1),
        'stage2_base': (('stage2_base',), None),
        'stage2_full_draw0': (('stage2_base', 'stage2_novel_0'), BASE_2),
        'stage2_full_draw7': (('stage2_base', 'stage2_novel_7'), BASE_2),
    }


@pytest.mark.parametrize(
    ('stage', 'phases'), [(None, [BASE_1, FULL_1, BASE_2, DRAW_7]), (1, [BASE_1, FULL_1]), (2, [BASE_2, DRAW_7])]
)
def test_one_stage_or_both_are_planned(stage, phases):
    assert plan_phases([7], stage) == phases


def test_an_epoch_has_300_steps_unless_told_otherwise_and_twice_as_many_with_novel_classes(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    assert (epoch_steps(cfg, BASE_1), epoch_steps(cfg, FULL_1)) == (3, 6)
    del cfg.train_dataloader.batch_sampler.num_batches
    assert (epoch_steps(cfg, BASE_1), epoch_steps(cfg, FULL_1)) == (300, 600)


def test_an_epoch_that_follows_the_data_is_as_long_as_its_phase_has_base_videos(tiny_config, tmp_path):
    import_parts()
    cfg = tiny_config(tmp_path, 'train_dataloader.batch_sampler.num_batches=None', 'train_dataloader.batch_size=3')
    import_parts()  # A Runner would have set the scope in which mmengine looks names up.
    # 6 classes of 6 videos; then all of stage 1's, 6 * 8 + 3 * 7.
    assert [epoch_steps(cfg, p) for p in (BASE_1, FULL_1, BASE_2, DRAW_0)] == [12, 24, 23, 46]
    for phase in (BASE_1, FULL_1, BASE_2, DRAW_0):
        run = phase_config(cfg, phase, {}, tmp_path)
        loader = PhaseRunner.build_dataloader(run.train_dataloader, seed=0)
        assert len(loader) == epoch_steps(cfg, phase)


def test_weights_are_averaged_where_epochs_train_and_where_the_config_asks(tiny_config, tmp_path):
    for option, found in (('0', []), ('1.5', [dict(type='AverageHook', epochs=1.5)])):
        cfg = tiny_config(tmp_path, f'curriculum.average_epochs={option}')
        hooks = phase_config(cfg, FULL_1, {}, tmp_path).custom_hooks
        assert [dict(hook) for hook in hooks] == [*map(dict, cfg.custom_hooks), *found]
    cfg.curriculum.full = dict(cfg.curriculum.full, max_epochs=0, fit=('head',))
    assert phase_config(cfg, FULL_1, {}, tmp_path).custom_hooks[-1].type == 'FitPartsHook'


def test_stage_two_takes_the_epochs_of_its_own_substage_if_stage_one_chose_any(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path, 'curriculum.base.max_epochs=9', 'curriculum.full.max_epochs=8')
    outcomes = {'stage1_base': dict(best_epoch=4), 'stage1_full': dict(best_epoch=2)}
    assert [phase_epochs(cfg, p, outcomes) for p in (BASE_1, FULL_1, BASE_2, DRAW_0)] == [9, 8, 4, 2]
    assert [phase_epochs(cfg, p, {}) for p in (BASE_2, DRAW_0)] == [9, 8]
    assert [phase_epochs(cfg, p, {'stage1_full': dict(epochs=3)}) for p in (BASE_2, DRAW_0)] == [9, 8]


def test_a_phase_of_stage_one_is_an_ordinary_run_with_validation(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path, 'randomness.seed=5')
    before = copy.deepcopy(cfg.to_dict())
    run = phase_config(cfg, FULL_1, {}, tmp_path)
    assert run.work_dir == str(tmp_path / 'stage1_full') and run.experiment_name == f'{tmp_path.name}_stage1_full'
    assert dict(run.train_cfg) == dict(by_epoch=True, max_epochs=3, val_interval=1)
    assert dict(run.val_cfg) == {} and run.val_evaluator is not None
    assert run.test_dataloader is run.test_cfg is run.test_evaluator is None
    assert run.train_dataloader.batch_sampler.subsets == ('base', 'novel')
    assert run.train_dataloader.batch_sampler.num_batches == 3
    for loader, splits in (('train', ('stage1_base', 'stage1_novel')), ('val', ('val_base', 'val_novel'))):
        data = run[f'{loader}_dataloader'].dataset
        assert (data.splits, data.num_shots, data.seed) == (splits, 2, 5)
        assert data.data_root == cfg.data_root and data.modalities == ('audio', 'visual')
    assert run.model.data_info.num_classes == 9 and run.model.data_preprocessor == cfg.data_preprocessor
    assert 'curriculum' not in run and 'data_preprocessor' not in run and cfg.to_dict() == before
    assert run.load_from == str(tmp_path / 'stage1_base' / 'best.pth')


def test_a_phase_of_stage_two_starts_from_its_own_base_model_and_validates_nothing(tiny_config, tmp_path):
    run = phase_config(tiny_config(tmp_path), DRAW_0, {}, tmp_path)
    assert run.val_dataloader is run.val_cfg is run.val_evaluator is None
    assert run.load_from == str(tmp_path / 'stage2_base' / 'last.pth')
    assert run.model.data_info.num_classes == 11
    base = phase_config(tiny_config(tmp_path), BASE_2, {}, tmp_path)
    assert base.load_from is None and base.train_dataloader.batch_sampler.subsets == ('base',)


def test_without_validation_the_last_epoch_is_handed_on(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path, 'curriculum.validate=False')
    run = phase_config(cfg, FULL_1, {}, tmp_path)
    assert run.val_dataloader is run.val_cfg is run.val_evaluator is None
    assert run.load_from == str(tmp_path / 'stage1_base' / 'last.pth')
    assert [start_file(cfg, p) for p in (BASE_1, BASE_2)] == ['last.pth', 'last.pth']
    assert [start_file(tiny_config(tmp_path), p) for p in (BASE_1, BASE_2)] == ['best.pth', 'last.pth']


def test_frozen_parts_go_on_with_their_statistics_unless_told_otherwise(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path, "curriculum.full.freeze=('fusion',)", 'curriculum.full.frozen_mode=eval')
    run = phase_config(cfg, FULL_1, {}, tmp_path)
    assert (run.model.frozen, run.model.frozen_mode) == (('fusion',), 'eval')
    run = phase_config(cfg, BASE_1, {}, tmp_path)
    assert (run.model.frozen, run.model.frozen_mode) == ((), 'train')


@pytest.mark.parametrize(
    ('split', 'draw', 'splits', 'loader'),
    [
        ('val', None, ('val_base', 'val_novel'), 'val_dataloader'),
        ('test', 1, ('test_base', 'test_novel_1'), 'test_dataloader'),
    ],
)
def test_an_evaluation_only_tests(tiny_config, tmp_path, split, draw, splits, loader):
    cfg = tiny_config(tmp_path, 'val_dataloader.batch_size=4', 'test_dataloader.batch_size=5')
    before = copy.deepcopy(cfg.to_dict())
    run = evaluation_config(cfg, split, draw, tmp_path / 'there')
    assert run.work_dir == str(tmp_path / 'there') and run.experiment_name == f'there_{split}_{draw}'
    assert run.test_dataloader.dataset.splits == splits and dict(run.test_cfg) == {}
    assert run.test_dataloader.batch_size == cfg[loader].batch_size
    unused = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'val_dataloader', 'val_cfg')
    assert [run[key] for key in (*unused, 'auto_scale_lr', 'val_evaluator')] == [None] * 8
    assert run.model.data_info.num_classes == (9 if split == 'val' else 11)
    assert 'curriculum' not in run and cfg.to_dict() == before


def test_stage_two_and_a_run_without_validation_decide_nothing(tiny_config, tmp_path):
    entries = history((1.0, 10.0, 0.1), (0.1, 30.0, 0.3))
    assert outcome(tiny_config(tmp_path), DRAW_0, entries) == dict(epochs=2)
    assert outcome(tiny_config(tmp_path, 'curriculum.validate=False'), FULL_1, entries) == dict(epochs=2)


def test_validation_decides_epoch_metrics_and_calibration(tiny_config, tmp_path):
    assert outcome(tiny_config(tmp_path), FULL_1, ENTRIES) == dict(
        epochs=4, best_epoch=2, lr_drops=[1], metrics=dict(HM=30.0, gamma=0.3), gamma=0.3, last_gamma=0.4
    )


@pytest.mark.parametrize(('epoch', 'gamma'), [('best', 0.3), ('last', 0.4)])
def test_stage_two_takes_the_calibration_of_the_best_or_of_the_last_epoch(tiny_config, tmp_path, epoch, gamma):
    cfg = tiny_config(tmp_path, f'curriculum.gamma_epoch={epoch}')
    outcomes = {'stage1_full': outcome(cfg, FULL_1, ENTRIES)}
    assert phase_config(cfg, DRAW_0, outcomes, tmp_path).model.gamma == gamma


def test_every_cut_of_the_learning_rate_is_noted_after_the_epoch_before_it(tiny_config, tmp_path):
    entries = history((1.0, 1.0, 0.1), (1.0, 2.0, 0.2), (0.1, 3.0, 0.3), (0.5, 2.0, 0.4), (0.05, 1.0, 0.5))
    assert outcome(tiny_config(tmp_path), FULL_1, entries)['lr_drops'] == [2, 4]


def test_counted_cuts_wait_for_the_patience_of_the_scheduler(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path, 'curriculum.lr_drops=counter')
    entries = history(*[(1.0, 1.0, 0.0)] * 26)
    for patience, drops in ((1, [3, 5, 7]), (10, [12, 23])):
        cfg.param_scheduler = dict(PLATEAU, patience=patience)
        assert outcome(cfg, FULL_1, entries)['lr_drops'][:3] == drops
    del cfg.param_scheduler['patience']  # mmengine's default is 10.
    assert outcome(cfg, FULL_1, entries)['lr_drops'] == [12, 23]
    cfg.param_scheduler = [MILESTONES]
    assert outcome(cfg, FULL_1, entries)['lr_drops'] == []


def test_the_calibration_is_that_of_validation_or_else_that_of_the_model(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    outcomes = {'stage1_full': dict(gamma=0.0, last_gamma=0.5)}
    assert chosen_gamma(cfg, outcomes) == 0.0 and chosen_gamma(cfg, {}) == 0.0
    cfg.model.gamma = 0.7
    assert chosen_gamma(cfg, {'stage1_full': dict(gamma=None)}) == 0.7
    assert phase_config(cfg, DRAW_0, {}, tmp_path).model.gamma == 0.7
    assert phase_config(cfg, DRAW_0, outcomes, tmp_path).model.gamma == 0.0


def test_a_plateau_is_one_of_the_metric_that_chooses_the_epoch(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    for scheduler in (PLATEAU, [PLATEAU]):
        cfg.param_scheduler = scheduler
        assert [dict(s) for s in phase_config(cfg, BASE_1, {}, tmp_path).param_scheduler] == [
            dict(PLATEAU, monitor='B0')
        ]
    cfg.curriculum.validate = False
    assert phase_config(cfg, BASE_1, {}, tmp_path).param_scheduler is None


def test_schedules_without_a_plateau_are_the_same_in_both_stages(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    for schedulers in ([MILESTONES], [MILESTONES, dict(type='ConstantLR', factor=0.5)]):
        cfg.param_scheduler = schedulers
        for phase in (FULL_1, DRAW_0):
            run = phase_config(cfg, phase, {'stage1_full': dict(lr_drops=[2])}, tmp_path)
            assert [dict(s) for s in run.param_scheduler] == schedulers
    cfg.param_scheduler = None
    assert phase_config(cfg, FULL_1, {}, tmp_path).param_scheduler is None


def test_stage_two_replays_the_cuts_of_its_own_substage_with_the_factor_of_the_plateau(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    cfg.param_scheduler = PLATEAU
    outcomes = {'stage1_base': dict(lr_drops=[]), 'stage1_full': dict(lr_drops=[2, 4])}
    (replayed,) = phase_config(cfg, DRAW_0, outcomes, tmp_path).param_scheduler
    assert dict(replayed) == dict(type='MultiStepLR', milestones=[2, 4], gamma=0.5)
    assert phase_config(cfg, BASE_2, outcomes, tmp_path).param_scheduler is None
    assert phase_config(cfg, BASE_2, {}, tmp_path).param_scheduler is None
    del cfg.param_scheduler['factor']  # mmengine's default is 0.1.
    assert phase_config(cfg, DRAW_0, outcomes, tmp_path).param_scheduler[0].gamma == 0.1


def test_a_plateau_beside_another_schedule_is_refused(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    cfg.param_scheduler = [MILESTONES, PLATEAU]
    for phase in (FULL_1, DRAW_0):
        with pytest.raises(ConfigError, match='param_scheduler combines ReduceOnPlateauLR'):
            phase_config(cfg, phase, {}, tmp_path)
