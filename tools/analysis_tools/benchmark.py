"""Measure the speed of a method on this machine: data, training, sampling, evaluation, prediction.

Each case is run in a plain way (padding computed like any step, the sampling chain step by step, videos fetched one by
one) and as avzoo does it, in the config's precision and in bf16, as with --amp. The floor is the unavoidable part:
products of real steps at the rate of this machine or, for data, the copy of a batch. Features are random, with the
widths of the config. On a CPU, times are for one thread. On a GPU, the table also has times as CUDA graphs, kernels,
waits and the share of time that the GPU is busy, and a base step on random batches that are read from disk and copied
ahead of it; in the plain way, the step copies them itself.

examples:
  python tools/analysis_tools/benchmark.py configs/avdiff/avdiff_ucf_5shot.py
  python tools/analysis_tools/benchmark.py avdiff_vgg_5shot --clip 10 10 --device cuda --out speed.json
  python tools/analysis_tools/benchmark.py avdiff_synth_5shot --seconds 0.2 --against speed.json
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, positive_float, run_tool, show
from avzoo.utils.errors import ConfigError
from avzoo.utils.files import atomic_write_text, check_out
from avzoo.utils.tables import text_table

_COLUMNS = ('plain', 'now', 'ratio', 'bf16', 'floor', 'graphs', 'kernels', 'waits', 'busy')
_KEPT = 2 / 3  # Share of a ratio below which --against fails.


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('config', metavar='NAME_OR_CONFIG', help='a zoo model name, or a config file')
    parser.add_argument(
        '--device', choices=('cpu', 'cuda'), default='cpu', help='where to compute (default: %(default)s)'
    )
    parser.add_argument(
        '--seconds', type=positive_float, default=3.0, help='seconds to repeat each case for (default: %(default)g)'
    )
    parser.add_argument(
        '--clip',
        type=positive_float,
        nargs=2,
        default=(4.0, 12.0),
        metavar=('SHORTEST', 'LONGEST'),
        help='lengths of the videos, in seconds (default: 4 12)',
    )
    parser.add_argument(
        '--data-root', metavar='STORE', help="feature store to take widths from (default: the config's)"
    )
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='change config values')
    parser.add_argument('--out', type=Path, metavar='FILE', help='write the numbers to this file as JSON')
    parser.add_argument(
        '--against',
        type=Path,
        metavar='FILE',
        help='compare the ratios with those of an earlier --out, and fail if one has dropped by a third',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.clip[0] > args.clip[1]:
        raise ConfigError(f'--clip {args.clip[0]:g} {args.clip[1]:g}: give the shortest length first.')
    if args.out is not None:
        check_out(args.out)
    before = None if args.against is None else _read(args.against)
    # Imported here, so that --help and a mistyped option answer at once.
    import torch

    from avzoo.apis.register import register_all_modules
    from avzoo.speed.measure import measure
    from avzoo.zoo.build import config_of, data_info_of

    register_all_modules()
    torch.set_num_threads(1)
    cfg = config_of(args.config, args.cfg_options)
    torch.set_float32_matmul_precision(cfg.get('float32_matmul_precision', 'highest'))
    info = data_info_of(cfg, data_root=args.data_root)
    rows = measure(cfg, info, device=args.device, seconds=args.seconds, clip=tuple(args.clip))
    show(text_table(('milliseconds', *_columns(rows)), [_cells(row, _columns(rows)) for row in rows]))
    if args.out is not None:
        machine = dict(device=args.device, torch=torch.__version__, config=args.config, clip=list(args.clip))
        atomic_write_text(args.out, json.dumps(dict(machine, cases=rows), indent=1) + '\n')
    return 0 if before is None else _compare(rows, before)


def _columns(rows: list[dict]) -> list[str]:
    return [key for key in _COLUMNS if key in rows[1]]


def _cells(row: dict, columns: Sequence[str]) -> list[str]:
    formats = dict(ratio='{:.2f}', busy='{:.0%}', kernels='{:d}', waits='{:d}')
    values = {key: value if key in formats else 1000 * value for key, value in row.items() if key != 'name'}
    return [row['name'], *(formats.get(key, '{:.2f}').format(values[key]) if key in row else '-' for key in columns)]


def _read(path: Path) -> dict[str, float]:
    try:
        cases = json.loads(path.read_text(encoding='utf-8'))['cases']
        ratios = {row['name']: float(row['ratio']) for row in cases}
        if not ratios or not all(map(math.isfinite, ratios.values())):
            raise ValueError('it has no ratios to compare with')
        return ratios
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'--against {path}: not the --out file of an earlier run ({error}).') from error


def _compare(rows: list[dict], before: dict[str, float]) -> int:
    """Say which ratios have dropped; returns the exit code."""
    fallen = [row for row in rows if row['ratio'] < _KEPT * before.get(row['name'], 0)]
    for row in fallen:
        show(f'{row["name"]}: {row["ratio"]:.2f} times as fast as the plain way; before: {before[row["name"]]:.2f}')
    return 1 if fallen else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
