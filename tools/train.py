"""Train a method through the whole curriculum and print its B / N / HM / FSL table."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool, show
from avzoo.utils.errors import ConfigError, nearest
from avzoo.utils.launch_arguments import add_common_arguments, say

if TYPE_CHECKING:
    from mmengine.config import Config

    from avzoo.engine import CurriculumRunner

_BUILT_IN = "The built-in one is 'CurriculumRunner'."
_EPILOG = """examples:
  the whole curriculum on the synthetic data set (the name avdiff_synth_5shot stands for the same file)
    python tools/train.py configs/avdiff/avdiff_synth_5shot.py
  continue after an interruption (a finished phase is run again only if its weights are lost)
    python tools/train.py configs/avdiff/avdiff_synth_5shot.py --resume
  your own features, with fewer epochs
    python tools/train.py configs/avdiff/avdiff_custom_5shot.py --cfg-options data_root=data/mine \\
        curriculum.base.max_epochs=10
  the draws of stage 2 side by side, on three GPUs
    python tools/train.py configs/avdiff/avdiff_vgg_5shot.py --gpus 0-2
  each step on two GPUs
    torchrun --nproc_per_node=2 tools/train.py configs/avdiff/avdiff_vgg_5shot.py --launcher pytorch
"""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__, epilog=_EPILOG)
    parser.add_argument(
        'config',
        metavar='NAME_OR_CONFIG',
        help='a zoo model name, a config file such as configs/avdiff/avdiff_ucf_5shot.py, or the folder of a run',
    )
    add_common_arguments(parser, "the config's work_dir, else work_dirs/NAME_OF_CONFIG")
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CKPT',
        help='continue the run in the work directory; with CKPT, continue its current phase from this checkpoint',
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate by the number of processes'
    )
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='skip validation: stage 2 then uses the configured epochs and no calibration, and nothing is chosen',
    )
    text = 'use deterministic algorithms only (slower on GPUs)'
    parser.add_argument('--deterministic', action='store_true', help=text)
    parser.add_argument('--stage', type=int, choices=[1, 2], help='run only this stage')
    parser.add_argument('--draws', type=natural_int, nargs='+', help='run only these draws of stage 2 (from 0)')
    parser.add_argument(
        '--jobs',
        type=positive_int,
        metavar='N',
        help='draws of stage 2 to run in parallel on this machine (default: 1, or one per GPU in --gpus); each process '
        'then computes the features of the frozen fusion itself, instead of keeping them for the next draw',
    )
    parser.add_argument(
        '--gpus',
        metavar='IDS',
        help='GPUs for the draws, one per draw, e.g. 0-7 or 0,2; if there are fewer than --jobs, draws share them; '
        'everything else uses the first visible GPU',
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='check config and data and print the plan, without training; missing synthetic data is generated',
    )
    args = parser.parse_args(argv)
    if ((args.jobs or 1) > 1 or args.gpus is not None) and args.launcher != 'none':
        parser.error('--jobs and --gpus are only for a run started as one process; leave --launcher out')
    if (args.jobs is not None or args.gpus is not None) and args.stage == 1:
        parser.error('--jobs and --gpus are only for the draws of stage 2; leave --stage 1 out')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    say('Loading PyTorch and reading the config ...')
    # Imported here, so that --help and a mistyped option answer at once.
    from mmengine.dist import is_main_process

    from avzoo.engine.curriculum.preflight import describe_plan
    from avzoo.importers.synthetic import ensure_synth

    cfg = config_of_run(args)
    draws = chosen_draws(args.draws, args.stage, cfg.curriculum.num_draws)
    together = side_by_side(args)
    runner = runner_class(cfg, together)
    if cfg.get('synthesize') and not Path(cfg.data_root).exists():
        say(f'Generating the synthetic data set {cfg.data_root} ...')
    ensure_synth(cfg)
    say('Checking the config and the data ...')
    if args.dry_run:
        plan = describe_plan(cfg, draws, args.stage)
        if is_main_process():
            show(plan)
    else:
        train(runner(cfg, resume=args.resume, stage=args.stage, draws=draws, **together), cfg.work_dir)
    return 0


def config_of_run(args: argparse.Namespace) -> Config:
    """Read the config, with the changes that the options make."""
    from avzoo.apis.register import register_all_modules
    from avzoo.engine.launch import config_from_arguments
    from avzoo.zoo.build import config_path
    from avzoo.zoo.runs import run_of

    register_all_modules()  # The config may have a base `avzoo::...`.
    args.config = config_path(args.config)
    cfg = config_from_arguments(args)
    own = run_of(Path(args.config)) or cfg.get('work_dir')  # A run may have been moved since.
    cfg.work_dir = str(args.work_dir or own or Path('work_dirs') / Path(args.config).stem)
    if args.amp:
        cfg.optim_wrapper.type = 'AutocastOptimWrapper'
    if args.no_validate:
        cfg.curriculum.validate = False
        if cfg.curriculum.get('choices'):
            cfg.curriculum.choices = []
    if args.deterministic:
        cfg.randomness.deterministic = True
    if args.auto_scale_lr:
        if cfg.get('auto_scale_lr') is None:
            raise ConfigError('--auto-scale-lr needs auto_scale_lr.base_batch_size, which the config does not set.')
        cfg.auto_scale_lr.enable = True
    return cfg


def train(runner: CurriculumRunner, work_dir: str) -> None:
    """Train; say how to resume if the user stops it."""
    from mmengine.dist import is_main_process

    from avzoo.engine.roll_call import lost_process_reported

    try:
        with lost_process_reported('To resume, repeat the command with --resume, without a path.'):
            runner.train()
    except KeyboardInterrupt:
        if is_main_process():
            show(
                f'What is done is kept in {work_dir}. To resume, repeat the command with --resume, without a path.',
                stderr=True,
            )
        raise


def chosen_draws(draws: Sequence[int] | None, stage: int | None, num_draws: int) -> tuple[int, ...] | None:
    """Return the requested draws, each once and in order; ``None`` for all."""
    if draws is None:
        return None
    text = ' '.join(map(str, draws))
    if stage == 1:
        raise ConfigError(f'--draws {text} --stage 1: only stage 2 has draws. Leave out one of the two.')
    if max(draws) >= num_draws:
        raise ConfigError(f'--draws {text}: the config has draws 0 to {num_draws - 1}.')
    return tuple(sorted(set(draws)))


def side_by_side(args: argparse.Namespace) -> dict[str, Any]:
    """Return the runner's arguments for draws in parallel, if requested."""
    from avzoo.engine.gpus import check_gpus, gpu_ids

    gpus = [] if args.gpus is None else gpu_ids(args.gpus)
    check_gpus(gpus)  # Here, too: a dry run builds no runner.
    jobs = args.jobs or len(gpus)
    return dict(jobs=jobs, gpus=gpus) if jobs > 1 or gpus else {}


def runner_class(cfg: Config, more: Collection[str] = ()) -> type[CurriculumRunner]:
    """Return the runner that ``runner_type`` names; it is built like ``CurriculumRunner``.

    Args:
        cfg: The config.
        more: Names of further arguments that it is built with.
    """
    from avzoo.registry import RUNNERS

    name = cfg.get('runner_type') or 'CurriculumRunner'
    cls = RUNNERS.get(name)
    if cls is None:
        raise ConfigError(f"runner_type='{name}' is not registered.{nearest(name, RUNNERS.names())} {_BUILT_IN}")
    taken = inspect.signature(cls).parameters
    lacking = [one for one in ('cfg', 'resume', 'stage', 'draws', *more) if one not in taken]
    if lacking and not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
        work = 'draws in parallel' if set(lacking) <= set(more) else 'a curriculum'
        raise ConfigError(
            f"runner_type='{name}' does not run {work} (it does not accept {', '.join(lacking)}). {_BUILT_IN}"
        )
    return cls


if __name__ == '__main__':
    sys.exit(run_tool(main))
