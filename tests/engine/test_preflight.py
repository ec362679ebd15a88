"""What would fail late, or spoil the numbers, is found before anything is trained."""

import shutil

import pytest
import torch

from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.utils.errors import AvzooError, ConfigError, DataError

FOLLOWING = ('train_dataloader.batch_sampler.num_batches=None', 'train_dataloader.batch_size=3')


@pytest.fixture
def own_store(tiny_store, tmp_path):
    """A copy of the tiny store whose lists may be changed, and the folder of these lists."""
    shutil.copytree(tiny_store, tmp_path / 'store')
    return tmp_path / 'store', tmp_path / 'store' / 'splits' / '2shot'


def plan_with(small_avdiff, tmp_path, store):
    return describe_plan(small_avdiff(tmp_path / 'run', f'data_root={store}'))


@pytest.mark.parametrize(
    ('held_out', 'trained'),
    [
        ('test_base', 'stage2_base'),
        ('test_novel_1', 'stage2_novel_1'),
        ('val_base', 'stage1_base'),
        ('val_novel', 'stage1_novel'),
    ],
)
def test_a_video_that_is_trained_on_and_evaluated_on_is_refused(small_avdiff, tmp_path, own_store, held_out, trained):
    store, lists = own_store
    leaked = (lists / f'{held_out}.txt').read_text().splitlines()[0]
    with (lists / f'{trained}.txt').open('a') as file:
        file.write(f'{leaked}\n')
    with pytest.raises(DataError, match=f"'{leaked}' is both in .*{trained}.* and in .*{held_out}.*1 such"):
        plan_with(small_avdiff, tmp_path, store)


@pytest.mark.parametrize('name', ['val_base', 'val_novel', 'test_base', 'test_novel_0'])
def test_an_empty_list_is_refused(small_avdiff, tmp_path, own_store, name):
    store, lists = own_store
    (lists / f'{name}.txt').write_text('')
    with pytest.raises(DataError, match=f'split {name} names no video'):
        plan_with(small_avdiff, tmp_path, store)


def test_a_later_draw_that_lacks_a_class_is_refused(small_avdiff, tmp_path, own_store):
    store, lists = own_store
    kept = [line for line in (lists / 'stage2_novel_1.txt').read_text().splitlines() if not line.startswith('class10')]
    (lists / 'stage2_novel_1.txt').write_text('\n'.join(kept))
    with pytest.raises(DataError, match="'class10' has videos in stage2_novel_0 but none in stage2_novel_1"):
        plan_with(small_avdiff, tmp_path, store)


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ("curriculum.full.freeze=['encoder']", "names 'encoder'.*Did you mean 'encoders'"),
        ('optim_wrapper.optimizer.lr=-1', r'optim_wrapper cannot be built: .*learning rate'),
        ('param_scheduler.factor=2', r'param_scheduler\.0 cannot be built'),
        ('val_evaluator.gamma_grid=[]', 'val_evaluator cannot be built: .*gamma_grid'),
        pytest.param(
            'optim_wrapper.type=AmpOptimWrapper',
            'optim_wrapper cannot be built',
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU has half precision'),
        ),
        ('optim_wrapper.accumulative_counts=2', 'accumulative_counts=2 does not divide the 3 steps'),
        ('model.projector.dropout=7', 'dropout'),
        ('train_dataloader.prefetch_factor=2', 'train_dataloader cannot be built: .*prefetch_factor'),
        ('val_dataloader.prefetch_factor=2', 'val_dataloader cannot be built: .*prefetch_factor'),
    ],
)
def test_a_value_that_no_constructor_takes_is_refused(small_avdiff, tmp_path, option, words):
    with pytest.raises(ConfigError, match=words):
        describe_plan(small_avdiff(tmp_path, option))


def test_a_head_that_neither_fit_nor_training_reaches_is_refused(small_fitted, tmp_path):
    with pytest.raises(ConfigError, match=r"curriculum\.full\.fit=\('generator',\) leaves out 'head'"):
        describe_plan(small_fitted(tmp_path, "curriculum.full.fit=('generator',)"))


def test_the_plan_tells_videos_classes_epochs_and_steps_of_each_phase(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path / 'run', 'curriculum.full.max_epochs=4')
    head, *lines = describe_plan(cfg, [1]).splitlines()
    assert head == f'{cfg.method}, 2-shot, data {cfg.data_root}, written to {tmp_path / "run"}'
    # 6 base classes of 6 videos and 3 novel ones of 2; then all of stage 1's, 6 * 8 + 3 * 7, and 2 novel ones of 2.
    assert [line.split(maxsplit=1) for line in lines] == [
        ['stage1_base', '36 videos, 9 classes, 3 epochs of 3 steps'],
        ['stage1_full', '42 videos, 9 classes, 4 epochs of 6 steps'],
        ['stage2_base', '69 videos, 11 classes, up to 3 epochs of 3 steps'],
        ['stage2_full_draw1', '73 videos, 11 classes, up to 4 epochs of 6 steps'],
    ]
    assert describe_plan(cfg).count('stage2_full_draw') == 2 and 'stage2' not in describe_plan(cfg, stage=1)
    cfg.curriculum.validate = False
    assert 'up to' not in describe_plan(cfg)


def test_the_plan_tells_how_long_an_epoch_is_that_follows_the_data(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, *FOLLOWING)
    steps = [line.split()[-2] for line in describe_plan(cfg, [0]).splitlines()[1:5]]
    assert steps == ['12', '24', '23', '46']
    with pytest.raises(ConfigError, match='accumulative_counts=12 does not divide the 23 steps'):
        describe_plan(small_avdiff(tmp_path, *FOLLOWING, 'optim_wrapper.accumulative_counts=12'))


def test_the_plan_tells_that_choices_repeat_stage_one(small_avdiff, tmp_path):
    norms = "curriculum.choices=[[{'data_preprocessor.norm.audio':'l2_feature'},{'data_preprocessor.norm.audio':None}]]"
    assert '2 runs of stage 1' in describe_plan(small_avdiff(tmp_path, norms))
    assert 'runs of stage 1' not in describe_plan(small_avdiff(tmp_path, 'curriculum.choices=[]'))
    assert 'runs of stage 1' not in describe_plan(small_avdiff(tmp_path, norms), stage=2)


def test_a_shared_video_is_reported_with_all_lists_of_both_sides(small_avdiff, tmp_path, own_store):
    store, lists = own_store
    with (lists / 'stage2_novel_1.txt').open('a') as file:
        file.write((lists / 'test_novel_1.txt').read_text().splitlines()[0] + '\n')
    lists_and_cure = (
        r'stage2_base, stage2_novel_1 and in test_base, test_novel_1 .* tools/dataset_converters/splits\.py\.'
    )
    with pytest.raises(DataError, match=lists_and_cure):
        plan_with(small_avdiff, tmp_path, store)


def test_every_schedule_of_the_zoo_can_be_built(small_avdiff, tmp_path):
    cosine = "param_scheduler=[{'type': 'CosineAnnealingLR', 'T_max': 6, 'convert_to_iter_based': True}]"
    for option in ('optim_wrapper.type=AutocastOptimWrapper', cosine, 'optim_wrapper.accumulative_counts=3'):
        assert 'stage2_full_draw1' in describe_plan(small_avdiff(tmp_path, option))


def test_a_work_dir_in_use_is_held_by_one_process(tmp_path):
    from avzoo.utils import lock

    with lock.held_alone(tmp_path, ''), pytest.raises(AvzooError, match='busy'), lock.held_alone(tmp_path, 'busy'):
        pytest.fail('two hold it at once')
    with lock.held_alone(tmp_path, 'busy'):
        pass
