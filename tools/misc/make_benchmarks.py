"""Run avzoo's own benchmarks and write their tables into docs/benchmarks.md.

Finished runs below --work-dir are not run again. The numbers go to docs/benchmarks.json and from there to the page,
between the marks. A section on your own features needs their store (--data-root); without it, the section stays as it
is in docs/benchmarks.json.

examples:
  python tools/misc/make_benchmarks.py --only synth --dry-run
  python tools/misc/make_benchmarks.py --data-root data/yt8m_fsl
  python tools/misc/make_benchmarks.py --gather        # run nothing, write finished runs
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.files import atomic_write_text
from benchmark_sections import SECTIONS, BenchmarkRun, Section

REPO = Path(__file__).resolve().parents[2]
PAGE, NUMBERS = REPO / 'docs/benchmarks.md', REPO / 'docs/benchmarks.json'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('--work-dir', default='work_dirs/benchmarks', help='folder for all runs (default: %(default)s)')
    parser.add_argument('--data-root', help='feature store for the sections on real features')
    parser.add_argument('--synth-root', default='data/synth8_fsl', help='generated if missing (default: %(default)s)')
    parser.add_argument('--only', nargs='+', choices=[one.name for one in SECTIONS], help='only these sections')
    action = parser.add_mutually_exclusive_group()
    action.add_argument('--dry-run', action='store_true', help='print the commands of missing runs')
    action.add_argument('--gather', action='store_true', help='run nothing; write finished runs')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from benchmark_page import page_with_tables
    from benchmark_tables import gather_section

    sections = [one for one in SECTIONS if args.only is None or one.name in args.only]
    sections = [one for one in sections if one.dataset == 'synth' or args.data_root]
    roots = dict(synth=args.synth_root, custom=args.data_root)
    runs = {one.name: one.runs(Path(args.work_dir), roots[one.dataset]) for one in sections}
    missing = [run for one in sections for run in runs[one.name] if not run.is_finished]
    missing = list({run.work_dir: run for run in missing}.values())
    if args.dry_run:
        show('\n'.join(' '.join(run.command) for run in missing) or 'All runs are finished.')
        return 0
    failed = [] if args.gather else run_all(missing, args.synth_root)
    numbers = json.loads(NUMBERS.read_text(encoding='utf-8')) if NUMBERS.is_file() else {}
    for one in sections:
        numbers[one.name] = gather_section(one, runs[one.name])
    text = page_with_tables(PAGE.read_text(encoding='utf-8'), numbers)
    atomic_write_text(NUMBERS, json.dumps(numbers, indent=1) + '\n')
    atomic_write_text(PAGE, text)
    show(f'Written to {PAGE} and {NUMBERS}')
    return 1 if failed else 0


def run_all(runs: Sequence[BenchmarkRun], synth_root: str) -> list[BenchmarkRun]:
    """Execute runs one after another; return those that failed."""
    from avzoo.importers.synthetic import make_synth

    if not Path(synth_root).exists():
        make_synth(synth_root, draws=Section.DRAWS)
    failed = []
    for number, run in enumerate(runs, 1):
        show(f'\n=== run {number} of {len(runs)}: {run.work_dir} ===')
        if subprocess.run(run.command, check=False).returncode:
            failed.append(run)
    for run in failed:
        show(f'error: the run in {run.work_dir} failed; its message is above.', stderr=True)
    return failed


if __name__ == '__main__':
    sys.exit(run_tool(main))
