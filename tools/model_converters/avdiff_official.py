"""Turn a checkpoint released with AV-DIFF into an avzoo checkpoint and its config, or back.

SRC is a .pt, a run folder (args.yaml beside AVDiff_score.pt), or a zip or folder of many run folders such as the
released models.zip. DST receives checkpoint.pth and config.py. Nothing in SRC is run: args.pkl is never opened.
With --reverse SRC is an avzoo checkpoint, and DST the .pt to write.

example:
  python tools/model_converters/avdiff_official.py downloads/models.zip work_dirs/released_ucf \\
      --dataset ucf --shots 5 --stage 2 --data-root data/ucf_fsl
  python tools/model_converters/avdiff_official.py work_dirs/released_ucf/checkpoint.pth AVDiff_score.pt --reverse
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.engine.checkpoint import save_checkpoint
from avzoo.models.converters import convert, revert
from avzoo.utils.cli import natural_int, positive_int, run_tool
from avzoo.utils.files import atomic_write_text


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', metavar='SRC', type=Path, help='what to convert')
    parser.add_argument('dst', metavar='DST', type=Path, help='folder to write to; with --reverse the .pt to write')
    parser.add_argument('--dataset', choices=['vgg', 'ucf', 'activitynet'], help='which run to take among several')
    parser.add_argument('--shots', type=positive_int, metavar='K', help='K of the run to take')
    parser.add_argument('--stage', type=int, choices=[1, 2], help='stage of the run to take')
    parser.add_argument('--draw', type=natural_int, default=0, help='draw of a stage-2 run (default: %(default)s)')
    parser.add_argument('--data-root', metavar='STORE', help='feature store that gives class names and class vectors')
    parser.add_argument('--gamma', type=float, help='calibration to store (a released checkpoint holds none)')
    parser.add_argument('--reverse', action='store_true', help='from avzoo to the released format')
    parser.add_argument('--generator-dropout', action='store_true',
                        help='with --reverse: the noise predictor was trained with dropout (the released layers are '
                             'numbered by it); a converted checkpoint knows itself')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.reverse:
        args.dst.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(args.dst, revert(args.src, generator_dropout=args.generator_dropout))
        print(f'{args.dst}: {args.src} in the released format')
        return 0
    done = convert(args.src, dataset=args.dataset, shots=args.shots, stage=args.stage, draw=args.draw,
                   data_root=args.data_root, gamma=args.gamma)
    args.dst.mkdir(parents=True, exist_ok=True)
    save_checkpoint(args.dst / 'checkpoint.pth', done.checkpoint)
    atomic_write_text(args.dst / 'config.py', done.config)
    print(f'{args.dst / "checkpoint.pth"} and config.py: {done.source}')
    for note in done.notes:
        print(f'note: {note}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
