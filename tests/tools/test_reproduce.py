"""The tool that repeats a table: its options, its plan, and going on where it stopped."""

import importlib.util
import json

import pytest

from avzoo import reproduction
from avzoo.reproduction import DATASETS, TABLES
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import ConfigError
from tests.reproduction.runs import finish, plan


@pytest.fixture(scope='module')
def tool(repo_dir):
    spec = importlib.util.spec_from_file_location('reproduce', repo_dir / 'tools' / 'reproduce.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tool_offers_every_table_and_data_set(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--help'])
    page = capsys.readouterr().out
    assert '{' + ','.join(map(str, TABLES)) + '}' in page and '{' + ','.join(DATASETS) + '}' in page


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


def test_runs_side_by_side_are_those_that_are_missing(tool, tmp_path, capsys, monkeypatch):
    finish(plan(tmp_path, seeds=(0,))[0], 50.0)
    asked = {}
    monkeypatch.setattr(
        reproduction,
        'run_together',
        lambda runs, folder, **how: asked.update(how, runs=runs, folder=folder) or runs[:1],
    )
    arguments = ['--table', '4', '--dataset', 'ucf', '--seeds', '0', '--work-dir', str(tmp_path)]
    assert tool.main([*arguments, '--gpus', '0-2']) == 1
    assert [one.row for one in asked['runs']] == ['avdiff-nogen', 'avdiff'] and asked['folder'] == tmp_path / 'logs'
    assert (asked['jobs'], asked['gpus']) == (3, ['0', '1', '2'])
    assert '1 of 2 runs failed: avdiff-nogen_ucf_5shot (seed 0)' in capsys.readouterr().err
    with pytest.raises(ConfigError, match='--gpus'):
        tool.main([*arguments, '--gpus', ''])  # As of a variable that is not set.
    with pytest.raises(SystemExit):
        tool.main([*arguments, '--jobs', '2', '--launcher', 'slurm'])
    assert 'leave --launcher out' in capsys.readouterr().err


def test_bad_input_is_one_line(tool, tmp_path, capsys):
    for arguments, message in [
        (['--table', '4', '--dataset', 'ucf', '--shots', '1'], 'Omit --shots'),
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
    assert f'set it with {cure}' in message
    assert tool.main([*arguments, 'data_root=data/x']) == 0
