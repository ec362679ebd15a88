"""Configs: a typo is found before anything runs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from torch import nn

from avzoo.config.build import build_part
from avzoo.config.load import check_config, load_config
from avzoo.config.types import check_types
from avzoo.registry import FUSIONS
from avzoo.utils.errors import ConfigError


@pytest.fixture
def path(repo_dir):
    return repo_dir / 'configs' / 'avdiff' / 'avdiff_ucf_5shot.py'


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('model.fusion.dept=2', "'model.fusion.dept'.*Did you mean 'depth'"),
        ('modle.fusion.depth=2', "'modle'.*Did you mean 'model'"),
        ('curriculum.base.max_epoch=2', "Did you mean 'max_epochs'"),
        ('train_dataloader.batchsize=2', "Did you mean 'batch_size'"),
        ('optim_wrapper.optimizer.learning_rate=2', 'learning_rate'),
        ('model.generator.schedule.steps=2', 'num_steps'),
        ('num_shots', 'key=value'),
        ('num_shots.x=1', 'has no key'),
    ],
)
def test_unknown_option_is_refused_with_the_nearest_valid_one(path, option, words):
    with pytest.raises(ConfigError, match=words):
        load_config(path, [option])


def test_options_of_the_constructor_that_the_config_does_not_spell_out_are_allowed(path):
    cfg = load_config(
        path,
        [
            'model.generator.noise_at_last_step=False',
            'model.fusion.shared_norm=False',
            'data_root=data/mine',
            'model.generator.schedule.beta_end=3e-2',
        ],
    )
    assert cfg.model.generator.noise_at_last_step is False and cfg.model.fusion.shared_norm is False
    assert cfg.data_root == 'data/mine' and cfg.model.generator.schedule.beta_end == 0.03


def test_unknown_key_in_a_config_file_is_refused(path):
    cfg = load_config(path)
    cfg.model.fusion.colour = 'red'
    with pytest.raises(ConfigError, match=r'model\.fusion\.colour'):
        check_config(cfg)


def test_every_method_variant_and_data_set_of_the_zoo_passes(repo_dir):
    from mmengine.config import Config

    configs = repo_dir / 'configs'
    paths = {*configs.glob('[a-z]*/*_ucf_5shot*.py'), *configs.glob('avdiff/avdiff_*_5shot*.py')}
    assert len(paths) >= 20 and len({path.parent for path in paths}) == 12
    for path in paths:
        check_config(Config.fromfile(path))


@pytest.mark.parametrize(
    'key',
    [
        'data_root',
        'num_shots',
        'method',
        'model',
        'data_preprocessor',
        'curriculum',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'val_evaluator',
        'optim_wrapper',
        'randomness',
    ],
)
def test_missing_key_is_named(path, key):
    cfg = load_config(path)
    cfg.pop(key)
    with pytest.raises(ConfigError, match=f"has no '{key}'"):
        check_config(cfg)


@pytest.mark.parametrize(
    ('key', 'cure'), [('launcher', '--launcher'), ('resume', '--resume'), ('vis_backends', 'visualizer.vis_backends')]
)
def test_key_that_would_do_nothing_is_refused(path, key, cure):
    cfg = load_config(path)
    cfg[key] = 'none'
    with pytest.raises(ConfigError, match=f"'{key}' .*{cure}"):
        check_config(cfg)


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('curriculum.gamma_epoch=first', r"curriculum\.gamma_epoch='first'.*best, last"),
        ('curriculum.zero_gamma=kep', r"curriculum\.zero_gamma='kep'.*Did you mean 'keep'"),
        ('curriculum.lr_drops=count', r"curriculum\.lr_drops='count'.*Did you mean 'counter'"),
        ("curriculum.references=['nearest_mean']", r"references='nearest_mean'.*Did you mean 'nearest_class_mean'"),
        ('curriculum.base.max_epochs=0', r'curriculum\.base\.max_epochs=0 .*at least 1'),
        ('curriculum.full.max_epochs=2.5', r'curriculum\.full\.max_epochs=2\.5 .*whole number'),
        ('env_cfg=None', r'env_cfg=None .*a section'),
        ('default_hooks=None', r"no 'default_hooks': a section"),
        ('curriculum.num_draws=0', r'curriculum\.num_draws=0 .*at least 1'),
        ('curriculum.full.monitor=hm', r"curriculum\.full\.monitor='hm'.*B0, B, N, HM, FSL, AUSUC"),
        ('curriculum.full.frozen_mode=evaluate', r"frozen_mode='evaluate'.*Did you mean 'eval'"),
        ('curriculum.base.carry_optimizer=True', r"Unknown config key 'curriculum\.base\.carry_optimizer'"),
        ('curriculum.full.carry_optimizer=1', r'carry_optimizer=1 .*True or False'),
        ('curriculum.base.max_epochs=None', r"'curriculum\.base' has no 'max_epochs'"),
        ('train_dataloader.batch_sampler.num_batches=0', r'batch_sampler\.num_batches=0 .*at least 1'),
        ('curriculum.average_epochs=-1', r'curriculum\.average_epochs=-1 .*at least 0'),
        ('test_dataloader.batch_size=-1', r'test_dataloader\.batch_size=-1 .*at least 1'),
        ('num_shots=0', r'num_shots=0 .*at least 1'),
        ('num_shots=True', r'num_shots=True .*at least 1'),
        ('model.fusion.num_heads=0', r'model\.fusion\.num_heads=0 .*at least 1'),
        ('model.fusion.depth=1000000000', r'model\.fusion\.depth=1000000000 .*at most 1,000'),
        ('model.fusion.switch_after=-1', r'model\.fusion\.switch_after=-1 .*at least 0'),
        ('model.fusion.pattern=hybird', r"pattern='hybird'.*Did you mean 'hybrid'"),
        ('model.generator.schedule.num_steps=0', r'schedule\.num_steps=0 .*at least 1'),
        ('model.fusion.shared_norm=yes', r"shared_norm='yes'.*True or False"),
        ('model.gamma=abc', r"model\.gamma='abc'.*a number"),
        ('val_evaluator.gamma=foo', r"val_evaluator\.gamma='foo'.*a number or one of search, checkpoint"),
        ('val_evaluator.gamma_grid=5', r'gamma_grid=5.*a list in which each item is a number'),
        ('val_evaluator=[]', r'val_evaluator=\[\] .*a section'),
        ('data_root=123', r'data_root=123 .*a path'),
        ('num_shots=none', "has no 'num_shots'"),
        ('train_dataloader.num_workers=2.5', r'num_workers=2\.5 .*a whole number of at least 0'),
        ('val_dataloader.pin_memory=3', r'val_dataloader\.pin_memory=3 .*True or False'),
        ('randomness.deterministic=2', r'randomness\.deterministic=2 .*True or False'),
        ('optim_wrapper.clip_grad.max_norm=0', r'clip_grad\.max_norm=0 .*a number above 0'),
        ('optim_wrapper.clip_grad.type=nrm', r"clip_grad\.type='nrm'.*Did you mean 'norm'"),
        ('data_preprocessor.gain.audio=abc', r'data_preprocessor\.gain=.*each value is a number'),
        ('train_dataloader.dataset.window.steps=abc', r"dataset\.window\.steps='abc'.*a whole number"),
        ('train_dataloader.dataset.window.steps=0', r'dataset\.window\.steps=0 .*at least 1'),
        ('train_dataloader.dataset.window.position=foo', r"window\.position='foo'.*random, center"),
        ('train_dataloader.num_workers=-1', r'num_workers=-1 .*at least 0'),
        ('train_dataloader.persistent_workers=True', 'persistent_workers=True needs num_workers'),
        (
            "val_dataloader={'num_workers':1,'dataset':{'device':'cpu'}}",
            r'val_dataloader\.num_workers=1 is not possible with val_dataloader\.dataset\.device',
        ),
        (
            "test_dataloader={'pin_memory':True,'dataset':{'device':'cpu','resident':False}}",
            r'test_dataloader\.pin_memory=True is not possible .*Set pin_memory=False',
        ),
        ('test_dataloader.dataset.resident=False', r'resident=False needs test_dataloader\.dataset\.device'),
        ('train_dataloader.batch_sampler=none', "'train_dataloader' has no 'batch_sampler'"),
        ('train_dataloader.drop_last=True', r"Unknown config key 'train_dataloader\.drop_last'"),
        ('optim_wrapper.optimizer=none', "'optim_wrapper' has no 'optimizer'"),
        ('optim_wrapper.clip_grad.max_norm=abc', r"clip_grad\.max_norm='abc'.*above 0"),
        ('randomness.seed=none', r"'randomness' has no 'seed'.*cannot be repeated"),
        ('randomness.seed=-1', r'randomness\.seed=-1 .*from 0 to 4294967295'),
        ('randomness.seed=99999999999', r'randomness\.seed=99999999999 '),
        ('log_level=FOO', r"log_level='FOO'"),
        ('default_hooks.logger.interval=0', r'logger\.interval=0 .*at least 1'),
        ('default_hooks.runtime_info.interval=0', r'runtime_info\.interval=0 .*at least 1'),
        ('env_cfg.mp_cfg.foo=1', r"Unknown config key 'env_cfg\.mp_cfg\.foo'"),
        ('optim_wrapper.paramwise_cfg.foo=1', r"Unknown config key 'optim_wrapper\.paramwise_cfg\.foo'"),
    ],
)
def test_impossible_value_is_refused_with_the_cure(path, option, words):
    with pytest.raises(ConfigError, match=words):
        load_config(path, [option])


@pytest.mark.parametrize(
    'key',
    [
        'model.fusion.depth',
        'model.fusion.num_heads',
        'model.encoders.audio.hidden_dim',
        'model.generator.schedule.num_steps',
        'train_dataloader.batch_sampler.num_batches',
        'train_dataloader.dataset.window.steps',
        'default_hooks.runtime_info.interval',
        'num_shots',
        'train_dataloader.batch_size',
        'train_dataloader.num_workers',
        'curriculum.num_draws',
        'curriculum.base.max_epochs',
        'randomness.seed',
        'default_hooks.logger.interval',
        'model.fusion.dropout',
        'model.gamma',
        'val_evaluator.gamma',
        'optim_wrapper.clip_grad.max_norm',
        'optim_wrapper.clip_grad.clip_value',
    ],
)
def test_true_is_not_a_number(repo_dir, key):
    data = repo_dir / 'configs' / 'avdiff' / 'avdiff_activitynet_5shot.py'  # The one with windows.
    with pytest.raises(ConfigError, match=f'{re.escape(key)}=True'):
        load_config(data, [f'{key}=True'])


@pytest.mark.parametrize(
    ('key', 'number'),
    [
        ('model.fusion.shared_norm', 1),
        ('curriculum.validate', 0),
        ('model.synthetic_grad', 1),
        ('curriculum.full.carry_optimizer', 0),
    ],
)
def test_a_number_is_not_true_or_false(path, key, number):
    with pytest.raises(ConfigError, match=f'{re.escape(key)}={number}'):
        load_config(path, [f'{key}={number}'])


def test_gradients_may_be_clipped_by_value(path):
    cfg = load_config(path, ["optim_wrapper.clip_grad={'type': 'value', 'clip_value': 0.5}"])
    assert cfg.optim_wrapper.clip_grad.type == 'value'


def test_annotations_beyond_plain_values_are_left_to_the_part():
    class Part:
        def __init__(
            self,
            path: Path,
            act: Callable | None = None,
            late: 'int' = 1,
            free=None,
            size: Annotated[int, 'px'] = 1,
            extra: dict[str, Any] | None = None,
            pair: tuple[str, int] = ('a', 1),
            offset: int = 1,
        ) -> None: ...

    check_types(
        dict(path='a/b', act='relu', late='x', free=[1], size=3, extra=dict(a=object()), pair=('b', 2), offset=0),
        Part,
        'model.part',
    )
    with pytest.raises(ConfigError, match=r'model\.part\.act=3 .*Callable or None'):
        check_types(dict(act=3), Part, 'model.part')


@pytest.mark.parametrize(
    ('key', 'cure'),
    [
        ('model.frozen', 'curriculum.full.freeze'),
        ('model.frozen_mode', 'curriculum.full.frozen_mode'),
        ('model.data_info.num_classes', 'read from the feature store'),
        ('model.data_preprocessor', 'set data_preprocessor'),
        ('train_dataloader.dataset.splits', 'each phase'),
        ('val_dataloader.dataset.num_shots', 'set num_shots'),
        ('test_dataloader.dataset.data_root', 'set data_root'),
        ('train_dataloader.dataset.seed', 'randomness.seed'),
        ('train_dataloader.dataset.modalities', 'model.encoders'),
        ('param_scheduler.monitor', 'curriculum.base.monitor'),
        ('train_dataloader.batch_sampler.subsets', 'each phase'),
        ('val_evaluator.calibration', 'curriculum.calibration'),
    ],
)
def test_key_that_a_phase_would_overwrite_is_refused(path, key, cure):
    with pytest.raises(ConfigError, match=f'is not a config key: .*{cure}'):
        load_config(path, [f'{key}=5'])


@pytest.mark.parametrize(
    ('hook', 'words'),
    [
        ({'type': 'FitHok'}, r"custom_hooks\.2\.type='FitHok'.*Did you mean 'FitHook'"),
        ({'type': 'EMAHok'}, r"Did you mean 'EMAHook'"),
        ({'type': 'IntervalRuntimeInfoHook', 'intervall': 3}, r"custom_hooks\.2\.intervall'.*Did you mean 'interval'"),
        ({'interval': 3}, r"custom_hooks\.2 has no 'type'"),
    ],
)
def test_wrong_hook_is_found_before_the_run(path, hook, words):
    cfg = load_config(path)
    cfg.custom_hooks = [*cfg.custom_hooks, hook]
    with pytest.raises(ConfigError, match=words):
        check_config(cfg)


@pytest.mark.parametrize(
    'key', ['model', 'model.fusion', 'model.encoders.audio', 'optim_wrapper', 'train_dataloader.dataset']
)
def test_a_part_without_a_type_is_refused(path, key):
    with pytest.raises(ConfigError, match=rf"{re.escape(key)} has no 'type' .*it has: depth"):
        load_config(path, [f"{key}={{'_delete_': True, 'depth': 3}}"])


def test_hook_may_state_its_priority(path):
    load_config(path, ["custom_hooks=[{'type': 'FitHook', 'priority': 'LOW'}]"])


@pytest.mark.parametrize('hook', ['EMAHook', 'AverageHook'])
def test_weights_that_would_be_averaged_twice_are_refused(path, hook):
    hooks = f"custom_hooks=[{{'type': 'FitHook'}}, {{'type': '{hook}'}}]"
    load_config(path, [hooks, 'curriculum.average_epochs=0'])
    with pytest.raises(ConfigError, match=rf"custom_hooks\.1\.type='{hook}' .*curriculum\.average_epochs"):
        load_config(path, [hooks, 'curriculum.average_epochs=1'])


@pytest.mark.parametrize(
    ('kind', 'package'),
    [('Tensorboard', 'tensorboard'), ('Wandb', 'wandb'), ('MLflow', 'mlflow'), ('Aim', 'aim')],
)
def test_a_backend_without_its_package_is_refused_with_the_cure(path, monkeypatch, kind, package):
    monkeypatch.setattr('avzoo.config.values.find_spec', lambda name: None)
    with pytest.raises(ConfigError, match=f'pip install {package}'):
        load_config(path, [f"visualizer.vis_backends=[{{'type': '{kind}VisBackend'}}]"])


@pytest.mark.parametrize('option', ['default_scope=foo', 'model_wrapper_cfg=5', 'log_processor=5', 'log_level=LOUD'])
def test_a_setting_of_the_run_of_a_wrong_kind_is_refused(path, option):
    with pytest.raises(ConfigError, match=option.split('=')[0]):
        load_config(path, [option])


def test_scaling_of_the_learning_rate_starts_from_the_configured_batch(repo_dir):
    for data, size in (('ucf', 64), ('vgg', 64), ('activitynet', 32), ('custom', 64)):
        cfg = load_config(repo_dir / f'configs/avdiff/avdiff_{data}_5shot.py')
        assert cfg.auto_scale_lr.base_batch_size == size == cfg.train_dataloader.batch_size


def test_unknown_part_name_lists_the_nearest(path):
    with pytest.raises(ConfigError, match=r"model\.fusion\.type='MaskedTransformr'.*Did you mean 'MaskedTransformer'"):
        load_config(path, ['model.fusion.type=MaskedTransformr'])


def test_weights_in_place_of_a_config_are_called_so(tmp_path):
    (tmp_path / 'last.pth').write_bytes(b'PK')
    with pytest.raises(ConfigError, match='a file of weights where a config is expected; name the config first'):
        load_config(tmp_path / 'last.pth')


def test_missing_config_names_the_nearest_file(path):
    with pytest.raises(ConfigError, match="Did you mean 'avdiff_ucf_5shot'"):
        load_config(path.with_name('avdiff_ucf_5shots.py'))


def test_hyper_parameters_are_the_released_ones(repo_dir):
    def read(dataset, shots):
        cfg = load_config(repo_dir / 'configs' / 'avdiff' / f'avdiff_{dataset}_{shots}shot.py')
        model = cfg.model
        return (
            model.fusion.depth,
            model.fusion.switch_after,
            model.encoders.audio.dropout,
            model.embedding.dropout,
            model.fusion.dropout,
            model.projector.dropout,
            model.generator.noise_predictor.hidden_dim,
            model.generator.noise_predictor.dropout,
            model.generator.schedule.num_steps,
            cfg.train_dataloader.batch_size,
            cfg.optim_wrapper.optimizer.lr,
            bool(cfg.param_scheduler),
        )

    assert read('vgg', 1) == (8, 5, 0.3, 0.3, 0.3, 0.3, 128, 0, 200, 64, 6e-5, False)
    assert read('vgg', 20) == (8, 5, 0.1, 0.2, 0.2, 0.2, 128, 0, 100, 64, 6e-5, False)
    assert read('ucf', 5) == (4, 2, 0.2, 0.1, 0.1, 0.1, 128, 0, 200, 64, 7e-5, True)
    assert read('ucf', 20) == (4, 2, 0.1, 0.1, 0.2, 0.2, 256, 0.1, 200, 64, 7e-5, True)
    assert read('activitynet', 1) == (5, 3, 0.3, 0.1, 0.1, 0.1, 64, 0.4, 100, 32, 7e-5, True)
    assert read('activitynet', 10) == (5, 3, 0.3, 0.2, 0.1, 0.1, 128, 0, 200, 32, 7e-5, True)


def test_a_custom_import_that_fails_is_reported_with_its_cause(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'broken_part.py').write_text('import no_such_package\n')
    config = tmp_path / 'mine.py'
    config.write_text("custom_imports = dict(imports=['broken_part'], allow_failed_imports=False)\n")
    with pytest.raises(ConfigError) as refused:
        load_config(config)
    assert "No module named 'no_such_package'" in str(refused.value) and '\n' not in str(refused.value)


@pytest.mark.parametrize(
    ('files', 'place'),
    [
        ({'mine.py': 'x = 1\ny = unknown\n'}, 'mine.py, line 2'),
        ({'mine.py': "custom_imports = dict(imports=['own'])\n", 'own.py': '\n\n1 / 0\n'}, 'own.py, line 3'),
        ({'mine.py': "custom_imports = dict(imports=['own'])\n", 'own.py': 'import gone\n'}, 'own.py, line 1'),
    ],
)
def test_an_error_in_code_of_the_user_is_told_with_its_line(tmp_path, monkeypatch, files, place):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'own', raising=False)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=rf'\({re.escape(str(tmp_path))}/{re.escape(place)}\)'):
        load_config(tmp_path / 'mine.py')


def test_an_error_in_the_constructor_of_a_part_of_the_user_is_told_with_its_line():
    class Own(nn.Module):
        def __init__(self):
            raise RuntimeError('a bug')

    line = Own.__init__.__code__.co_firstlineno + 1
    with pytest.raises(ConfigError, match=rf'model\.fusion: a bug \({re.escape(__file__)}, line {line}\)'):
        build_part(FUSIONS, dict(type=Own), 'model.fusion')
