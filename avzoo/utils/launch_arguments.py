"""The arguments that tools/train.py and tools/test.py have in common. Importing this brings in no torch."""

import argparse

from avzoo.utils.cli import natural_int


def add_common_arguments(parser: argparse.ArgumentParser, default_work_dir: str) -> None:
    """Add the arguments to a parser.

    Args:
        parser: The parser of a tool.
        default_work_dir: The default of ``--work-dir``, in words.
    """
    parser.add_argument('--work-dir', help=f'where everything is written (default: {default_work_dir})')
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16 (mixed precision), on CPU or GPU')
    parser.add_argument('--seed', type=natural_int, help='random seed (default: randomness.seed of the config)')
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
