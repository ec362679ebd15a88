"""Change the source in one place at a time and count the changes that the tests detect (mutation testing with mutmut).

Each group of modules is tested with its own test files, in a copy of the files tracked by git. Survivors are printed
with their diffs. docs/mutation_testing.md has the scores.

example:
  nice -n 15 python tools/misc/mutation_score.py samplers attention
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, positive_int, run_tool, show
from avzoo.utils.errors import DataError

REPO = Path(__file__).resolve().parents[2]


def _model_tests(*names: str) -> list[str]:
    return [f'tests/models/test_{name}.py' for name in (*names, 'part_contracts', 'defaults', 'devices')]


# Name of a group: its source files (patterns), its tests.
GROUPS: dict[str, tuple[list[str], list[str]]] = {
    'samplers': (['avzoo/datasets/samplers.py'], ['tests/datasets']),
    'metrics': (
        [
            f'avzoo/evaluation/{name}.py'
            for name in (
                'calibration',
                'functional',
                'gfsl_metric',
                'linear_references',
                'paired',
                'reference_features',
                'reference_methods',
            )
        ],
        ['tests/evaluation'],
    ),
    'attention': (
        ['avzoo/models/fusions/attention_patterns.py', 'avzoo/models/fusions/masked_transformer.py'],
        _model_tests('attention_by_hand', 'fusions', 'idle_arguments'),
    ),
    'generators': (
        ['avzoo/models/generators/*'],
        [*_model_tests('ddpm', 'wgan_gp'), 'tests/faithfulness/test_model_by_hand.py', '-k', 'not it_learns'],  # slow
    ),
    'curriculum': (
        ['avzoo/engine/curriculum/plan.py', 'avzoo/engine/curriculum/state.py'],
        ['tests/engine/test_plan.py', 'tests/engine/test_curriculum_state.py'],
    ),
    'preflight': (['avzoo/engine/curriculum/preflight.py'], ['tests/engine/test_preflight.py']),
    'checkpoints': (['avzoo/checkpoints/training.py'], ['tests/checkpoints/test_training.py']),
}
SHOW = 'import sys; from mutmut.__main__ import show; [show.callback(name) for name in sys.argv[1:]]'  # one process
NOTICED = {'killed', 'timeout', 'caught by type check'}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('groups', nargs='*', metavar='GROUP', help=f'{", ".join(GROUPS)} (default: all)')
    parser.add_argument('--processes', type=positive_int, default=1, help='mutants tested at once (default: 1)')
    args = parser.parse_args(argv)
    if unknown := set(args.groups) - set(GROUPS):
        parser.error(f'unknown group: {", ".join(sorted(unknown))}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    show('| module | mutants | killed | survived | score |\n|---|---|---|---|---|')
    diffs = []
    for group in args.groups or GROUPS:
        with tempfile.TemporaryDirectory() as folder:
            copy_tree(Path(folder), *GROUPS[group])
            found = run_mutants(Path(folder), args.processes)
            print_rows(found)
            survivors = [name for name, status in found if status not in NOTICED]
            diffs.append(in_tree(Path(folder), '-c', SHOW, *survivors))
    show('\n'.join(['', *diffs]))
    return 0


def copy_tree(folder: Path, sources: list[str], tests: list[str]) -> None:
    """Copy the files tracked by git, set up for one group; mutmut reads its settings only from pyproject.toml."""
    names = subprocess.check_output(['git', 'ls-files', '-co', '--exclude-standard'], cwd=REPO, text=True).splitlines()
    for name in filter(lambda name: (REPO / name).is_file(), names):  # A deleted file is still listed.
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO / name, folder / name)
    (folder / 'mutants').mkdir()  # mutmut's folder; it is on the path, and Python remembers which folders are absent.
    section = '[tool.mutmut]\n'
    chosen = f'{section}only_mutate = {json.dumps(sources)}\npytest_add_cli_args_test_selection = {json.dumps(tests)}\n'
    path = folder / 'pyproject.toml'
    path.write_text(path.read_text(encoding='utf-8').replace(section, chosen), encoding='utf-8')


def run_mutants(tree: Path, processes: int) -> list[tuple[str, str]]:
    """Return each mutant's name and outcome."""
    in_tree(tree, '-m', 'mutmut', 'run', '--max-children', str(processes))
    lines = in_tree(tree, '-m', 'mutmut', 'results', '--all', 'true').splitlines()
    return [tuple(line.strip().rsplit(': ', 1)) for line in lines if '__mutmut_' in line]


def in_tree(tree: Path, *arguments: str) -> str:
    env = {**os.environ, 'PYTHONPATH': str(tree / 'mutants'), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run([sys.executable, *arguments], cwd=tree, env=env, capture_output=True, text=True)
    if done.returncode:
        raise DataError(f'{" ".join(arguments[:3])} failed in a copy of {REPO}:\n{(done.stdout + done.stderr)[-3000:]}')
    return done.stdout


def print_rows(found: Sequence[tuple[str, str]]) -> None:
    counts = defaultdict(Counter)
    for name, status in found:
        counts[name.rpartition('.')[0]][status in NOTICED] += 1
    for module, count in counts.items():
        killed, total = count[True], count.total()
        show(f'| {module} | {total} | {killed} | {total - killed} | {killed / total:.0%} |')


if __name__ == '__main__':
    sys.exit(run_tool(main))
