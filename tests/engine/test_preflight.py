"""What would fail late, or spoil the numbers, is found before anything is trained."""

import shutil

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.visualization import Visualizer

from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.engine.curriculum.runner import CurriculumRunner
from avzoo.models.generators import DDPM
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
    with pytest.raises(DataError, match=f'split {name} has no video'):
        plan_with(small_avdiff, tmp_path, store)


def test_class_vectors_that_are_no_numbers_are_refused_by_a_method_that_takes_them(small_avdiff, tmp_path, own_store):
    root, _ = own_store
    np.save(root / 'text' / 'text.npy', np.full((11, 5), np.nan, np.float32))
    with pytest.raises(DataError, match=r'text\.npy: NaN or infinity'):
        plan_with(small_avdiff, tmp_path, root)


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
        ('test_dataloader.prefetch_factor=2', 'test_dataloader cannot be built: .*prefetch_factor'),
        ('custom_hooks=[5]', r'custom_hooks=\[5\] is not possible'),
        ("custom_hooks=[{'type':'FitHook','priority':'FOO'}]", r'custom_hooks\.0 cannot be built: .*FOO'),
        ("custom_hooks=[{'type':'FitHook','priority':500}]", r'custom_hooks\.0 cannot be built: priority'),
        ("custom_hooks=[{'type':'FitPartsHook','parts':('foo',)}]", r"custom_hooks\.0\.parts names 'foo'"),
        ("custom_hooks=[{'type':'EarlyStoppingHook','monitor':'foo'}]", r'custom_hooks\.0 cannot be built: .*foo'),
        ("custom_hooks=[{'type':'EMAHook','ema_type':'Foo'}]", "'Foo' is not a registered model"),
        ("custom_hooks=[{'type':'EMAHook','momentum':5}]", r'custom_hooks\.0 cannot be built: momentum'),
        ('default_hooks.timer=5', r'default_hooks\.timer cannot be built: .*5'),
        ('default_hooks.timer.type=FitPartsHook', r'default_hooks\.timer cannot be built: .*parts'),
        ('visualizer.vis_backends=[5]', 'visualizer cannot be built: vis_backends'),
        ('visualizer.name=5', 'visualizer cannot be built: name'),
        ('log_processor.window_size=a', "log_processor cannot be built: window_size='a'"),
        ('log_processor.num_digits=0', 'log_processor cannot be built: num_digits=0'),
        ("log_processor={'foo':1}", 'log_processor cannot be built: .*foo'),
        ("model_wrapper_cfg={'type':'Foo'}", "model_wrapper_cfg cannot be built: .*'Foo'"),
        (
            "model.init_cfg={'type':'Pretrained','checkpoint':'nowhere.pth'}",
            r'model\.init_cfg cannot be built: nowhere\.pth',
        ),
        ('env_cfg.mp_cfg.mp_start_method=foo', r"env_cfg\.mp_cfg\.mp_start_method='foo'"),
        ('env_cfg.mp_cfg.opencv_num_threads=-1', r'env_cfg\.mp_cfg\.opencv_num_threads=-1'),
        ('train_dataloader.dataset.device=cuda:77', "'cuda:77' cannot be used"),
        ('val_dataloader.dataset.device=cuda:77', "'cuda:77' cannot be used"),
        ('test_dataloader.dataset.device=cuda:77', "'cuda:77' cannot be used"),
        ('cpu_kernels=mkl', r"cpu_kernels='mkl'"),
        ('float32_matmul_precision=low', r"float32_matmul_precision='low'"),
        ('env_cfg.resource_limit=a', r"env_cfg\.resource_limit='a'"),
        ("auto_scale_lr={'base_batch_size':0,'enable':True}", r'auto_scale_lr\.base_batch_size=0'),
        (
            "curriculum.choices=[[{},{'optim_wrapper.optimizer.lr':-1}]]",
            r'choices\.0\.1: optim_wrapper cannot be built',
        ),
    ],
)
def test_a_value_that_no_constructor_takes_is_refused(small_avdiff, tmp_path, option, words):
    with pytest.raises(ConfigError, match=words):
        describe_plan(small_avdiff(tmp_path, 'curriculum.average_epochs=0', option))


def test_a_refused_run_leaves_no_work_dir(small_avdiff, tmp_path):
    place = tmp_path / 'run'
    with pytest.raises(ConfigError, match='test_dataloader'):
        CurriculumRunner(small_avdiff(place, 'test_dataloader.prefetch_factor=2')).train()
    with pytest.raises(AvzooError, match='stage1_base'):
        CurriculumRunner(small_avdiff(place), stage=2).train()
    assert not place.exists()


def test_a_generator_of_another_width_is_refused_before_training(small_avdiff, tmp_path, monkeypatch):
    monkeypatch.setattr(DDPM, 'sample', lambda self, condition, **_: torch.zeros(len(condition), 3))
    with pytest.raises(ConfigError, match=r'model\.generator: the sample of DDPM has shape \(2, 3\)'):
        CurriculumRunner(small_avdiff(tmp_path / 'run')).train()
    assert not list(tmp_path.rglob('*.pth'))


def test_the_preflight_leaves_nothing_behind(small_avdiff, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    instances = dict(Visualizer._instance_dict), dict(MessageHub._instance_dict)
    init = "model.init_cfg={'type':'Normal','layer':'Linear'}"
    describe_plan(small_avdiff(tmp_path, "visualizer.vis_backends=[{'type':'LocalVisBackend'}]", init))
    assert (dict(Visualizer._instance_dict), dict(MessageHub._instance_dict)) == instances
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ''


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
