"""Check a config and print it with all its bases merged, as one Python file.

example:
  python tools/print_config.py avdiff_vgg_5shot --cfg-options model.fusion.depth=2
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.printable import printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('config', metavar='NAME_OR_CONFIG', help='a zoo model name, or a config file')
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='config values to change')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.zoo.build import config_of

    show(printable(config_of(args.config, args.cfg_options).pretty_text, lines=True).rstrip())
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
