"""Which runs a table has, how they are started, and whether they are finished."""

import json
import sys

import pytest

from avzoo.reproduction import TABLES
from avzoo.utils.errors import ConfigError
from tests.reproduction.runs import finish, plan


def test_every_row_of_every_table_has_configs_on_synth_and_the_papers_data_sets(tmp_path):
    assert len(TABLES) >= 3
    for table in TABLES:
        for dataset in ('synth', 'ucf', 'activitynet', 'vgg'):
            runs = plan(tmp_path, table, dataset)
            assert len(runs) >= 4 and all(one.config.is_file() for one in runs)


def test_tables_share_the_runs_that_they_have_in_common(tmp_path):
    last = {plan(tmp_path, table)[-1].work_dir for table in TABLES}
    assert last == {tmp_path / 'avdiff_ucf_5shot' / 'seed1'}


def test_a_run_is_started_by_the_training_tool_so_that_it_goes_on(tmp_path, repo_dir):
    one = plan(tmp_path, options=('data_root=data/x',))[0]
    assert one.command == [
        sys.executable,
        str(repo_dir / 'tools/train.py'),
        str(repo_dir / 'configs/avdiff/avdiff-wgan_ucf_5shot.py'),
        '--work-dir',
        str(tmp_path / 'avdiff-wgan_ucf_5shot' / 'seed0'),
        '--seed',
        '0',
        '--resume',
        '--cfg-options',
        'data_root=data/x',
    ]


def test_a_run_is_finished_when_all_draws_are_tested(tmp_path):
    one = plan(tmp_path)[0]
    assert one.status() == 'not run'
    finish(one, 50.0, tests=2)
    assert one.status() == 'unfinished'
    finish(one, 50.0)
    assert one.status() == 'finished'


def test_results_of_other_settings_are_not_taken_for_ones_own(tmp_path):
    finish(plan(tmp_path)[0], 50.0)
    with pytest.raises(ConfigError, match=r'num_shots was .* choose another --work-dir'):
        plan(tmp_path, options=('num_shots=3',))[0].status()


def test_results_on_another_store_are_not_taken_for_ones_own(tmp_path):
    run = plan(tmp_path, options=(f'data_root={tmp_path / "store"}',))[0]
    finish(run, 50.0)
    assert run.status() == 'finished'
    (tmp_path / 'store').mkdir()
    (tmp_path / 'store' / 'store.json').write_text('{}')
    state = json.loads((run.work_dir / 'curriculum.json').read_text())
    (run.work_dir / 'curriculum.json').write_text(json.dumps(dict(state, store_sha256='0' * 64)))
    with pytest.raises(ConfigError, match='holds a run on a store other than'):
        run.status()
