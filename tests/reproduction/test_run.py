"""Runs are carried out here or as jobs of a cluster."""

import sys

import pytest

from avzoo.engine.side_by_side import Job
from avzoo.reproduction import gather, run, run_together, submit
from avzoo.utils.errors import AvzooError, ConfigError
from tests.conftest import SMALL_AVDIFF, without_provenance
from tests.reproduction.runs import plan


@pytest.fixture(scope='module')
def planned(tmp_path_factory, tiny_store):
    """A function that plans two runs of AV-DIFF, of a few seconds each, in a folder of this name."""
    parent = tmp_path_factory.mktemp('runs')
    options = (
        f'data_root={tiny_store}',
        'num_shots=2',
        'train_dataloader.batch_size=8',
        'curriculum.num_draws=1',
        'curriculum.choices=[]',
        "curriculum.references=['nearest_class_mean']",
        'train_dataloader.batch_sampler.num_batches=1',
        'curriculum.base.max_epochs=1',
        'curriculum.full.max_epochs=1',
        *SMALL_AVDIFF,
    )

    def in_folder(name):
        runs = plan(parent / name, 2, 'custom', seeds=(0, 1), options=options)
        return [one for one in runs if one.row == 'avdiff']

    return in_folder


@pytest.fixture(scope='module')
def alone(planned, tool_server):
    """A run that was carried out, its command by a process that need not import everything."""
    one, run_command = planned('one')[1], run.subprocess.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.subprocess, 'run', lambda command, **kw: run_command(quick(tool_server, command), **kw))
        assert run.run_here(one)
    return one


def quick(tool_server, command):
    assert command[0] == sys.executable
    return [*tool_server.python, *command[1:]]


def test_a_run_that_was_carried_out_counts_as_finished(alone):
    assert alone.status() == 'finished'
    (row,) = [row for row in gather([alone])[0]['rows'] if row['name'] == alone.name]
    assert row['mean']['HM'] == alone.results()['aggregate']['HM']


def test_runs_side_by_side_find_what_they_find_one_after_another(planned, alone, tool_server, tmp_path, monkeypatch):
    monkeypatch.setattr(run, 'Job', lambda name, command, log: Job(name, quick(tool_server, command), log))
    said = []
    assert not run_together(planned('two'), tmp_path / 'logs', jobs=2, tell=said.append)
    assert sum('started' in line for line in said) == sum('done after' in line for line in said) == 2
    together = planned('two')
    assert [one.status() for one in together] == ['finished', 'finished']
    assert without_provenance(together[1].results()) == without_provenance(alone.results())


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


def test_parameters_of_submitit_are_read_as_values():
    assert run.slurm_parameters(['timeout_min=5', 'slurm_partition=gpu']) == dict(timeout_min=5, slurm_partition='gpu')
    with pytest.raises(ConfigError, match='key=value'):
        run.slurm_parameters(['timeout_min'])
