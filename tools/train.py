"""Train a method through the whole curriculum and print its B / N / HM / FSL table."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.plan import describe_plan
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import ConfigError
from avzoo.utils.launch import add_common_arguments, config_from_arguments

_EPILOG = """examples:
  the whole curriculum on the embedded data set
    python tools/train.py configs/avdiff/avdiff_synth_5shot.py
  go on after an interruption (finished phases are not run again)
    python tools/train.py configs/avdiff/avdiff_synth_5shot.py --resume
  your own features, with fewer epochs
    python tools/train.py configs/avdiff/avdiff_custom_5shot.py --cfg-options data_root=data/mine \\
        curriculum.base.max_epochs=10
  two GPUs
    torchrun --nproc_per_node=2 tools/train.py configs/avdiff/avdiff_vgg_5shot.py --launcher pytorch
"""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=_EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, e.g. configs/avdiff/avdiff_ucf_5shot.py')
    add_common_arguments(parser)
    parser.add_argument('--resume', nargs='?', const=True, default=False, metavar='CKPT',
                        help='go on with the run in the work directory; with CKPT, the running phase goes back to that '
                             'checkpoint of its own')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the number of processes')
    parser.add_argument('--no-validate', action='store_true',
                        help='no validation: stage 2 then takes the configured epochs and no calibration')
    parser.add_argument('--deterministic', action='store_true', help='only deterministic algorithms (slower on GPUs)')
    parser.add_argument('--stage', type=int, choices=[1, 2], help='run only this stage')
    parser.add_argument('--draws', type=int, nargs='+', help='run only these draws of stage 2 (from 0)')
    parser.add_argument('--dry-run', action='store_true', help='check config and data, print the plan, train nothing')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    args = parse_arguments(argv)
    cfg = config_from_arguments(args)
    cfg.work_dir = args.work_dir or str(Path('work_dirs') / Path(args.config).stem)
    if args.amp:
        cfg.optim_wrapper.type = 'AutocastOptimWrapper'
    if args.no_validate:
        cfg.curriculum.validate = False
    if args.deterministic:
        cfg.randomness.deterministic = True
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    if args.draws is not None and not set(args.draws) <= set(range(cfg.curriculum.num_draws)):
        raise ConfigError(f'--draws {" ".join(map(str, args.draws))}: the config has draws 0 to '
                          f'{cfg.curriculum.num_draws - 1}.')
    if cfg.get('synthesize'):
        _make_synth(cfg)
    if args.dry_run:
        print(describe_plan(cfg, args.draws, args.stage))
        return
    CurriculumRunner(cfg, resume=args.resume, stage=args.stage, draws=args.draws).train()


def _make_synth(cfg) -> None:
    from mmengine.dist import barrier, is_main_process

    from avzoo.datasets.synthetic import make_synth
    if is_main_process() and not Path(cfg.data_root).exists():
        make_synth(cfg.data_root)
    barrier()


if __name__ == '__main__':
    sys.exit(run_tool(main))
