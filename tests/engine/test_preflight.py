"""What would fail late, or spoil the numbers, is found before anything is trained."""

import shutil

import pytest

from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.utils.errors import AvzooError, ConfigError, DataError


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
        ('optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper cannot be built'),
        ('optim_wrapper.accumulative_counts=2', 'accumulative_counts=2 does not divide the 3 steps'),
        ('model.projector.dropout=7', 'dropout'),
    ],
)
def test_a_value_that_no_constructor_takes_is_refused(small_avdiff, tmp_path, option, words):
    with pytest.raises(ConfigError, match=words):
        describe_plan(small_avdiff(tmp_path, option))


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
