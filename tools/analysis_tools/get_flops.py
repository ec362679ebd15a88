"""Count the weights and multiply-adds of models.

Multiply-adds are those of one prediction on one clip, including scaled dot-product attention; each counts once.
Widths and classes come from the config's feature store, or else from the known facts of the benchmark.

examples:
  python tools/analysis_tools/get_flops.py avdiff_ucf_5shot
  python tools/analysis_tools/get_flops.py configs/avdiff/avdiff_custom_5shot.py --data-root data/mine --seconds 30
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.protocol import CLIP_SECONDS
from avzoo.utils.cli import ToolParser, positive_float, run_tool, show


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('models', metavar='NAME_OR_CONFIG', nargs='+', help='a zoo model name, or a config file')
    parser.add_argument('--data-root', metavar='STORE', help="feature store (default: the config's)")
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change config values of every model, e.g. model.fusion.depth=2',
    )
    parser.add_argument(
        '--seconds',
        type=positive_float,
        default=CLIP_SECONDS,
        help='length of the clip in seconds (default: %(default)g)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.apis.hub import get_model
    from avzoo.speed.flops import count_flops, count_parameters
    from avzoo.zoo.build import config_of, data_info_of

    for name in args.models:
        cfg = config_of(name, args.cfg_options)
        info = data_info_of(cfg, data_root=args.data_root)
        model = get_model(cfg, data_info=info)
        flops = count_flops(model, info, seconds=args.seconds)
        show(
            f'{name}: {count_parameters(model):,} parameters, {flops:,} multiply-adds for {args.seconds:g} s '
            f'({info["num_classes"]} classes)'
        )
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
