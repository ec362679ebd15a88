"""What must be the same when a run goes on, and what may change."""

import json

import pytest

from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.state import CurriculumState, deciding_settings, finished_phases
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError


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


def test_another_number_of_processes_is_refused_with_what_to_do(tmp_path, begun):
    with pytest.raises(
        ConfigError, match=r'processes was 2 and is now 4\. Start the same number of processes as before.*--work-dir'
    ):
        CurriculumState(tmp_path, begun, processes=4).read()


@pytest.mark.parametrize('substage', ['base', 'full'])
def test_more_epochs_are_refused_with_what_to_do(tmp_path, tiny_config, begun, substage):
    settings = deciding_settings(tiny_config(tmp_path, f'curriculum.{substage}.max_epochs=9'))
    with pytest.raises(ConfigError, match=rf'{substage}\.max_epochs was 3 and is now 9\. A run cannot be prolonged'):
        CurriculumState(tmp_path, settings, processes=2).read()


def test_a_run_goes_on_where_its_data_lie_elsewhere(tmp_path, tiny_config, begun):
    moved = deciding_settings(tiny_config(tmp_path, 'data_root=/elsewhere'))
    assert moved['data_root'] == '/elsewhere'
    state = CurriculumState(tmp_path, moved, processes=2)
    state.read()
    state.write()
    assert json.loads((tmp_path / 'curriculum.json').read_text())['settings']['data_root'] == '/elsewhere'


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
        "test_dataloader.dataset={'device':'cpu','resident':False}",
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


def test_what_was_decided_comes_back_from_the_file(tmp_path, begun):
    state = CurriculumState(tmp_path, begun, processes=2)
    state.phases, state.tests = {'stage1_base': dict(epochs=3), 'stage1_full': {}}, {'0': dict(HM=1.5)}
    state.store_sha256, state.choices = 'abc', [dict(chosen={'num_shots': 5}, scores=[])]
    state.write()
    other = CurriculumState(tmp_path, begun, processes=2)
    assert other.exists and (other.phases, other.tests, other.store_sha256) == ({}, {}, '')
    other.read()
    assert (other.phases, other.tests, other.store_sha256) == (state.phases, state.tests, 'abc')
    assert other.choices == state.choices
    content = json.loads((tmp_path / 'curriculum.json').read_text())
    assert set(content) == {'phases', 'tests', 'store_sha256', 'processes', 'choices', 'settings'}
    assert content['processes'] == 2
    assert finished_phases(tmp_path) == [Phase(1, 'base'), Phase(1, 'full')]


def test_a_folder_without_the_file_holds_no_run(tmp_path):
    assert not CurriculumState(tmp_path, {}).exists
    with pytest.raises(CheckpointError, match=r'curriculum\.json is missing'):
        finished_phases(tmp_path)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('settings', []),
        ('phases', []),
        ('tests', {'0': None}),
        ('tests', 'none'),
        ('store_sha256', None),
        ('processes', '2'),
        *((key, None) for key in ('settings', 'phases', 'tests', 'processes')),
    ],
)
def test_a_file_with_a_wrong_value_is_damaged(tmp_path, begun, key, value):
    path = tmp_path / 'curriculum.json'
    content = json.loads(path.read_text())
    for changed in (dict(content, **{key: value}), {k: v for k, v in content.items() if k != key}):
        path.write_text(json.dumps(changed))
        with pytest.raises(AvzooError, match=rf'curriculum\.json is damaged \(.*{key}'):
            CurriculumState(tmp_path, begun, processes=2).read()


@pytest.mark.parametrize(
    ('phase', 'decided', 'path'),
    [
        ('stage3_base', {}, 'stage3_base'),
        ('stage1_base', None, r'phases\.stage1_base'),
        ('stage1_full', {'best_epoch': 'one'}, r'phases\.stage1_full\.best_epoch'),
        ('stage1_full', {'best_epoch': None}, r'phases\.stage1_full\.best_epoch'),
        ('stage1_full', {'best_epoch': -1}, r'phases\.stage1_full\.best_epoch'),
        ('stage1_full', {'best_epoch': 10**18}, r'phases\.stage1_full\.best_epoch'),
        ('stage1_full', {'gamma': float('nan')}, r'phases\.stage1_full\.gamma'),
    ],
)
def test_a_phase_that_decided_something_impossible_is_named(tmp_path, begun, phase, decided, path):
    file = tmp_path / 'curriculum.json'
    file.write_text(json.dumps(dict(json.loads(file.read_text()), phases={phase: decided})))
    with pytest.raises(AvzooError, match=rf'curriculum\.json is damaged \(.*{path}'):
        CurriculumState(tmp_path, begun, processes=2).read()


@pytest.mark.parametrize('content', ['[]', '3', 'null', '[' * 100_000])
def test_json_of_another_kind_is_damaged(tmp_path, begun, content):
    (tmp_path / 'curriculum.json').write_text(content)
    with pytest.raises(AvzooError, match=r'curriculum\.json is damaged .* train again in another --work-dir'):
        CurriculumState(tmp_path, begun, processes=2).read()
    with pytest.raises(AvzooError, match=r'curriculum\.json is damaged .* name a checkpoint file'):
        finished_phases(tmp_path)


def test_a_refused_resume_names_the_folder_and_both_values(tmp_path, tiny_config, begun):
    with pytest.raises(ConfigError, match=rf'{tmp_path} .*num_shots.*--work-dir'):
        CurriculumState(tmp_path, deciding_settings(tiny_config(tmp_path, 'num_shots=5')), processes=2).read()


@pytest.mark.parametrize('key', ['launcher', 'env_cfg', 'visualizer', 'vis_backends', 'work_dir', 'resume'])
def test_how_a_run_is_started_and_shown_decides_nothing(tmp_path, tiny_config, key):
    cfg = tiny_config(tmp_path)
    before = deciding_settings(cfg)
    cfg[key] = 'other'
    assert deciding_settings(cfg) == before


def test_what_is_kept_of_finished_phases_decides_nothing(tmp_path, tiny_config):
    kept = deciding_settings(tiny_config(tmp_path, 'curriculum.keep_optimizer=True'))
    assert kept == deciding_settings(tiny_config(tmp_path))


def test_how_batches_are_brought_to_the_device_decides_nothing(tmp_path, tiny_config):
    cfg = tiny_config(tmp_path)
    before = deciding_settings(cfg)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for key in ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor'):
            cfg[loader][key] = 7
            assert deciding_settings(cfg) == before, (loader, key)
