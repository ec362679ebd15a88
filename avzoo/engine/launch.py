"""Start a training or testing run from its command line: the config, and the processes of a launcher."""

import argparse
import os

import torch
from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed

from avzoo.config.load import check_config, load_config
from avzoo.utils.errors import ConfigError

# What each launcher puts into the environment of its processes, and the command that starts them with it.
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
    """Read the config that the arguments name, with their changes, and start the process group if there is one."""
    cfg = load_config(args.config, args.cfg_options)
    if args.seed is not None:
        cfg.randomness.seed = args.seed
        check_config(cfg)
    if args.launcher != 'none':
        cfg.launcher = args.launcher
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        if not is_distributed():
            check_launcher(args.launcher)
            # mmengine asks gloo for a CUDA device. Without one, the group is made here.
            if torch.cuda.is_available():
                init_dist(args.launcher, **cfg.get('env_cfg', {}).get('dist_cfg') or {})
            else:
                _init_gloo(args.launcher)
    return cfg


def check_launcher(launcher: str) -> None:
    """Check that this process was started by the launcher, and knows the rendezvous address.

    On one node the address for slurm and mpi is set here if it is missing.

    Raises:
        ConfigError: If a variable that the launcher sets is missing; gives the command that starts such processes.
    """
    missing = [name for name in _VARIABLES[launcher] if name not in os.environ]
    if missing:
        raise ConfigError(
            f'--launcher {launcher}: the environment has no {missing[0]}, so this process was not '
            f'started by that launcher. Use: {_COMMANDS[launcher]} (or leave --launcher out).'
        )
    if launcher == 'pytorch' or 'MASTER_ADDR' in os.environ:
        os.environ.setdefault('MASTER_PORT', '29500')
        return
    if _num_nodes(launcher) == 1:
        os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=os.environ.get('MASTER_PORT', '29500'))
    elif launcher == 'mpi' or not torch.cuda.is_available():  # mmengine asks slurm itself, for GPUs.
        raise ConfigError(
            f'--launcher {launcher} on several nodes: the environment has no MASTER_ADDR, the node of '
            'process 0. Before the start: export MASTER_ADDR=$(scontrol show hostnames '
            '"$SLURM_JOB_NODELIST" | head -n 1), or the name of that node.'
        )


def _num_nodes(launcher: str) -> int:
    if launcher == 'mpi':
        size = int(os.environ['OMPI_COMM_WORLD_SIZE'])
        return -(-size // int(os.environ.get('OMPI_COMM_WORLD_LOCAL_SIZE', size)))
    return int(os.environ.get('SLURM_NNODES') or os.environ.get('SLURM_JOB_NUM_NODES') or 1)


def _init_gloo(launcher: str) -> None:
    if launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')
    else:
        rank, size = (int(os.environ[name]) for name in _VARIABLES[launcher][:2])
        torch.distributed.init_process_group('gloo', rank=rank, world_size=size)
