"""Configs: a typo is found before anything runs."""

import pytest

from avzoo.utils.config import check_config, load_config
from avzoo.utils.errors import ConfigError


@pytest.fixture
def path(repo_dir):
    return repo_dir / 'configs' / 'avdiff' / 'avdiff_ucf_5shot.py'


@pytest.mark.parametrize(('option', 'words'), [
    ('model.fusion.dept=2', "'model.fusion.dept'.*Did you mean 'depth'"),
    ('modle.fusion.depth=2', "'modle'.*Did you mean 'model'"),
    ('curriculum.base.max_epoch=2', "Did you mean 'max_epochs'"),
    ('train_dataloader.batchsize=2', "Did you mean 'batch_size'"),
    ('optim_wrapper.optimizer.learning_rate=2', 'learning_rate'),
    ('model.generator.schedule.steps=2', 'num_steps'),
    ('num_shots', 'key=value'),
    ('num_shots.x=1', 'has no key'),
])
def test_unknown_option_is_refused_with_the_nearest_valid_one(path, option, words):
    with pytest.raises(ConfigError, match=words):
        load_config(path, [option])


def test_options_of_the_constructor_that_the_config_does_not_spell_out_are_allowed(path):
    cfg = load_config(path, ['model.generator.noise_at_last_step=False', 'model.fusion.shared_norm=False',
                             'data_root=data/mine', 'model.generator.schedule.beta_end=3e-2'])
    assert cfg.model.generator.noise_at_last_step is False and cfg.model.fusion.shared_norm is False
    assert cfg.data_root == 'data/mine' and cfg.model.generator.schedule.beta_end == 0.03


def test_unknown_key_in_a_config_file_is_refused(path):
    cfg = load_config(path)
    cfg.model.fusion.colour = 'red'
    with pytest.raises(ConfigError, match=r'model\.fusion\.colour'):
        check_config(cfg)


def test_unknown_part_name_lists_the_nearest(path):
    with pytest.raises(ConfigError, match=r"model\.fusion\.type='MaskedTransformr'.*Did you mean 'MaskedTransformer'"):
        load_config(path, ['model.fusion.type=MaskedTransformr'])


def test_missing_config_names_the_nearest_file(path):
    with pytest.raises(ConfigError, match="Did you mean 'avdiff_ucf_5shot'"):
        load_config(path.with_name('avdiff_ucf_5shots.py'))


def test_hyper_parameters_are_the_released_ones(repo_dir):
    def read(dataset, shots):
        cfg = load_config(repo_dir / 'configs' / 'avdiff' / f'avdiff_{dataset}_{shots}shot.py')
        model = cfg.model
        return (model.fusion.depth, model.fusion.switch_after, model.encoders.audio.dropout, model.embedding.dropout,
                model.fusion.dropout, model.projector.dropout, model.generator.noise_predictor.hidden_dim,
                model.generator.noise_predictor.dropout, model.generator.schedule.num_steps,
                cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr, bool(cfg.param_scheduler))

    assert read('vgg', 1) == (8, 5, .3, .3, .3, .3, 128, 0, 200, 64, 6e-5, False)
    assert read('vgg', 20) == (8, 5, .1, .2, .2, .2, 128, 0, 100, 64, 6e-5, False)
    assert read('ucf', 5) == (4, 2, .2, .1, .1, .1, 128, 0, 200, 64, 7e-5, True)
    assert read('ucf', 20) == (4, 2, .1, .1, .2, .2, 256, .1, 200, 64, 7e-5, True)
    assert read('activitynet', 1) == (5, 3, .3, .1, .1, .1, 64, .4, 100, 32, 7e-5, True)
    assert read('activitynet', 10) == (5, 3, .3, .2, .1, .1, 128, 0, 200, 32, 7e-5, True)
