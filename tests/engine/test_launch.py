"""Several processes: a launcher that did not start them is named."""

import os
import subprocess
import sys

import pytest

from avzoo.engine.launch import check_launcher
from avzoo.utils.errors import ConfigError
from avzoo.utils.launch_arguments import say

VARIABLES = {
    'pytorch': dict(RANK='0', WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT='29500'),
    'slurm': dict(SLURM_PROCID='0', SLURM_NTASKS='2', SLURM_NODELIST='n[1-2]'),
    'mpi': dict(OMPI_COMM_WORLD_RANK='0', OMPI_COMM_WORLD_SIZE='2', OMPI_COMM_WORLD_LOCAL_RANK='0'),
}
COMMANDS = {'pytorch': 'torchrun --nproc_per_node', 'slurm': 'srun --ntasks', 'mpi': 'mpirun -np'}


@pytest.fixture
def environment(monkeypatch):
    """A function that leaves only the given launcher variables in the environment."""
    monkeypatch.setattr(os, 'environ', {})
    return os.environ.update


@pytest.mark.parametrize(('launcher', 'missing'), [(k, name) for k, names in VARIABLES.items() for name in names])
def test_missing_variable_is_named_with_the_right_command(environment, launcher, missing):
    environment({k: v for k, v in VARIABLES[launcher].items() if k != missing})
    with pytest.raises(ConfigError, match=f'{missing} is not set .*{COMMANDS[launcher]}'):
        check_launcher(launcher)


@pytest.mark.parametrize('launcher', VARIABLES)
def test_one_node_needs_no_address(environment, launcher):
    environment(VARIABLES[launcher])
    check_launcher(launcher)
    assert os.environ['MASTER_ADDR'] == '127.0.0.1' and os.environ['MASTER_PORT'] == '29500'


@pytest.mark.parametrize(
    ('launcher', 'more'),
    [
        ('slurm', dict(SLURM_NNODES='2')),
        ('slurm', dict(SLURM_JOB_NUM_NODES='2')),
        ('mpi', dict(OMPI_COMM_WORLD_LOCAL_SIZE='1')),
    ],
)
def test_several_nodes_need_an_address(environment, monkeypatch, launcher, more):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    environment({**VARIABLES[launcher], **more})
    with pytest.raises(ConfigError, match='several nodes: MASTER_ADDR, the node of process 0, is not set'):
        check_launcher(launcher)
    environment(dict(MASTER_ADDR='n1'))
    check_launcher(launcher)
    assert os.environ['MASTER_ADDR'] == 'n1'


@pytest.mark.parametrize(
    ('variables', 'said'),
    [({}, True), (VARIABLES['slurm'], True), (dict(RANK='1'), False), (dict(OMPI_COMM_WORLD_RANK='2'), False)],
)
def test_one_process_says_what_goes_on(environment, capsys, variables, said):
    environment(variables)
    say('Loading\x1b ...')
    captured = capsys.readouterr()
    assert captured.out == '' and captured.err == ('Loading\\x1b ...\n' if said else '')


def test_the_common_arguments_need_neither_torch_nor_mmengine():
    code = (
        'import argparse, sys\n'
        'from avzoo.utils.launch_arguments import add_common_arguments\n'
        'add_common_arguments(argparse.ArgumentParser(), "here")\n'
        'print(*sorted({"torch", "mmengine", "numpy"} & sys.modules.keys()))\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert not done.stdout.split()


@pytest.mark.parametrize(
    ('launcher', 'name', 'value'),
    [
        *(('pytorch', 'RANK', value) for value in ('a', '', '-1', '2', '1.5', '²', '9' * 5000)),
        *(('pytorch', 'WORLD_SIZE', value) for value in ('a', '0', '-2')),
        *(('pytorch', 'MASTER_PORT', value) for value in ('a', '65536', '-1')),
        ('pytorch', 'LOCAL_RANK', 'a'),
        ('slurm', 'SLURM_PROCID', '7'),
        ('slurm', 'SLURM_LOCALID', '-1'),
        *(('slurm', name, value) for name in ('SLURM_NNODES', 'SLURM_JOB_NUM_NODES') for value in ('a', '0')),
        ('mpi', 'OMPI_COMM_WORLD_SIZE', 'x'),
        *(('mpi', 'OMPI_COMM_WORLD_LOCAL_SIZE', value) for value in ('a', '0', '')),
        ('mpi', 'OMPI_COMM_WORLD_LOCAL_RANK', 'x'),
    ],
)
def test_a_number_that_does_not_fit_is_named(environment, launcher, name, value):
    environment({**VARIABLES[launcher], name: value})
    with pytest.raises(ConfigError, match=f'{name}={value[:20]}.*omit --launcher'):
        check_launcher(launcher)


@pytest.mark.parametrize(
    ('launcher', 'name'),
    [('pytorch', 'LOCAL_RANK'), ('slurm', 'SLURM_LOCALID'), ('mpi', 'OMPI_COMM_WORLD_LOCAL_RANK')],
)
def test_more_processes_than_gpus_are_refused_with_the_number_there_is(environment, monkeypatch, launcher, name):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    environment({**VARIABLES[launcher], name: '1'})
    check_launcher(launcher)
    environment({name: '2'})
    with pytest.raises(ConfigError, match=f'{name}=2, but this machine has 2 GPUs.*--nproc_per_node=2'):
        check_launcher(launcher)
