"""Record what the AV-DIFF model computes on weights and inputs drawn from a seed.

tests/golden/test_parity.py compares with the file that this writes. The model was checked step by step against the
released code; record again only if a number is meant to change, and say why in the changelog.

example:
  python tools/misc/record_parity.py tests/golden/parity.npz
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, run_tool, show


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('out', metavar='FILE.npz', help='file to write')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    import numpy as np

    from parity_records import all_records

    arrays = all_records()
    np.savez_compressed(args.out, **arrays)
    show(f'{args.out}: {len(arrays)} arrays')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
