"""Arguments shared by tools/train.py and tools/test.py. Importing this does not import torch."""

import argparse
import os
import sys

from avzoo.utils.cli import natural_int
from avzoo.utils.printable import printable

# Where each launcher stores the rank of this process, see avzoo.engine.launch.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def say(text: str) -> None:
    """Tell the user what is happening, on stderr and from one process only; works before torch is imported."""
    if all(os.environ.get(name, '0') == '0' for name in _RANKS):
        sys.stderr.write(f'{printable(text)}\n')
        sys.stderr.flush()


def add_common_arguments(parser: argparse.ArgumentParser, default_work_dir: str) -> None:
    """Add the arguments to a parser.

    Args:
        parser: The parser of a tool.
        default_work_dir: The default of ``--work-dir``, in words.
    """
    parser.add_argument('--work-dir', help=f'where everything is written (default: {default_work_dir})')
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16 (mixed precision), on CPU or GPU')
    parser.add_argument('--seed', type=natural_int, help="random seed (default: the config's randomness.seed)")
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change config values, e.g. data_root=data/mine model.fusion.depth=2',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how several processes were started (pytorch: torchrun)',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by launchers; kept in LOCAL_RANK'
    )
