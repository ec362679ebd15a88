"""Start a training or test run from its command line: the config, and the processes of a launcher."""

import argparse
import os
import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed

from avzoo.config.load import check_config, load_config
from avzoo.engine.roll_call import roll_call
from avzoo.utils.counts import number_of
from avzoo.utils.errors import ConfigError
from avzoo.utils.printable import printable

# The environment variables that each launcher sets for its processes, and the command that starts them with it.
_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
_COMMANDS = {
    'pytorch': 'torchrun --nproc_per_node=2 tools/train.py CONFIG --launcher pytorch',
    'slurm': 'srun --ntasks=2 python tools/train.py CONFIG --launcher slurm',
    'mpi': 'mpirun -np 2 python tools/train.py CONFIG --launcher mpi',
}


def config_from_arguments(args: argparse.Namespace) -> Config:
    """Read the config given by the arguments, with overrides, and start the process group if there is one."""
    cfg = load_config(args.config, args.cfg_options)
    if args.seed is not None:
        cfg.randomness.seed = args.seed
        check_config(cfg)
    if args.launcher != 'none':
        cfg.launcher = args.launcher
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        if not is_distributed():
            check_launcher(args.launcher)
            _start_group(args.launcher, (cfg.get('env_cfg') or {}).get('dist_cfg') or {})
    return cfg


def check_launcher(launcher: str) -> None:
    """Check that this process was started by the launcher, and has a rank, a device and the rendezvous address.

    On one node the address for slurm and mpi is set here if it is missing.

    Raises:
        ConfigError: If a variable that the launcher sets is missing (with the command that starts such processes), or
            has an invalid value.
    """
    missing = [name for name in _VARIABLES[launcher] if name not in os.environ]
    if missing:
        raise ConfigError(
            f'--launcher {launcher}: {missing[0]} is not set in the environment, so this process was not '
            f'started by that launcher. Use: {_COMMANDS[launcher]} (or omit --launcher).'
        )
    rank_of(launcher)
    _check_device(launcher)
    if 'MASTER_PORT' in os.environ:
        _number('MASTER_PORT', 0, 65535)
    if launcher == 'pytorch' or 'MASTER_ADDR' in os.environ:
        os.environ.setdefault('MASTER_PORT', '29500')
        return
    if _num_nodes(launcher) == 1:
        os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=os.environ.get('MASTER_PORT', '29500'))
    elif launcher == 'mpi' or not torch.cuda.is_available():  # For GPUs mmengine asks slurm itself.
        raise ConfigError(
            f'--launcher {launcher} on several nodes: MASTER_ADDR, the node of process 0, is not set in the '
            'environment. Before starting: export MASTER_ADDR=$(scontrol show hostnames '
            '"$SLURM_JOB_NODELIST" | head -n 1), or the name of that node.'
        )


def rank_of(launcher: str) -> tuple[int, int]:
    """Return the rank of this process and the number of processes, from the variables of a launcher.

    Raises:
        ConfigError: If they are not whole numbers, or the first is not below the second.
    """
    rank, size = _VARIABLES[launcher][:2]
    count = _number(size, 1)
    return _number(rank, 0, count - 1), count


def _number(name: str, least: int, most: int | None = None) -> int:
    text = os.environ[name]
    if not re.fullmatch('[0-9]{1,9}', text) or int(text) < least or (most is not None and int(text) > most):
        limits = f'at least {least}' if most is None else f'from {least} to {most}'
        raise ConfigError(
            f'{name}={printable(text[:20])} in the environment is not a whole number {limits}. A launcher sets it, '
            f'e.g. {_COMMANDS["pytorch"]}; without one, omit --launcher.'
        )
    return int(text)


def _check_device(launcher: str) -> None:
    """Refuse more processes on this machine than it has GPUs, if GPUs are used."""
    name = {'pytorch': 'LOCAL_RANK', 'slurm': 'SLURM_LOCALID', 'mpi': 'OMPI_COMM_WORLD_LOCAL_RANK'}[launcher]
    if name not in os.environ:
        return
    local, gpus = _number(name, 0), torch.cuda.device_count()
    if torch.cuda.is_available() and local >= gpus:
        raise ConfigError(
            f'{name}={local}, but this machine has {number_of(gpus, "GPU")} for {local + 1} or more processes. Start '
            f'{gpus} here, e.g. torchrun --nproc_per_node={gpus}, or hide the GPUs with CUDA_VISIBLE_DEVICES= to train '
            'on the CPU.'
        )


def _num_nodes(launcher: str) -> int:
    if launcher == 'mpi':
        size, here = _number('OMPI_COMM_WORLD_SIZE', 1), 'OMPI_COMM_WORLD_LOCAL_SIZE'
        return -(-size // _number(here, 1)) if here in os.environ else 1
    name = next((name for name in ('SLURM_NNODES', 'SLURM_JOB_NUM_NODES') if os.environ.get(name)), None)
    return _number(name, 1) if name else 1


def _start_group(launcher: str, settings: Mapping[str, Any]) -> None:
    rank, size = rank_of(launcher)
    # mmengine requires a CUDA device for gloo. Without one, the group is created here.
    if not torch.cuda.is_available():
        dist.init_process_group('gloo', store=roll_call(rank, size), rank=rank, world_size=size)
    elif 'MASTER_ADDR' in os.environ and not settings.keys() & {'init_method', 'init_backend'}:
        init_dist(launcher, **settings, store=roll_call(rank, size), rank=rank, world_size=size)
    else:
        init_dist(launcher, **settings)
