"""What must be the same when a run goes on, and what may change."""

import pytest

from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.utils.errors import ConfigError


@pytest.fixture
def begun(tmp_path, tiny_config):
    """The settings of a run that two processes began."""
    settings = deciding_settings(tiny_config(tmp_path))
    CurriculumState(tmp_path, settings, processes=2).write()
    return settings


@pytest.mark.parametrize('processes', [1, 3])
def test_a_run_is_not_resumed_by_another_number_of_processes(tmp_path, begun, processes):
    with pytest.raises(ConfigError, match='processes'):
        CurriculumState(tmp_path, begun, processes=processes).read()


def test_a_run_is_resumed_by_as_many_processes_as_began_it(tmp_path, begun):
    CurriculumState(tmp_path, begun, processes=2).read()


def test_who_only_looks_learns_the_number_of_processes(tmp_path, begun):
    state = CurriculumState(tmp_path, begun)
    state.read()
    assert state.processes == 2


@pytest.mark.parametrize(
    'option',
    [
        'train_dataloader.num_workers=1',
        'val_dataloader.num_workers=1',
        'test_dataloader.pin_memory=True',
        'train_dataloader.dataset.device=cpu',
        'val_dataloader.dataset.device=cpu',
        'log_level=ERROR',
        'default_hooks.runtime_info.interval=3',
    ],
)
def test_settings_that_decide_no_number_may_change(tmp_path, tiny_config, begun, option):
    assert tiny_config(tmp_path).to_dict() != tiny_config(tmp_path, option).to_dict()
    CurriculumState(tmp_path, deciding_settings(tiny_config(tmp_path, option)), processes=2).read()


@pytest.mark.parametrize(
    ('option', 'key'),
    [
        ('randomness.seed=7', r'randomness\.seed'),
        ('train_dataloader.batch_size=4', r'train_dataloader\.batch_size'),
        ('val_dataloader.dataset.embedding=glove', r'val_dataloader\.dataset\.embedding'),
        ('num_shots=5', 'num_shots'),
        ('model.head.loss_weight=2.0', r'model\.head\.loss_weight'),
        ('curriculum.num_draws=3', r'curriculum\.num_draws'),
        ('train_dataloader.batch_sampler.num_batches=4', r'batch_sampler\.num_batches'),
    ],
)
def test_settings_that_decide_numbers_must_not_change(tmp_path, tiny_config, begun, option, key):
    with pytest.raises(ConfigError, match=key):
        CurriculumState(tmp_path, deciding_settings(tiny_config(tmp_path, option)), processes=2).read()
