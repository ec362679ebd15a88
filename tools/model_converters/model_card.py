"""Write the model card of a zoo model, for the Hugging Face Hub, from its metafile.

The front matter has the licence, tags, data set and our own results; the paper's results are only in the table.

example:
  python tools/model_converters/model_card.py avdiff_synth_5shot -o hub/README.md
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ToolParser, run_tool, show


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('name', metavar='NAME', help='a zoo model name')
    parser.add_argument('-o', '--out', type=Path, metavar='FILE', help='file to write (default: print the card)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.utils.files import atomic_write_text
    from avzoo.zoo.index import find_model, read_collections
    from avzoo.zoo.model_card import model_card

    entry = find_model(args.name)
    text = model_card(entry, next(one for one in read_collections() if entry in one.models))
    if args.out is None:
        show(text.rstrip())
        return 0
    atomic_write_text(args.out, text)
    show(f'Written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
