"""Reproduce a table of the AV-DIFF paper: run what is missing and print the table next to the paper's numbers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool, show
from avzoo.utils.counts import number_of
from avzoo.zoo.benchmarks import BENCHMARKS

if TYPE_CHECKING:
    from avzoo.reproduction import Run

_EPILOG = """examples:
  the ablation of the generator on the synthetic data set
    python tools/reproduce.py --table 4 --dataset synth
  what would be run for all eleven methods, three seeds, 1 and 5 shots
    python tools/reproduce.py --table 2 --dataset ucf vgg --shots 1 5 --seeds 0 1 2 --dry-run
  the same on a cluster; run it again later, with --gather, for the table
    python tools/reproduce.py --table 2 --dataset ucf vgg --shots 1 5 --seeds 0 1 2 --launcher slurm \\
        --slurm slurm_partition=gpu gpus_per_node=1 timeout_min=600
  side by side on the eight GPUs of this machine; the output of each run is in WORK_DIR/logs
    python tools/reproduce.py --table 2 --dataset vgg --seeds 0 1 2 --gpus 0-7
  your own features
    python tools/reproduce.py --table 2 --dataset custom --work-dir work_dirs/mine --cfg-options data_root=data/mine

exit codes: 0 the table is complete, or was only planned, gathered or submitted; 1 a run failed; 2 bad input
"""

# What each table compares. avzoo.reproduction.TABLES has their rows.
_TABLES = {2: 'all methods', 3: 'fusion', 4: 'generator', 5: 'modalities', 6: 'condition'}

# Config keys that say which run of a table it is, and the option here that sets them.
_OWN_OPTIONS = {'num_shots': '--shots', 'randomness.seed': '--seeds', 'work_dir': '--work-dir'}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__, epilog=_EPILOG)
    parser.add_argument(
        '--table',
        type=int,
        choices=list(_TABLES),
        required=True,
        help='; '.join(f'{number}: {what}' for number, what in _TABLES.items()),
    )
    parser.add_argument(
        '--dataset', nargs='+', choices=(*BENCHMARKS, 'custom'), required=True, help='one or more data sets'
    )
    parser.add_argument(
        '--shots',
        nargs='+',
        type=positive_int,
        default=[5],
        help='videos per novel class (default: 5, the only value for Tables 3 to 6)',
    )
    parser.add_argument('--seeds', nargs='+', type=natural_int, default=[42], help='random seeds (default: 42)')
    parser.add_argument(
        '--work-dir',
        default='work_dirs/reproduce',
        help='folder for all runs and the table (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='change config values of every run'
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument('--dry-run', action='store_true', help='print the plan and stop')
    action.add_argument('--gather', action='store_true', help='run nothing; only gather the finished runs')
    parser.add_argument(
        '--launcher',
        choices=['none', 'slurm'],
        default='none',
        help='none: on this machine, one run after another or --jobs at once; slurm: submit them through submitit',
    )
    parser.add_argument(
        '--slurm',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='parameters for submitit, e.g. timeout_min=600 gpus_per_node=1 slurm_partition=gpu',
    )
    parser.add_argument(
        '--jobs',
        type=positive_int,
        metavar='N',
        help='runs in parallel on this machine (default: 1, or one per GPU in --gpus)',
    )
    parser.add_argument('--gpus', metavar='IDS', help='GPUs for the runs, one per run, e.g. 0-7 or 0,2')
    args = parser.parse_args(argv)
    if (args.jobs, args.gpus) != (None, None) and args.launcher != 'none':
        parser.error('--jobs and --gpus are only for runs on this machine; leave --launcher out')
    if args.slurm and args.launcher != 'slurm':
        parser.error('--slurm is only for --launcher slurm')
    for option in args.cfg_options:
        key = option.partition('=')[0].strip()
        if key in _OWN_OPTIONS:
            parser.error(
                f'--cfg-options {key}: this identifies a run; set it with {_OWN_OPTIONS[key]}'
                f'{" (Table 2 only)" if key == "num_shots" else ""}'
            )
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo import reproduction

    runs = reproduction.plan_runs(
        args.table,
        list(dict.fromkeys(args.dataset)),
        list(dict.fromkeys(args.shots)),
        list(dict.fromkeys(args.seeds)),
        args.work_dir,
        args.cfg_options,
    )
    if args.dry_run:
        show(reproduction.plan_text(runs))
        return 0
    failed = []
    todo = [] if args.gather else [run for run in runs if run.status() in ('not run', 'unfinished')]
    if todo and args.launcher == 'slurm':
        jobs = reproduction.submit(todo, Path(args.work_dir) / 'slurm', reproduction.slurm_parameters(args.slurm))
        show(f'Submitted {number_of(len(jobs), "run")}: {", ".join(jobs)}. When done, run this again with --gather.')
    else:
        failed = _run_all(todo, args)
    tables = reproduction.gather(runs)
    show(f'\n{reproduction.tables_text(args.table, tables)}')
    show('Written to {} and {}'.format(*reproduction.write_tables(args.work_dir, args.table, tables)))
    if failed:
        names = ', '.join(f'{run.name} (seed {run.seed})' for run in failed)
        show(
            f'error: {len(failed)} of {len(todo)} runs failed: {names}. See their messages above, or the logs named '
            'there; run this again to continue them.',
            stderr=True,
        )
    return 1 if failed else 0


def _run_all(runs: Sequence[Run], args: argparse.Namespace) -> list[Run]:
    """Carry out runs one after another or side by side; returns those that failed."""
    from avzoo import reproduction

    gpus = [] if args.gpus is None else reproduction.gpu_ids(args.gpus)
    jobs = args.jobs or len(gpus)
    if jobs > 1 or gpus:
        return reproduction.run_together(runs, Path(args.work_dir) / 'logs', jobs=jobs, gpus=gpus, tell=show)
    failed = []
    for number, run in enumerate(runs, 1):
        show(f'\n=== run {number} of {len(runs)}: {run.name}, seed {run.seed} ===')
        if not reproduction.run_here(run):
            failed.append(run)
    return failed


if __name__ == '__main__':
    sys.exit(run_tool(main))
