"""Try a few-shot classifier in the browser: give it clips of each class, train it, classify new clips.

The page is served on this computer only, at an address that contains a random key. Drop clips on it or record them with
the camera; for a new clip it shows the class probabilities, and the frames and the log-mel that were seen. It needs the
extras [video] and [demo], but no network. The features are meant for a first try, not for a benchmark.

Everything is written to --folder: clips, which are deleted at the end, and the classifiers that you save (load them
with avzoo.FewShotClassifier.from_pretrained). Stop it with Ctrl-C.

example:
  python tools/demo.py --folder my_demo
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('--folder', default='avzoo_demo', metavar='DIR', help='folder to write to (default: %(default)s)')
    add('--classifier', metavar='DIR', help='a saved classifier to start with')
    add('--port', type=natural_int, default=0, metavar='N', help='port on this computer (default: a free one)')
    add('--max-mb', type=positive_int, default=200, metavar='N', help='largest clip, in MB (default: %(default)s)')
    add('--no-browser', action='store_true', help='only print the address, without opening it')
    args = parser.parse_args(argv)
    if args.port > 65535:
        parser.error(f'--port {args.port}: the highest port is 65535')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.demo.server import serve_demo
    from avzoo.demo.uploads import Limits

    most = args.max_mb * 1_000_000
    limits = Limits(file_bytes=most, total_bytes=max(10 * most, Limits.total_bytes))
    serve_demo(args.folder, port=args.port, classifier=args.classifier, limits=limits, browser=not args.no_browser)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
