"""Write measured values to the metafiles (sizes, results, checkpoints), and the index of metafiles.

Without --weights, --results or --converted-from, this lists every configs/*/metafile.yml in model-index.yml, and writes
Parameters and FLOPs of each model (of --models) on a data set with known widths. Then run tools/misc/make_model_zoo.py.

examples:
  python tools/misc/update_metafiles.py --models 'avdiff*'
  python tools/misc/update_metafiles.py --weights weights/avdiff_synth_5shot.safetensors
  python tools/misc/update_metafiles.py --results work_dirs/avdiff_synth_5shot/results.json --models avdiff_synth_5shot
  python tools/misc/update_metafiles.py --converted-from https://example.org/models.zip --models 'avdiff_ucf_*shot'
"""

import argparse
import fnmatch
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from avzoo.protocol import TABLE_METRICS
from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.errors import ConfigError, nearest
from avzoo.utils.files import atomic_write_text, sha256_of
from avzoo.zoo.index import ModelEntry, find_model, read_index
from metafile_text import set_values

REPO = Path(__file__).resolve().parents[2]
LICENCE = 'Apache-2.0'
ORIGIN = 'Converted From'  # The key in mim's metafiles.


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('--models', nargs='+', metavar='PATTERN', help='which models (default: all)')
    parser.add_argument('--weights', type=Path, metavar='FILE', help='zoo weights, in the repository')
    parser.add_argument('--url', nargs='+', metavar='URL', help='other addresses of the weights, tried in this order')
    parser.add_argument('--licence', help=f'licence of the weights (default: {LICENCE})')
    parser.add_argument(
        '--converted-from',
        metavar='URL',
        help='source of imported --weights, or the file that tools/download.py imports for --models',
    )
    parser.add_argument(
        '--results',
        type=Path,
        nargs='+',
        metavar='FILE',
        help='results.json of a run; give several for runs with different seeds',
    )
    args = parser.parse_args(argv)
    if not args.weights and (args.url or args.licence):
        parser.error('--url and --licence belong to --weights')
    if args.models and args.weights and not args.results:
        parser.error('--weights belong to the model with their name: omit --models')
    if args.results and len(args.models or ()) != 1:
        parser.error('--results belong to one model: specify it with --models')
    if args.converted_from and not args.weights and not args.models:
        parser.error('--converted-from needs --weights, or --models that are imported on download')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.weights:
        write_weights(args.weights, args.url or [], args.licence or LICENCE, args.converted_from)
    elif args.converted_from:
        for name, entry in matching(args.models).items():
            edit(entry.config, name, {ORIGIN: dict(Weights=args.converted_from)})
    if args.results:
        write_results(args.results, args.models[0])
    if not (args.weights or args.results or args.converted_from):
        write_index()
        write_sizes(args.models or ['*'])
    return 0


def matching(patterns: Sequence[str]) -> dict[str, ModelEntry]:
    """Return the models whose names match; a pattern without a match is an error."""
    index = read_index(REPO)
    for pattern in patterns:
        if not fnmatch.filter(index, pattern):
            raise ConfigError(f"No model matches --models '{pattern}'.{nearest(pattern, index)}")
    return {name: entry for name, entry in index.items() if any(fnmatch.fnmatchcase(name, p) for p in patterns)}


def write_index() -> None:
    """List every metafile in the index; existing entries keep their order."""
    path = REPO / 'model-index.yml'
    there = [file.relative_to(REPO).as_posix() for file in sorted(REPO.glob('configs/*/metafile.yml'))]
    before = (yaml.safe_load(path.read_text(encoding='utf-8')).get('Import') or []) if path.is_file() else []
    names = [name for name in before if name in there] + [name for name in there if name not in before]
    text = "# The model zoo's index: one metafile per folder under configs/.\nImport:\n"
    change(path, text + ''.join(f'  - {name}\n' for name in names))


def write_sizes(patterns: Sequence[str]) -> None:
    # Imported in the functions, so that --help and a mistyped option answer at once.
    from avzoo.apis.hub import get_model
    from avzoo.speed.flops import count_flops, count_parameters
    from avzoo.zoo.benchmarks import find_benchmark
    from avzoo.zoo.build import config_of

    counted: dict[str, dict[str, int]] = {}  # Many models differ only in dropout.
    for name, entry in matching(patterns).items():
        benchmark = find_benchmark(entry.dataset)
        if benchmark is None:
            continue
        cfg = config_of(entry.config)
        shape = json.dumps([benchmark.key, without_dropout(cfg.model.to_dict())], sort_keys=True, default=str)
        if shape not in counted:
            model = get_model(cfg, data_info=benchmark.data_info)
            counted[shape] = dict(Parameters=count_parameters(model), FLOPs=count_flops(model, benchmark.data_info))
        edit(entry.config, name, counted[shape], under=['Metadata'])


def without_dropout(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_dropout(value) for key, value in node.items() if key != 'dropout'}
    return node


def write_weights(path: Path, urls: Sequence[str], licence: str, converted_from: str | None) -> None:
    path = path.resolve()
    if not path.is_file():
        raise ConfigError(f'There is no weight file {path}. Check the path.')
    if not path.is_relative_to(REPO) and not urls:
        raise ConfigError(f'{path} is outside the repository: give its --url.')
    places = [*urls, *([path.relative_to(REPO).as_posix()] if path.is_relative_to(REPO) else [])]
    values: dict[str, Any] = dict(
        Weights=places[0], Mirrors=places[1:] or None, SHA256=sha256_of(path), Size=path.stat().st_size, License=licence
    )
    values[ORIGIN] = dict(Weights=converted_from) if converted_from else None
    edit(find_model(path.stem).config, path.stem, values)


def read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding='utf-8'))
        wanted = {'method', 'dataset', 'num_shots', 'seed', 'draws'}
        if missing := set(TABLE_METRICS) - run['aggregate'].keys() or wanted - run.keys():
            raise ValueError(f'it lacks {sorted(missing)[0]}')
        if not isinstance(run['draws'], list):
            raise ValueError('draws is not a list')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f'{path} is not a results.json of tools/train.py: {type(error).__name__}: {error}.'
        ) from error
    return run


def check_run(path: Path, run: Mapping[str, Any], name: str) -> None:
    from avzoo.zoo.benchmarks import find_benchmark
    from avzoo.zoo.build import config_of

    cfg = config_of(name)
    wanted = dict(method=cfg.method, num_shots=cfg.num_shots, draws=cfg.curriculum.num_draws)
    found = dict(run, draws=len(run['draws']))
    if benchmark := find_benchmark(find_model(name).dataset):
        wanted['dataset'] = benchmark.store_name
    for key, value in wanted.items():
        if found[key] != value:
            raise ConfigError(
                f'{path} is from a run with {key} {found[key]}, but {name} has {value}. Give the results of a '
                'complete run of that model.'
            )


def write_results(paths: Sequence[Path], name: str) -> None:
    runs = [read_run(path) for path in paths]
    for path, run in zip(paths, runs, strict=True):
        check_run(path, run, name)
    first = runs[0]['aggregate']
    values = {key: round(sum(run['aggregate'][key] for run in runs) / len(runs), 2) for key in TABLE_METRICS}
    if len(runs) == 1 and first.get('ci95') is not None:
        values['CI95'] = round(first['ci95'], 2)
    elif len(runs) > 1:
        from avzoo.evaluation.functional import half_width_95

        values['CI95'] = round(half_width_95([run['aggregate']['HM'] for run in runs]), 2)
    values['Seeds'] = sorted(run['seed'] for run in runs)
    edit(find_model(name).config, name, dict(Metrics=values), under=['Results'])


def edit(config: Path, name: str, values: Mapping[str, Any], *, under: Sequence[str] = ()) -> None:
    path = config.with_name('metafile.yml')
    change(path, set_values(path.read_text(encoding='utf-8'), name, values, under=under))


def change(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        atomic_write_text(path, text)
        show(f'{path.relative_to(REPO)}: written')


if __name__ == '__main__':
    sys.exit(run_tool(main))
