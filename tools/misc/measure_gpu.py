"""Measure on a GPU the figures in docs/benchmarks.md, and print each next to that of an H100.

Parts, in this order:
  steps      tools/analysis_tools/benchmark.py of AV-DIFF on VGGSound and on UCF (about 3 minutes)
  curricula  tools/train.py of AV-DIFF on random features the size of VGGSound: with kept features and draws side by
             side; the same one after another; in the released mode (about 4, 5 and 6 minutes, and 11 GB on disk)
  tests      the tests marked cuda (about 2 minutes)

examples:
  python tools/misc/measure_gpu.py
  python tools/misc/measure_gpu.py steps tests --seconds 3
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from avzoo.utils.cli import ToolParser, positive_float, run_tool, show
from avzoo.utils.errors import AvzooError
from avzoo.utils.tables import text_table

REPO = Path(__file__).resolve().parents[2]
# Clips in seconds, and milliseconds of cases as graphs in docs/benchmarks.md.
_STEPS: dict[str, tuple[tuple[str, str], dict[str, float]]] = {
    'vgg': (
        ('10', '10'),
        {
            'base step': 6.3,
            'full iteration': 5.4,
            'full iteration, cached fusion': 1.6,
            'evaluation, 1,000 videos': 30.7,
        },
    ),
    'ucf': (('4', '12'), {'base step': 5.0, 'full iteration': 17.6, 'evaluation, 1,000 videos': 38.3}),
}
_KEPT = ('curriculum.full.frozen_mode=eval', 'curriculum.full.fusion_cache_mib=8192')
# Minutes calculated in docs/benchmarks.md, arguments of train.py, values of the config.
_CURRICULA: dict[str, tuple[float | None, tuple[str, ...], tuple[str, ...]]] = {
    'kept features, draws side by side': (None, ('--jobs', '3'), _KEPT),
    'kept features': (5.0, (), _KEPT),
    'released mode': (6.0, (), ()),
}


class Figure(NamedTuple):
    """A measured figure; ``expected`` is that of an H100, ``None`` where there is none."""

    what: str
    unit: str
    measured: float
    expected: float | None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('parts', nargs='*', metavar='PART', help=f'{", ".join(PARTS)} (default: all)')
    parser.add_argument(
        '--device', choices=('cuda', 'cpu'), default='cuda', help='cpu: to try out this tool (default: %(default)s)'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/gpu'),
        help='folder for the store and the runs (default: %(default)s)',
    )
    parser.add_argument(
        '--seconds', type=positive_float, default=1.0, help='time for each case of benchmark.py (default: %(default)g)'
    )
    parser.add_argument(
        '--share', type=positive_float, default=1.0, help="fraction of VGGSound's videos (default: %(default)g)"
    )
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='change config values')
    args = parser.parse_args(argv)
    args.out = args.out.absolute()  # The commands run in the repository.
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f'unknown part: {", ".join(sorted(unknown))}; choose from {", ".join(PARTS)}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    figures = []
    for part in args.parts or PARTS:
        for figure in PARTS[part](args):
            show(f'{figure.what}: {figure.measured:.2f} {figure.unit}')
            figures.append(figure)
    rows = [
        (f.what, f'{f.measured:.2f} {f.unit}', '-' if f.expected is None else f'{f.expected:g} {f.unit}')
        for f in figures
    ]
    show('\n' + text_table(('what', 'here', 'H100'), rows))
    return 0


def measure_steps(args: argparse.Namespace) -> Iterator[Figure]:
    for data, (clip, expected) in _STEPS.items():
        out = args.out / f'{data}.json'
        run(
            *('tools/analysis_tools/benchmark.py', f'avdiff_{data}_5shot', '--clip', *clip, '--out', out),
            *('--device', args.device, '--seconds', args.seconds, *with_values(args.cfg_options)),
        )
        cases = {case['name']: case for case in json.loads(out.read_text(encoding='utf-8'))['cases']}
        for name, milliseconds in expected.items():
            seconds = cases[name].get('graphs', cases[name]['now'])  # Only a GPU has graphs.
            yield Figure(f'{data}: {name}', 'ms', 1000 * seconds, milliseconds)


def measure_curricula(args: argparse.Namespace) -> Iterator[Figure]:
    from vgg_sized_store import write_vgg_sized_store

    store = write_vgg_sized_store(args.out / f'store_{args.share:g}', share=args.share)
    for name, (expected, arguments, values) in _CURRICULA.items():
        work_dir = args.out / name.replace(',', '').replace(' ', '_')
        shutil.rmtree(work_dir, ignore_errors=True)
        on_device = [f'{split}_dataloader.dataset.device={args.device}' for split in ('train', 'val', 'test')]
        begin = time.monotonic()
        run(
            *('tools/train.py', 'configs/avdiff/avdiff_vgg_5shot.py', '--work-dir', work_dir, *arguments),
            *('--cfg-options', f'data_root={store}', 'curriculum.references=[]', 'curriculum.choices=[]'),
            *(f'default_hooks.graphs.enabled={args.device == "cuda"}', *on_device, *values, *args.cfg_options),
        )
        yield Figure(f'curriculum, {name}', 'min', (time.monotonic() - begin) / 60, expected)


def run_tests(args: argparse.Namespace) -> Iterator[Figure]:
    begin = time.monotonic()
    run('-m', 'pytest', '-q', '-m', 'cuda', '-rf')
    yield Figure('tests marked cuda', 'min', (time.monotonic() - begin) / 60, None)


def with_values(values: Sequence[str]) -> list[str]:
    return ['--cfg-options', *values] if values else []


def run(*arguments: object) -> None:
    """Run Python in the repository; its output is shown.

    Raises:
        AvzooError: If it fails.
    """
    command = [str(argument) for argument in arguments]
    show(f'\n=== {" ".join(command)}')
    if code := subprocess.run([sys.executable, *command], cwd=REPO, check=False).returncode:
        raise AvzooError(f'{" ".join(command)} ended with exit code {code}; its message is above.')


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Figure]]] = dict(
    steps=measure_steps, curricula=measure_curricula, tests=run_tests
)


if __name__ == '__main__':
    sys.exit(run_tool(main))
