"""Predict the classes of clips from their features.

FEATURES is an .npz file of one clip (arrays audio (T, D) and visual (T, D)), a folder of such files, a file or a folder
of many clips (see tools/dataset_converters/features.py), or a feature store. Give raw features, as the model was
trained on: it scales them itself.

Exit code 3: some clips cannot be used and are reported; the others are answered.

examples:
  python tools/predict.py avdiff_synth_5shot --features clip.npz
  python tools/predict.py avdiff_synth_5shot --features data/synth_fsl --video-id c03_stage_2_test_seen_00
  python tools/predict.py configs/avdiff/avdiff_custom_5shot.py work_dirs/mine/stage2_full_draw0/last.pth \\
      --features clips/ --top 1 --json > answers.json
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avzoo.utils.bad_items import list_items
from avzoo.utils.cli import ParserOfIds, positive_int, print_error, run_tool, show
from avzoo.utils.errors import DataError
from avzoo.utils.launch_arguments import say
from avzoo.utils.printable import printable, printable_json


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ParserOfIds(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('model', metavar='NAME_OR_CONFIG', help='a name of the zoo, or a config file')
    add('checkpoint', metavar='CKPT', nargs='?', help='a checkpoint (default: the weights of the name)')
    add('--features', required=True, help='clip.npz, a folder, or a feature store')
    add(
        '--video-id',
        nargs='+',
        action='extend',
        metavar='ID',
        help='only these clips (default: all); may be repeated. An id that begins with a dash: --video-id=-A',
    )
    add('--video-id-file', metavar='FILE', help='clips to classify, one id per line; added to those of --video-id')
    add('--top', type=positive_int, default=5, metavar='N', help='number of classes to print (default: %(default)s)')
    add('--json', action='store_true', help='print JSON instead of a table')
    add(
        '--no-calibration',
        action='store_true',
        help='rank by score alone, without the validated calibration gamma, which lowers the scores of base classes',
    )
    add('--batch-size', type=positive_int, default=64, help='clips in one batch (default: %(default)s)')
    add(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='config values that were changed in training, e.g. model.fusion.depth=2',
    )
    add('--device', help='e.g. cpu or cuda (default: a GPU if there is one)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.apis.inferencer import Inferencer
    from avzoo.zoo.build import config_of

    ids = args.video_id
    if args.video_id_file:
        ids = list(dict.fromkeys([*(ids or []), *read_ids(args.video_id_file)]))
    bad: dict[str, DataError] = {}
    classify = Inferencer(config_of(args.model, args.cfg_options), args.checkpoint, device=args.device)
    if classify.feature_set.texts and not (Path(args.features) / 'store.json').is_file():
        say(f'This model was trained on {classify.feature_set}.')
    found = classify(
        args.features,
        video_ids=ids,
        top=args.top,
        batch_size=args.batch_size,
        calibrate=not args.no_calibration,
        on_bad=bad.__setitem__,
    )
    told = list_items({name: str(error).removeprefix(f"Clip '{name}': ") for name, error in bad.items()})
    if bad and not found:
        raise (
            next(iter(bad.values()))
            if len(bad) == 1
            else DataError(f'{args.features}: no clip can be used:', details=told)
        )
    if args.json:
        show(printable_json(found))
    else:
        show_clips(found)
    if bad:
        message = f'{args.features}: {len(bad)} of {len(bad) + len(found)} clips cannot be used:'
        print_error(DataError(message, details=told))
    return 3 if bad else 0


def read_ids(path: str) -> list[str]:
    from avzoo.datasets.store_format import read_lines

    ids = read_lines(Path(path))
    if not ids:
        raise DataError(f'{path} holds no ids. Write one per line, or leave --video-id-file out.')
    return ids


def show_clips(found: Sequence[dict[str, Any]]) -> None:
    for clip in found:
        show(printable(clip['video_id']))
        for rank, entry in enumerate(clip['predictions'], 1):
            kind = 'novel' if entry['novel'] else 'base'
            show(f'  {rank:>2}  {100 * entry["probability"]:6.2f} %  {kind:<5}  {printable(entry["class"])}')


if __name__ == '__main__':
    sys.exit(run_tool(main))
