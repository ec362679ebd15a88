"""Fetch weights by the name of their model, or the features of a data set.

Weights go to the cache (AVZOO_HOME, by default ~/.cache/avzoo), where every tool finds them by name; AVZOO_OFFLINE=1
forbids the network. Everything is checked against its SHA-256 before it is used. The authors of AV-DIFF publish no
checksums: there the first download is recorded, and later ones are held to it. Their files are converted on the fly.

examples:
  python tools/download.py --list
  python tools/download.py avdiff_synth_5shot
  python tools/download.py --dataset ucf --out data/ucf_fsl          # the authors' features, as a feature store
  python tools/download.py avdiff_ucf_5shot --data-root data/ucf_fsl # the authors' checkpoint, converted
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.apis.benchmarks import BENCHMARKS, find_benchmark
from avzoo.apis.checkpoints import converted_path, resolve_checkpoint
from avzoo.apis.model_index import find_model, read_index
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import ConfigError


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('names', metavar='NAME', nargs='*', help='models of the zoo')
    add('--dataset', metavar='NAME', help=f'features of a data set: {", ".join(BENCHMARKS)}')
    add('--out', metavar='DIR', help='feature store to make of --dataset (default: data/NAME_fsl)')
    add('--dtype', choices=['float32', 'float16'], default='float32', help='how its features are stored')
    add('--data-root', metavar='STORE', help="with a NAME whose weights are the authors': the store of its data set")
    add('--gamma', type=float, help="calibration to store with the authors' weights, which come without one")
    add('--list', action='store_true', help='show what can be fetched')
    args = parser.parse_args(argv)
    if not (args.names or args.dataset or args.list):
        parser.error('give a NAME, --dataset or --list')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.list:
        show_list()
    for name in args.names:
        fetch_weights(name, args.data_root, args.gamma)
    if args.dataset:
        fetch_dataset(args.dataset, args.out, args.dtype)


def show_list() -> None:
    for name, entry in sorted(read_index().items()):
        if entry.weights:
            print(f'{name:<36} weights, {entry.size or 0:,} bytes, SHA-256 {entry.sha256 or "not published"}')
    for benchmark in BENCHMARKS.values():
        note = 'made on the spot' if not benchmark.urls else f'{benchmark.urls[0]} (no checksum published)'
        print(f'--dataset {benchmark.key:<26} {note}')


def fetch_weights(name: str, data_root: str | None, gamma: float | None) -> None:
    if find_model(name).weights or (data_root is None and converted_path(name).is_file()):
        print(f'{name}: {resolve_checkpoint(name)}')
        return
    from avzoo.apis.released import fetch_released_weights

    path, notes = fetch_released_weights(name, data_root, gamma=gamma)
    print(f'{name}: {path}')
    for note in notes:
        print(f'note: {note}')


def fetch_dataset(name: str, out: str | None, dtype: str) -> None:
    benchmark = find_benchmark(name)
    if benchmark is None:
        raise ConfigError(f"There is no data set '{name}'; choose one of {', '.join(BENCHMARKS)}.")
    target = Path(out or f'data/{benchmark.store_name}')
    if not benchmark.urls:
        from avzoo.datasets.synthetic import make_synth
        make_synth(target)
    else:
        from rich.console import Console
        from rich.progress import Progress

        from avzoo.apis.released import fetch_released_features
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task('converting', total=None, visible=False)
            fetch_released_features(benchmark, target, dtype=dtype, on_progress=lambda done, total: progress.update(
                task, completed=done, total=total, visible=True))
    print(f'{benchmark.title}: {target}')


if __name__ == '__main__':
    sys.exit(run_tool(main))
