"""Download the weights of named models, or the features of a data set.

Weights go to the cache (AVZOO_HOME, by default ~/.cache/avzoo), where every tool finds them by name; AVZOO_OFFLINE=1
forbids the network. A file with a published SHA-256 is checked against it before use. The authors of AV-DIFF publish
none: the SHA-256 of the first download is recorded, and later ones must match it. Their files are imported after the
download.

examples:
  python tools/download.py --list
  python tools/download.py avdiff_synth_5shot
  python tools/download.py --dataset ucf --out data/ucf_fsl          # the authors' features, as a feature store
  python tools/download.py avdiff_ucf_5shot --data-root data/ucf_fsl # the authors' checkpoint, imported
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.errors import ConfigError
from avzoo.utils.printable import printable
from avzoo.zoo.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from avzoo.zoo.index import ModelEntry, find_model, read_index


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('names', metavar='NAME', nargs='*', help='zoo models')
    add('--dataset', metavar='NAME', help=f'data set whose features to download: {", ".join(BENCHMARKS)}')
    add('--out', metavar='DIR', help='feature store to write for --dataset (default: data/NAME_fsl)')
    add('--dtype', choices=['float32', 'float16'], help="how the authors' features are stored (default: float32)")
    add('--data-root', metavar='STORE', help="for a NAME with the authors' weights: the store of its data set")
    add('--gamma', type=float, help="calibration to store with the authors' weights, which have none")
    add('--list', action='store_true', help='list what can be downloaded')
    args = parser.parse_args(argv)
    if not (args.names or args.dataset or args.list):
        parser.error('give a NAME, --dataset or --list')
    if not args.dataset and (args.out or args.dtype):
        parser.error('--out and --dtype are only for --dataset')
    if not args.names and (args.data_root or args.gamma is not None):
        parser.error('--data-root and --gamma are only for a NAME')
    if args.gamma is not None and not args.data_root:
        parser.error('--gamma is stored on import and needs --data-root')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    entries = [find_model(name) for name in args.names]
    benchmark = named_benchmark(args.dataset) if args.dataset else None
    check_use(args, entries, benchmark)
    if args.list:
        show_list()
    for entry in entries:
        fetch_weights(entry, args.data_root, args.gamma)
    if benchmark:
        fetch_dataset(benchmark, args.out, args.dtype or 'float32')
    return 0


def named_benchmark(name: str) -> Benchmark:
    benchmark = find_benchmark(name)
    if benchmark is None:
        raise ConfigError(f"There is no data set '{name}'; choose one of {', '.join(BENCHMARKS)}.")
    return benchmark


def check_use(args: argparse.Namespace, entries: Sequence[ModelEntry], benchmark: Benchmark | None) -> None:
    """Refuse arguments that would do nothing with these models or this data set."""
    ready = [entry.name for entry in entries if entry.weights]
    if args.data_root and ready:
        raise ConfigError(
            f'--data-root and --gamma are only for weights to be imported; {ready[0]} has zoo weights, which are ready '
            'to use. Leave them out.'
        )
    if args.dtype and benchmark and not benchmark.urls:
        raise ConfigError(f'--dtype has no effect on {benchmark.title}, which is generated locally. Leave it out.')


def show_list() -> None:
    for name, entry in sorted(read_index().items()):
        if entry.weights:
            show(f'{name:<36} weights, {entry.size or 0:,} bytes, SHA-256 {entry.sha256 or "not published"}')
        elif entry.released_url:
            show(f'{name:<36} imported from {entry.released_url} (no checksum published); needs --data-root')
    for benchmark in BENCHMARKS.values():
        note = 'generated locally' if not benchmark.urls else f'{benchmark.urls[0]} (no checksum published)'
        show(f'--dataset {benchmark.key:<26} {note}')


def fetch_weights(entry: ModelEntry, data_root: str | None, gamma: float | None) -> None:
    # Imported in the functions, so that --help, --list and a mistyped option answer at once.
    from avzoo.avdiff_release.downloads import fetch_released_weights
    from avzoo.zoo.weights import has_weights, resolve_checkpoint

    if data_root is None and has_weights(entry):
        show(f'{entry.name}: {resolve_checkpoint(entry.name)}')
        return
    path, notes = fetch_released_weights(entry.name, data_root, gamma=gamma)
    show(f'{entry.name}: {path}')
    for note in notes:
        show(f'note: {printable(note)}')


def fetch_dataset(benchmark: Benchmark, out: str | None, dtype: str) -> None:
    from avzoo.importers.report import describe_store
    from avzoo.utils.progress import progress_of

    target = Path(out or f'data/{benchmark.store_name}')
    if not benchmark.urls:
        from avzoo.importers.synthetic import make_synth

        make_synth(target)
    else:
        from avzoo.avdiff_release.downloads import fetch_released_features

        with progress_of('class files') as on_progress:
            fetch_released_features(benchmark, target, dtype=dtype, on_progress=on_progress)
    show(describe_store(target))


if __name__ == '__main__':
    sys.exit(run_tool(main))
