"""Predict the classes of clips from videos or from their features.

MODEL is a zoo model name, a config file, the folder of a run (tools/train.py) or that of a few-shot classifier
(tools/adapt.py); by default work_dirs/classifier, the classifier last fitted without --out.
FEATURES is an .npz file of one clip (arrays audio (T, D) and visual (T, D)), a folder of such files, a file or a folder
of many clips (see tools/dataset_converters/features.py), or a feature store. Give raw features, like those the model
was trained on: it scales them itself.
VIDEO is a video file, a folder of videos, or a table (see tools/extract_features.py); needs the extra [video]. Features
are extracted like those the model was trained on. Videos do not need --video: they are recognised by their suffix, even
in the place of MODEL and CKPT.

Labels from class folders or a table are shown next to the predictions, followed by the number of correct ones.

Exit code 3: some clips cannot be used and are reported; the others are classified.

examples:
  python tools/predict.py avdiff_synth_5shot --features clip.npz
  python tools/predict.py avdiff_synth_5shot --features data/synth_fsl --video-id c03_stage_2_test_seen_00
  python tools/predict.py clip.mp4 another.mkv
  python tools/predict.py my_classifier --video talk.mp4 more_clips --every 5 --csv
  python tools/predict.py work_dirs/mine --features clips/ --top 1 --json > answers.json
  python tools/predict.py configs/avdiff/avdiff_custom_5shot.py work_dirs/mine/stage2_full_draw1/last.pth \\
      --features clips/
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avzoo.protocol import MODALITIES
from avzoo.utils.bad_items import list_items
from avzoo.utils.cli import ParserOfIds, positive_float, positive_int, print_error, run_tool, show
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.launch_arguments import say
from avzoo.utils.printable import printable_json

if TYPE_CHECKING:
    from avzoo.apis.few_shot import FewShotClassifier
    from avzoo.apis.inferencer import Inferencer

DEFAULT_MODEL = 'work_dirs/classifier'  # Where adapt.py writes.
Answers = tuple[Iterable[dict[str, Any]], Sequence[Any]]  # And the classes of the model.


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ParserOfIds(__doc__)
    add = parser.add_argument
    add('model', metavar='MODEL', nargs='?', help='see above')
    add('checkpoint', metavar='CKPT', nargs='?', help="a checkpoint (default: MODEL's weights, or its first draw)")
    add('more', metavar='VIDEO', nargs='*', help='videos; may also be given in the place of MODEL and CKPT')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--features', help='clip.npz, a folder, or a feature store')
    source.add_argument('--video', nargs='+', metavar='VIDEO', help='video files, folders, tables')
    text = 'classify windows of this length (default: whole videos)'
    add('--every', type=positive_float, metavar='SECONDS', help=text)
    for modality in MODALITIES:
        add(
            f'--{modality}-option',
            action='append',
            default=[],
            metavar='KEY=VALUE',
            help=f'option of the {modality} extractor for --video, e.g. weights=FILE',
        )
    add(
        '--video-id',
        nargs='+',
        metavar='ID',
        help='only these clips (default: all); may be repeated. For an id that begins with a dash: --video-id=-A',
    )
    add('--video-id-file', metavar='FILE', help='clips to classify, one id per line; added to those in --video-id')
    add('--top', type=positive_int, default=5, metavar='N', help='number of classes to print (default: %(default)s)')
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--json', action='store_true', help='print JSON instead of a table')
    form.add_argument('--csv', action='store_true', help='print CSV instead of a table')
    add(
        '--no-calibration',
        action='store_true',
        help='rank by score alone, without the validated calibration gamma, which lowers the scores of base classes',
    )
    add('--batch-size', type=positive_int, metavar='N', help='clips per batch, with --features (default: 64)')
    add(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='config values that were changed for training, e.g. model.fusion.depth=2',
    )
    add('--device', help='e.g. cpu or cuda (default: a GPU if available)')
    args = parser.parse_args(argv)
    if odd := take_videos(args):
        parser.error(f'unrecognized arguments: {" ".join(odd)}; give folders and tables of videos with --video')
    if not args.features and not args.video:
        last, place = (args.checkpoint, 'CKPT') if args.checkpoint else (args.model, 'MODEL')
        taken = (
            f'; {last} was read as {place}. To classify it, write --video {last} (a folder or a table of videos) or '
            f'--features {last}'
        )
        parser.error(f'argument --video or --features: nothing to classify was given{"" if args.by_default else taken}')
    if args.features and args.video:
        parser.error('argument --video: not allowed with argument --features')
    if args.every and not args.video:
        parser.error('argument --every: only allowed with videos; give --video')
    for modality in MODALITIES if not args.video else ():
        if getattr(args, f'{modality}_option'):
            parser.error(f'argument --{modality}-option: only allowed with videos; give --video')
    if args.video and args.batch_size:
        parser.error('argument --batch-size: only allowed with --features; videos are read one by one')
    if args.video and (args.video_id or args.video_id_file):
        parser.error('argument --video-id: only allowed with --features; name the videos themselves')
    return args


def take_videos(args: argparse.Namespace) -> list[str]:
    """Move videos among the positional arguments to --video; returns the arguments left over after MODEL and CKPT."""
    from avzoo.importers.video_ids import MEDIA_SUFFIXES

    given = [one for one in (args.model, args.checkpoint, *args.more) if one is not None]
    videos = [one for one in given if Path(one).suffix.lower() in MEDIA_SUFFIXES]
    args.model, args.checkpoint, *odd = [*(one for one in given if one not in videos), None, None]
    args.video = [*videos, *(args.video or [])] or None
    args.by_default = args.model is None
    args.model = args.model or DEFAULT_MODEL
    return odd[:-2]


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.apis.few_shot_files import is_classifier
    from avzoo.apis.known_labels import labels_of, with_labels

    bad: dict[str, DataError] = {}
    if args.by_default and not is_classifier(DEFAULT_MODEL):
        raise ConfigError(f'{DEFAULT_MODEL} holds no classifier. Give MODEL, or fit one: adapt.py --support FOLDER.')
    answer = of_classifier if is_classifier(args.model) else of_trained
    found, classes = answer(args, bad)
    if args.features:
        found = with_labels(found, labels_of(args.features))
    return show_answers(args, found, classes, bad)


def of_trained(args: argparse.Namespace, bad: dict[str, DataError]) -> Answers:
    model = inferencer_of(args)
    found = of_videos(args, model, bad) if args.video else of_features(args, model, bad)
    return found, model.classes


def inferencer_of(args: argparse.Namespace) -> 'Inferencer':
    from avzoo.apis.inferencer import Inferencer
    from avzoo.zoo.build import config_of

    try:
        cfg = config_of(args.model, args.cfg_options, of_runs=False)
    except ConfigError as error:
        if not Path(args.model).is_dir():
            raise
        message = (
            f'{error} The folder {args.model} is neither a run, which has config.py and curriculum.json, nor a '
            'classifier, which has config.json and model.safetensors.'
        )
        raise ConfigError(message) from error
    return Inferencer(cfg, args.checkpoint, device=args.device)


def of_features(args: argparse.Namespace, classify: 'Inferencer', bad: dict[str, DataError]) -> list[dict[str, Any]]:
    ids = args.video_id
    if args.video_id_file:
        ids = list(dict.fromkeys([*(ids or []), *read_ids(args.video_id_file)]))
    if classify.feature_set.texts and not (Path(args.features) / 'store.json').is_file():
        say(f'This model was trained on {classify.feature_set}.')
    how = dict(top=args.top, batch_size=args.batch_size or 64, calibrate=not args.no_calibration)
    return classify(args.features, video_ids=ids, **how, on_bad=bad.__setitem__)


def of_videos(
    args: argparse.Namespace, model: 'Inferencer | FewShotClassifier', bad: dict[str, DataError]
) -> Iterator[dict[str, Any]]:
    from avzoo.apis.video_answers import classify_videos
    from avzoo.utils.progress import progress_of

    options = {m: getattr(args, f'{m}_option') for m in MODALITIES}
    how = dict(every=args.every, top=args.top, calibrate=not args.no_calibration, options=options)
    # On a terminal, the answers themselves show the progress.
    with nullcontext() if sys.stdout.isatty() and not args.json else progress_of('videos') as report:
        yield from classify_videos(model, args.video, **how, on_bad=bad.__setitem__, on_progress=report)


def of_classifier(args: argparse.Namespace, bad: dict[str, DataError]) -> Answers:
    from avzoo.apis.few_shot import FewShotClassifier
    from avzoo.apis.video_answers import classify_features

    names = 'checkpoint cfg_options video_id video_id_file batch_size no_calibration audio_option visual_option'
    idle = [name for name in names.split() if getattr(args, name)]
    if idle:
        option = 'CKPT' if idle[0] == 'checkpoint' else f'--{idle[0].replace("_", "-")}'
        raise ConfigError(f'{args.model} is a few-shot classifier, which does not accept {option}. Leave it out.')
    model = FewShotClassifier.from_pretrained(args.model, device=args.device or 'cpu')
    classes = model.classes_.tolist()
    if args.by_default:
        say(f'No MODEL was given; using {args.model}, a classifier of {len(classes)} classes.')
    if args.video:
        return of_videos(args, model, bad), classes
    return classify_features(model, args.features, top=args.top, on_bad=bad.__setitem__), classes


def show_answers(
    args: argparse.Namespace,
    answers: Iterable[dict[str, Any]],
    classes: Sequence[Any],
    bad: dict[str, DataError],
) -> int:
    """Show each answer as soon as it is ready, or all as JSON; then how many are right, and which clips are bad."""
    from avzoo.apis.answer_text import answer_lines, answer_rows
    from avzoo.apis.known_labels import agreement, agreement_lines
    from avzoo.apis.video_clips import find_videos

    found = []
    for clip in answers:
        found.append(clip)
        if args.csv:
            show(answer_rows(clip, header=len(found) == 1))
        elif not args.json:
            show(answer_lines(clip))
    source = args.features or ' '.join(args.video)
    told = list_items({name: str(error).removeprefix(f"Clip '{name}': ") for name, error in bad.items()})
    if bad and not found:
        one = next(iter(bad.values()))
        raise one if len(bad) == 1 else DataError(f'{source}: no clip can be used:', details=told)
    if args.json:
        show(printable_json(found))
    if not args.every:  # Windows of one video are no clips of their own.
        for line in agreement_lines(agreement(found, classes)):
            show(line, stderr=True)
    if bad:
        count = len(find_videos(args.video)) if args.video else len(bad) + len(found)
        print_error(DataError(f'{source}: {len(bad)} of {count} clips cannot be used:', details=told))
    return 3 if bad else 0


def read_ids(path: str) -> list[str]:
    from avzoo.datasets.store_format import read_lines

    ids = read_lines(Path(path))
    if not ids:
        raise DataError(f'{path} holds no ids. Write one per line, or leave --video-id-file out.')
    return ids


if __name__ == '__main__':
    sys.exit(run_tool(main))
