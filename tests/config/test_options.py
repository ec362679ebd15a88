"""Changes of configs on the command line."""

import pytest

from avzoo.config.options import parse_value
from avzoo.utils.errors import ConfigError


def test_a_path_leads_into_tuples(read):
    assert read('optim_wrapper.optimizer.betas.0=0.8').optim_wrapper.optimizer.betas == (0.8, 0.999)
    hooks = read('custom_hooks.0.type=ExtraForwardHook').custom_hooks
    assert hooks[0].type == 'ExtraForwardHook' and len(hooks) == len(read().custom_hooks)


@pytest.mark.parametrize('index', ['2', '-1', 'first'])
def test_an_index_outside_of_the_list_is_refused(read, index):
    with pytest.raises(ConfigError, match=f"betas' is a list of 2; '{index}' "):
        read(f'optim_wrapper.optimizer.betas.{index}=0.8')


def test_sections_that_are_not_there_yet_are_filled(read):
    cfg = read(
        'data_preprocessor.gain.audio=2',
        'train_dataloader.dataset.window.steps=60',
        'optim_wrapper.clip_grad.max_norm=1.0',
        'env_cfg.dist_cfg.backend=gloo',
    )
    assert cfg.data_preprocessor.gain == {'audio': 2} and cfg.train_dataloader.dataset.window == {'steps': 60}
    assert cfg.optim_wrapper.clip_grad.max_norm == 1.0 and cfg.env_cfg.dist_cfg.backend == 'gloo'


@pytest.mark.parametrize(
    ('option', 'near'),
    [
        ('data_preprocessor.gain.adio=2', 'audio'),
        ('train_dataloader.dataset.window.step=60', 'steps'),
        ('optim_wrapper.clip_grad.maxnorm=1.0', 'max_norm'),
        ('env_cfg.dist_config.backend=gloo', 'dist_cfg'),
        ('model.encoders.adio.dropout=0', 'audio'),
        ('default_hooks.loger.interval=3', 'logger'),
        ('randomness.sed=3', 'seed'),
        ('visualizer.vis_backend=[]', 'vis_backends'),
    ],
)
def test_typos_in_free_sections_are_found(read, option, near):
    with pytest.raises(ConfigError, match=f"Did you mean '{near}'"):
        read(option)


@pytest.mark.parametrize(
    'option',
    [
        'curriculum=3',
        'model=3',
        'data_root=123',
        'model=None',
        'model.fusion=transformer',
        'optim_wrapper.optimizer.lr=fast',
        'curriculum.validate=yes',
        'custom_hooks={}',
        'curriculum.full.freeze=encoders',
        'curriculum.base=[1]',
        'randomness=[1]',
    ],
)
def test_values_of_the_wrong_kind_are_refused(read, option):
    key = option.partition('=')[0]
    with pytest.raises(
        ConfigError, match=rf"{key}=.*(wrong kind|must be (a section|a path))|has no '{key}'|'{key}' has no"
    ):
        read(option)


def test_a_dict_is_merged_into_its_section(read):
    cfg = read("curriculum={'num_draws': 2}", "model.generator={'_delete_': True, 'type': 'WGANGP', 'noise_dim': 8}")
    assert cfg.curriculum.num_draws == 2 and cfg.curriculum.base.max_epochs == 30
    assert cfg.model.generator == {'type': 'WGANGP', 'noise_dim': 8}


def test_loaders_that_share_their_base_are_changed_apart(read):
    cfg = read('val_dataloader.batch_size=7')
    assert (cfg.val_dataloader.batch_size, cfg.test_dataloader.batch_size) == (7, 64)


def test_a_call_is_refused_with_its_literal(read):
    with pytest.raises(ConfigError, match=r'''Write "\{'max_norm': 1\.0\}"'''):
        read('optim_wrapper.clip_grad=dict(max_norm=1.0)')
    assert read("optim_wrapper.clip_grad={'max_norm': 1.0}").optim_wrapper.clip_grad == {'max_norm': 1.0}


def test_a_broken_list_or_dict_is_no_text():
    for text in ('{type: WGANGP}', '[encoders, fusion', 'dict(max_norm=x)'):
        with pytest.raises(ConfigError, match='Write'):
            parse_value(text)
    assert parse_value('data/mine(1)') == 'data/mine(1)' and parse_value('False') is parse_value('false') is False
