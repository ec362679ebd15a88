"""Turn a checkpoint released with AV-DIFF into an avzoo checkpoint and its config, or back.

SRC is a .pt, a run folder (args.yaml next to AVDiff_score.pt; draw N of stage 2 is the last epoch in checkpoints,
checkpoints_1 or checkpoints_2), or a zip or folder of many run folders such as the released models.zip.
checkpoint.pth and config.py are written to DST. Nothing in SRC is executed: args.pkl is never opened.
With --reverse, SRC is an avzoo checkpoint and DST the .pt to write; its settings go to args.yaml next to it, and
--dataset is the only other option.

example:
  python tools/model_converters/avdiff_official.py downloads/models.zip work_dirs/released_ucf \\
      --dataset ucf --shots 5 --stage 2 --data-root data/ucf_fsl
  python tools/model_converters/avdiff_official.py work_dirs/released_ucf/checkpoint.pth run/AVDiff_score.pt --reverse
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool, show
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import atomic_write_text
from avzoo.utils.printable import printable
from avzoo.zoo.benchmarks import BENCHMARKS


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('src', metavar='SRC', type=Path, help='what to import; with --reverse, what to export')
    parser.add_argument('dst', metavar='DST', type=Path, help='folder to write to; with --reverse the .pt to write')
    parser.add_argument(
        '--dataset',
        type=str.lower,
        choices=[key for key, benchmark in BENCHMARKS.items() if benchmark.urls],
        help='data set of the run to import; with --reverse, the one that the model was trained on',
    )
    parser.add_argument('--shots', type=positive_int, metavar='K', help='K of the run to import')
    parser.add_argument('--stage', type=int, choices=[1, 2], help='stage of the run to import')
    parser.add_argument('--draw', type=natural_int, help='draw of a stage-2 run (default: 0)')
    parser.add_argument('--data-root', metavar='STORE', help='feature store with the class names and class vectors')
    parser.add_argument(
        '--gamma',
        type=float,
        help='calibration to store, as found by tools/test.py --split val '
        '--gamma search (released checkpoints have none)',
    )
    parser.add_argument('--reverse', action='store_true', help='convert from avzoo to the released format')
    args = parser.parse_args(argv)
    idle = [
        f'--{name.replace("_", "-")}'
        for name in ('shots', 'stage', 'draw', 'data_root', 'gamma')
        if args.reverse and getattr(args, name) is not None
    ]
    if idle:
        parser.error(f'{idle[0]} is not allowed with --reverse')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return _export(args) if args.reverse else _import(args)


def _import(args: argparse.Namespace) -> int:
    # Imported in the functions, so that --help and a mistyped option answer at once.
    from avzoo.avdiff_release.import_checkpoint import TITLE, import_checkpoint
    from avzoo.checkpoints.training import save_checkpoint

    if args.dst.exists() and not args.dst.is_dir():
        raise CheckpointError(f'{args.dst} is a file; give a folder for checkpoint.pth and config.py.')
    for name in ('checkpoint.pth', 'config.py'):
        if (args.dst / name).is_dir():
            raise CheckpointError(f'{args.dst / name} is a folder; give another DST.')
    config = args.dst / 'config.py'
    if config.exists() and not config.read_bytes().startswith(f'"""{TITLE}'.encode()):
        raise CheckpointError(f'{config} was not written by this tool; give another folder.')
    done = import_checkpoint(
        args.src,
        dataset=args.dataset,
        shots=args.shots,
        stage=args.stage,
        draw=args.draw,
        data_root=args.data_root,
        gamma=args.gamma,
    )
    _make_folder(args.dst)
    save_checkpoint(args.dst / 'checkpoint.pth', done.checkpoint)
    atomic_write_text(args.dst / 'config.py', done.config)
    show(f'{args.dst / "checkpoint.pth"} and config.py: {done.source}')
    for note in done.notes:
        show(f'note: {printable(note)}')
    return 0


def _export(args: argparse.Namespace) -> int:
    from avzoo.avdiff_release.export_checkpoint import export_checkpoint
    from avzoo.checkpoints.training import save_checkpoint

    args.dst = args.dst.resolve()
    if args.dst.is_dir():
        raise CheckpointError(f'{args.dst} is a folder; give the file to write, e.g. {args.dst / "AVDiff_score.pt"}.')
    if args.dst.suffix != '.pt':
        example = args.dst.with_suffix('.pt') if args.dst.suffix else args.dst / 'AVDiff_score.pt'
        raise CheckpointError(
            f'{args.dst} does not end in .pt, as checkpoints of the released code do; give the '
            f'file to write, e.g. {example}.'
        )
    if args.dst == args.src.resolve():
        raise CheckpointError(f'{args.dst} is the file to export; write to another file.')
    done = export_checkpoint(args.src, dataset=args.dataset)
    settings = args.dst.with_name('args.yaml')
    if settings.is_dir():
        raise CheckpointError(f'{settings} is a folder; give another DST.')
    if settings.exists() and not _are_of_the_same_run(settings, done.settings):
        raise CheckpointError(
            f'{settings} belongs to another run, or names a data set that is unknown here '
            '(--dataset); write to another folder.'
        )
    _make_folder(args.dst.parent)
    save_checkpoint(args.dst, done.checkpoint)
    atomic_write_text(settings, yaml.safe_dump(done.settings))
    show(f'{args.dst} and args.yaml: {args.src} in the released format')
    for note in done.notes:
        show(f'note: {printable(note)}')
    return 0


def _are_of_the_same_run(path: Path, settings: dict[str, Any]) -> bool:
    """Return whether a file holds these settings, which may lack the data set."""
    from avzoo.avdiff_release.settings import parse_settings

    try:
        before = parse_settings(path.read_bytes(), str(path))
    except (CheckpointError, OSError):
        return False
    return {'dataset_name': settings.get('dataset_name'), **before} == {'dataset_name': None, **settings}


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CheckpointError(f'{path} cannot be created: a part of the path is a file.') from error
    except FileNotFoundError as error:
        raise CheckpointError(f'{path} cannot be created: {error.strerror}.') from error


if __name__ == '__main__':
    sys.exit(run_tool(main))
