"""Runs are carried out here or as jobs of a cluster."""

import sys

import pytest

from avzoo.reproduction import gather, run, submit
from avzoo.utils.errors import AvzooError, ConfigError
from tests.conftest import SMALL_AVDIFF
from tests.reproduction.runs import plan


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
