"""What the training and testing tools share: their common arguments and the way they start."""

import argparse
import os

import torch
from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed

from avzoo.utils.config import load_config


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that tools/train.py and tools/test.py have in common."""
    parser.add_argument('--work-dir', help='where everything is written (default: work_dirs/NAME_OF_CONFIG)')
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16 (mixed precision), on CPU or GPU')
    parser.add_argument('--seed', type=int, help='random seed (default: randomness.seed of the config)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='change config values, e.g. data_root=data/mine model.fusion.depth=2')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='how several processes were started (pytorch: torchrun)')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help='set by launchers; kept in LOCAL_RANK')


def config_from_arguments(args: argparse.Namespace) -> Config:
    """Read the config that the arguments name, with their changes, and start the process group if there is one."""
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.seed is not None:
        cfg.randomness.seed = args.seed
    if args.launcher != 'none':
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        if not is_distributed():
            # mmengine asks gloo for a CUDA device; so the group is made here where there is none.
            if torch.cuda.is_available():
                init_dist(args.launcher, **cfg.env_cfg.get('dist_cfg', {}))
            else:
                _init_gloo(args.launcher)
    return cfg


def _init_gloo(launcher: str) -> None:
    if launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')
    else:
        names = {'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'), 'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE')}
        rank, size = (int(os.environ[name]) for name in names[launcher])
        os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
        os.environ.setdefault('MASTER_PORT', '29500')
        torch.distributed.init_process_group('gloo', rank=rank, world_size=size)
