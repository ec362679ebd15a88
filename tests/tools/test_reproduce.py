"""Repeating a table: the plan, going on where it stopped, and the table beside the paper's numbers."""

import importlib.util
import json
import sys

import pytest

from avzoo import reproduction
from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.reproduction import DATASETS, TABLES, gather, plan_runs, report, run, submit, tables_markdown, tables_text
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import AvzooError, ConfigError
from tests.conftest import SMALL_AVDIFF


@pytest.fixture(scope='module')
def tool(repo_dir):
    spec = importlib.util.spec_from_file_location('reproduce', repo_dir / 'tools' / 'reproduce.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finish(one, hm, *, tests=3, references=None):
    """Leave what a finished run leaves."""
    state = CurriculumState(one.work_dir, deciding_settings(one.load_config()), processes=1)
    state.tests = {str(draw): {} for draw in range(tests)}
    state.write()
    aggregate = dict(B=hm + 1, N=hm - 1, HM=hm, FSL=hm + 5, AUSUC=hm, HM_mean=hm, ci95=2.0, num_draws=3)
    (one.work_dir / 'results.json').write_text(
        json.dumps(dict(method='x', dataset='synth', aggregate=aggregate, references=references or {})),
        encoding='utf-8',
    )


def plan(tmp_path, table=4, dataset='ucf', shots=(5,), seeds=(0, 1), options=()):
    return plan_runs(table, [dataset], shots, seeds, tmp_path, options)


def test_every_row_of_every_table_has_configs_on_synth_and_the_papers_data_sets(tmp_path):
    assert len(TABLES) >= 3
    for table in TABLES:
        for dataset in ('synth', 'ucf', 'activitynet', 'vgg'):
            runs = plan(tmp_path, table, dataset)
            assert len(runs) >= 4 and all(one.config.is_file() for one in runs)


def test_the_tool_offers_every_table_and_data_set(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--help'])
    page = capsys.readouterr().out
    assert '{' + ','.join(map(str, TABLES)) + '}' in page and '{' + ','.join(DATASETS) + '}' in page


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
    with pytest.raises(ConfigError, match=r'data_root was .* choose another --work-dir'):
        plan(tmp_path, options=('data_root=data/x',))[0].status()


def test_the_table_gives_mean_interval_paper_and_what_was_not_run(tmp_path):
    runs = plan(tmp_path)
    rows = {row: [one for one in runs if one.row == row] for row in TABLES[4]}
    for one, hm in zip(rows['avdiff-wgan'], (50.0, 52.0), strict=True):
        finish(one, hm)
    finish(
        rows['avdiff'][0],
        60.0,
        references={'nearest_class_mean': dict(aggregate=dict(B=41.0, N=39.0, HM=40.0, FSL=30.0, ci95=1.5))},
    )
    (table,) = gather(runs)
    wgan, nogen, avdiff, reference = table['rows']
    assert wgan['mean']['HM'] == 51.0 and wgan['ci95']['HM'] == pytest.approx(12.706, abs=1e-3)
    assert wgan['paper'] == dict(B=83.79, N=36.20, HM=50.56, FSL=37.33) and wgan['draws_ci95'] == 2.0
    assert nogen['mean'] == {} and nogen['paper'] == {} and nogen['status'] == {0: 'not run', 1: 'not run'}
    assert avdiff['ci95']['HM'] is None and avdiff['paper']['HM'] == 59.96
    assert reference['method'] == 'nearest class mean' and reference['mean']['HM'] == 40.0
    text = tables_text(4, [table])
    lines = {line.split('  ')[0]: line for line in text.splitlines()}
    assert '51.00 ± 12.71' in lines['AV-GAN'] and lines['AV-GAN'].split()[-2:] == ['37.33', '2']
    assert lines['AV-DIFF (no generator)'].endswith('not run') and lines['AV-DIFF'].endswith('1 of 2')
    assert 'A dash stands for what was not run' in text
    markdown = tables_markdown(4, [table]).splitlines()
    assert len({line.count('|') for line in markdown if line.startswith('|')}) == 1


def test_references_of_a_single_modality_are_not_shown_as_those_of_both(tmp_path):
    audio = plan(tmp_path, 5)[0]
    finish(audio, 40.0, references={'nearest_class_mean': dict(aggregate=dict(B=1.0, N=1.0, HM=1.0, FSL=1.0))})
    assert [row['name'] for row in gather(plan(tmp_path, 5))[0]['rows']][-1] == 'avdiff_ucf_5shot'


def test_a_dry_run_prints_the_plan_and_writes_nothing(tool, tmp_path, capsys):
    finish(plan(tmp_path, seeds=(0,))[0], 50.0)
    before = sorted(tmp_path.rglob('*'))
    arguments = ['--table', '4', '--dataset', 'ucf', '--seeds', '0', '--work-dir', str(tmp_path)]
    assert tool.main([*arguments, '--dry-run']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('  ')[0] for line in lines if not line.startswith(' ')] == ['finished', 'not run', 'not run']
    assert sum('tools/train.py' in line for line in lines) == 2 and sorted(tmp_path.rglob('*')) == before


def test_only_missing_runs_are_run_and_a_failure_does_not_stop_the_others(tool, tmp_path, capsys, monkeypatch):
    finish(plan(tmp_path, seeds=(0,))[0], 50.0)
    ran = []

    def run_here(one):
        ran.append(one.row)
        if one.row == 'avdiff':
            finish(one, 60.0)
        return one.row == 'avdiff'

    monkeypatch.setattr(reproduction, 'run_here', run_here)
    arguments = ['--table', '4', '--dataset', 'ucf', '--seeds', '0', '--work-dir', str(tmp_path)]
    assert tool.main(arguments) == 1
    out = capsys.readouterr()
    assert ran == ['avdiff-nogen', 'avdiff'] and '1 of 2 runs failed: avdiff-nogen_ucf_5shot (seed 0)' in out.err
    assert {
        row['name']: row['mean'].get('HM')
        for row in json.loads((tmp_path / 'table4.json').read_text())['tables'][0]['rows']
    } == {'avdiff-wgan_ucf_5shot': 50.0, 'avdiff-nogen_ucf_5shot': None, 'avdiff_ucf_5shot': 60.0}
    assert '| AV-GAN | 51.00 |' in (tmp_path / 'table4.md').read_text()
    assert tool.main([*arguments, '--gather']) == 0 and len(ran) == 2


def test_a_run_that_was_carried_out_counts_as_finished(tmp_path, tiny_store):
    options = (
        f'data_root={tiny_store}',
        'num_shots=2',
        'train_dataloader.batch_size=8',
        'curriculum.num_draws=1',
        'train_dataloader.batch_sampler.num_batches=1',
        'curriculum.base.max_epochs=1',
        'curriculum.full.max_epochs=1',
        *SMALL_AVDIFF,
    )
    (one,) = [one for one in plan(tmp_path, 2, 'custom', seeds=(0,), options=options) if one.row == 'avdiff']
    assert run.run_here(one) and one.status() == 'finished'
    (row,) = [row for row in gather([one])[0]['rows'] if row['name'] == one.name]
    assert row['mean']['HM'] == one.results()['aggregate']['HM']


def test_bad_input_is_one_line(tool, tmp_path, capsys):
    for arguments, message in [
        (['--table', '4', '--dataset', 'ucf', '--shots', '1'], 'drop --shots'),
        (['--table', '4', '--dataset', 'custom'], 'needs the config avdiff-wgan_custom_5shot'),
        (['--table', '4', '--dataset', 'ucf', '--cfg-options', 'data_rot=x'], "Did you mean 'data_root'"),
    ]:
        assert run_tool(tool.main, [*arguments, '--work-dir', str(tmp_path), '--dry-run']) == 2
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1


@pytest.mark.parametrize(
    'option, cure', [('num_shots=1', '--shots'), ('randomness.seed=7', '--seeds'), ('work_dir=x', '--work-dir')]
)
def test_options_that_make_a_run_another_one_are_refused(tool, tmp_path, capsys, option, cure):
    arguments = ['--table', '4', '--dataset', 'ucf', '--work-dir', str(tmp_path), '--dry-run', '--cfg-options']
    with pytest.raises(SystemExit) as caught:
        tool.main([*arguments, 'data_root=data/x', option])
    message = capsys.readouterr().err
    assert caught.value.code == 2 and f'--cfg-options {option.partition("=")[0]}: ' in message
    assert f'{cure} sets it' in message
    assert tool.main([*arguments, 'data_root=data/x']) == 0


@pytest.mark.parametrize(
    'text',
    [
        '{',
        '{}',
        '[]',
        '{"aggregate": {"B": 1, "N": 1, "HM": 1}}',
        '{"aggregate": {"B": 1, "N": 1, "HM": "x", "FSL": 1}}',
        '{"aggregate": {"B": 1, "N": 1, "HM": 1, "FSL": 1}, "references": {"x": {}}}',
    ],
)
def test_damaged_results_are_named(tmp_path, text):
    one = plan(tmp_path)[0]
    finish(one, 50.0)
    (one.work_dir / 'results.json').write_text(text, encoding='utf-8')
    with pytest.raises(AvzooError, match=r'results\.json is damaged'):
        gather([one])


def test_without_submitit_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(AvzooError, match=r'pip install "avzoo\[slurm\]"'):
        submit(plan(tmp_path), tmp_path / 'jobs', {})


def test_runs_are_submitted_as_jobs_that_start_themselves_again(tmp_path, monkeypatch):
    submitit = pytest.importorskip('submitit')
    commands = []
    monkeypatch.setattr(run.subprocess, 'run', lambda command, check: commands.append(command))
    runs = plan(tmp_path)
    assert len(submit(runs, tmp_path / 'jobs', dict(timeout_min=5), cluster='debug')) == len(runs)
    job = run._Job(runs[0].command)
    again = job.checkpoint()
    assert isinstance(again, submitit.helpers.DelayedSubmission)
    again.result()
    assert commands[-1] == runs[0].command
    with pytest.raises(ConfigError, match='--slurm'):
        submit(runs, tmp_path / 'jobs', dict(no_such_parameter=1), cluster='debug')


def test_every_number_of_the_papers_tables_is_in_the_metafiles(tmp_path):
    for dataset in ('ucf', 'activitynet', 'vgg'):
        for table in TABLES:
            for one in plan(tmp_path, table, dataset, (1, 5, 10) if table == 2 else (5,)):
                if one.row != 'avdiff-nogen':  # not in the paper
                    wanted = {'HM', 'FSL'} if table == 2 else {'B', 'N', 'HM', 'FSL'}
                    assert wanted <= set(report._paper(one.name)), one.name
