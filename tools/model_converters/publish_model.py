"""Turn a training checkpoint into weights to publish: NAME.safetensors and NAME.json.

Weights, class vectors and calibration are kept; optimizer, schedulers and paths on this machine are left out. The JSON
holds the config, classes, feature set, seed, versions, size and SHA-256.

example:
  python tools/model_converters/publish_model.py work_dirs/avdiff_synth_5shot/stage2_full_draw0/last.pth \\
      weights/avdiff_synth_5shot.safetensors
  python tools/misc/update_metafiles.py --weights weights/avdiff_synth_5shot.safetensors
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, run_tool, show


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('checkpoint', metavar='CKPT', help='checkpoint of a training run or an adapted model')
    parser.add_argument('out', metavar='OUT', help='file ending in .safetensors, or, with --name, a folder')
    parser.add_argument('--name', help='name of the model, the stem of its config (default: the stem of OUT)')
    parser.add_argument('--features', help='feature set, e.g. "VGGish + C3D" (default: as in the model index)')
    parser.add_argument(
        '--half', action='store_true', help='store matrices in half precision, which halves the size; test the result'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.utils.files import sha256_of
    from avzoo.zoo.publish import publish_checkpoint

    path = publish_checkpoint(args.checkpoint, args.out, name=args.name, features=args.features, half=args.half)
    show(f'{path}: {path.stat().st_size:,} bytes, SHA-256 {sha256_of(path)}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
