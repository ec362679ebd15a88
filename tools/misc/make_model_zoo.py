"""Write docs/model_zoo.md and the generated parts of README.md, docs/index.md and configs/*/README.md.

They are made from metafiles, registries, files and the results of the first command (docs/site/first_run.json).

example:
  python tools/misc/make_model_zoo.py            # write what has changed
  python tools/misc/make_model_zoo.py --check    # change nothing; exit code 1 if something is stale
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.files import atomic_write_text

REPO = Path(__file__).resolve().parents[2]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('--check', action='store_true', help='only list what is stale')
    parser.add_argument('--root', type=Path, default=REPO, help='root of the repository (default: this one)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from zoo_page import zoo_files

    stale = {
        path: text
        for path, text in zoo_files(args.root).items()
        if not path.is_file() or path.read_text(encoding='utf-8') != text
    }
    for path, text in stale.items():
        show(f'{path.relative_to(args.root)}: {"stale" if args.check else "written"}')
        if not args.check:
            atomic_write_text(path, text)
    if stale and args.check:
        show('Run: python tools/misc/make_model_zoo.py', stderr=True)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
