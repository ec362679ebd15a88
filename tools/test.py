"""Test a checkpoint, or all draws of a finished run, and print the B / N / HM / FSL table."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.utils.files import atomic_write_text, check_out
from avzoo.utils.launch_arguments import add_common_arguments, say

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config

    from avzoo.engine.curriculum.evaluate import Evaluation

_CHECKPOINT_HELP = 'a checkpoint file, the name of a model with weights, or the work directory of a run (all draws)'
_EPILOG = """examples:
  all draws of a run
    python tools/test.py configs/avdiff/avdiff_synth_5shot.py work_dirs/avdiff_synth_5shot
  one checkpoint; write its predictions to a file (video_id, label, classes, base_mask, scores, gamma)
    python tools/test.py configs/avdiff/avdiff_synth_5shot.py work_dirs/avdiff_synth_5shot/stage2_full_draw0/last.pth \\
        --out predictions.npz --out-item pred
"""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__, epilog=_EPILOG)
    parser.add_argument(
        'config',
        metavar='NAME_OR_CONFIG',
        help='what the checkpoint was trained with: a zoo model name, a config file, or the folder of a run',
    )
    parser.add_argument('checkpoint', help=_CHECKPOINT_HELP)
    add_common_arguments(parser, 'work_dirs/NAME_OF_CONFIG/test')
    parser.add_argument('--split', choices=['val', 'test'], default='test', help='what to evaluate on')
    parser.add_argument(
        '--gamma',
        type=calibration,
        metavar='{search,NUMBER}',
        help="calibration to use instead of the checkpoint's: the best on validation (with --split val), or a number, "
        'usually from 0 to 1',
    )
    parser.add_argument('--out', metavar='FILE.{json,npz}', help='write the result to a file')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        default='metrics',
        help='content of --out: the metrics, or video_id, label, classes (column order), base_mask, scores (N, C) and '
        'gamma, which is subtracted from the scores of base classes',
    )
    return parser.parse_args(argv)


def calibration(text: str) -> float | str:
    """Parse a value of --gamma."""
    if text != 'search' and not math.isfinite(float(text)):
        raise ValueError
    return text if text == 'search' else float(text)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.out:
        if Path(args.out).suffix not in ('.json', '.npz'):
            raise ConfigError(f'--out {args.out}: the file must end in .json or .npz.')
        check_out(args.out).parent.mkdir(parents=True, exist_ok=True)
    say('Loading PyTorch and reading the config ...')
    # Imported here, so that --help and a mistyped option answer at once.
    from mmengine.dist import is_main_process

    from avzoo.apis.register import register_all_modules
    from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
    from avzoo.engine.launch import config_from_arguments
    from avzoo.evaluation.functional import aggregate_draws
    from avzoo.importers.synthetic import ensure_synth
    from avzoo.zoo.build import config_path
    from avzoo.zoo.runs import run_of

    register_all_modules()  # The config may have a base `avzoo::...`.
    args.config = config_path(args.config)
    cfg = config_from_arguments(args)
    ensure_synth(cfg)
    run = run_of(args.config) or Path('work_dirs') / args.config.stem
    work_dir = Path(args.work_dir or run / 'test')
    done = [
        evaluate_checkpoint(cfg, path, split=args.split, draw=None, work_dir=work_dir, gamma=args.gamma, amp=args.amp)
        for path in find_checkpoints(args.checkpoint, args.split)
    ]
    if is_main_process():
        aggregate = aggregate_draws([e.metrics for e in done])
        show_results(cfg, args, done, aggregate)
        if args.out:
            write_output(Path(args.out), args.out_item, done, aggregate)
            show(f'Written to {args.out}')
    return 0


def show_results(cfg: Config, args: argparse.Namespace, done: Sequence[Evaluation], aggregate: dict[str, Any]) -> None:
    """Print the table of all draws, and where the calibration comes from."""
    from avzoo.evaluation.report import interval_line, results_table

    rows = [dict(e.metrics, name=f'{cfg.method} / {e.name}') for e in done]
    show(results_table([*rows, dict(aggregate, name=f'{cfg.method} / mean')] if len(done) > 1 else rows))
    if len(done) > 1:
        show(interval_line(aggregate))
    used = sorted({e.metrics['gamma'] for e in done})
    origin = 'given' if args.gamma is not None else 'from the checkpoint'
    if args.gamma == 'search':
        origin = 'the best on validation'
    elif args.gamma is None and cfg.curriculum.zero_gamma == 'search_test' and args.split == 'test':
        origin += '; if that is 0, searched on the test set, as set by curriculum.zero_gamma'
    show(f'calibration gamma: {", ".join(f"{gamma:g}" for gamma in used)} ({origin})')


def find_checkpoints(source: str, split: str) -> list[Path]:
    """Return the checkpoint itself, or those of a work directory: of each draw, or of stage 1 for validation."""
    from avzoo.engine.curriculum.plan import Phase
    from avzoo.engine.curriculum.state import finished_phases
    from avzoo.zoo.index import read_index
    from avzoo.zoo.runs import weights_in
    from avzoo.zoo.weights import resolve_checkpoint

    path = Path(source)
    if source in read_index() or not path.is_dir():
        return [resolve_checkpoint(source)]
    wanted = [p for p in finished_phases(path) if (p == Phase(1, 'full') if split == 'val' else p.draw is not None)]
    found = [file for phase in wanted if (file := weights_in(path / phase.name)) is not None]
    if not found:
        raise CheckpointError(
            f'{path} holds no finished run to evaluate on {split}; train one with tools/train.py, or '
            'give a checkpoint file.'
        )
    return found


def write_output(path: Path, item: str, done: Sequence[Evaluation], aggregate: dict[str, Any]) -> None:
    """Write metrics or predictions as JSON or npz; with several draws, one entry or prefix each."""
    from avzoo.evaluation.predictions import write_arrays
    from avzoo.evaluation.report import plain

    if item == 'metrics':
        content = dict(draws={e.name: e.metrics for e in done}, aggregate=aggregate)
    else:
        content = {e.name: e.predictions for e in done}
        content = next(iter(content.values())) if len(done) == 1 else content
    if path.suffix == '.json':
        atomic_write_text(path, json.dumps(plain(content), indent=2) + '\n')
    else:
        write_arrays(path, _flat(content))


def _flat(content: dict[str, Any], prefix: str = '') -> dict[str, np.ndarray]:
    import numpy as np

    arrays = {}
    for key, value in content.items():
        if isinstance(value, dict):
            arrays.update(_flat(value, f'{prefix}{key}.'))
        else:  # None would become an object, which is not read without unpickling.
            arrays[prefix + key] = np.asarray(np.nan if value is None else value)
    return arrays


if __name__ == '__main__':
    sys.exit(run_tool(main))
