"""Learn new classes from K clips each: adapt a trained model or, without MODEL, fit a classifier of these classes only.

Without MODEL, a few-shot classifier is fitted to the clips alone (no base data, no network training): class means,
logistic regression or a linear discriminant, whichever does best in cross-validation on the clips. --support is a
folder with one subfolder of videos per class, a table of videos or parts of videos (.csv, .tsv: filename, label, start,
end, group), or the folder of features that tools/extract_features.py made from either. With --labels, it is features of
your own (a folder of audio/ID.npy and visual/ID.npy, .npz, .h5, .mat, ...). OUT becomes a folder that predict.py reads.

With MODEL, the model keeps its base classes, and the new classes replace its novel classes. This runs one full
sub-stage: parts are frozen as the config says, and batches of base videos alternate with batches of the new clips. It
needs
  - a base model: zoo weights, a checkpoint from tools/train.py (stage2_base/last.pth, or stage2_full_draw0/...), or, as
      MODEL, the folder of a run, whose stage2_base is used,
  - the training videos of its base classes (--base-store), so that it does not forget them,
  - the new clips (--support): a feature store, whose K-shot split is used if it has splits, or a folder
      SUPPORT/CLASS NAME/*.mp4 ...  one video each (or a table, as above); features are extracted as for the base
                                    model, or
      SUPPORT/CLASS NAME/*.npz      one clip each, arrays audio (T, D) and visual (T, D)
      SUPPORT/class_embeddings.npz  from tools/class_vectors.py, with the --text of the base classes' vectors; if it is
                                    missing, made from the folder names, provided the base store says how; or
                                    class_embeddings.npy (C, d), rows in the order of SUPPORT/classes.csv (column
                                    label) or of the sorted names

examples:
  python tools/adapt.py --support clips --out work_dirs/classifier
  python tools/predict.py work_dirs/classifier --video new.mp4
  python tools/adapt.py --support my_features.h5 --labels clips.csv --out work_dirs/classifier
  python tools/adapt.py work_dirs/mine --support my_classes --shots 5 --base-store data/mine --out work_dirs/taught.pth
  python tools/predict.py configs/avdiff/avdiff_custom_5shot.py work_dirs/taught.pth --features clip.npz
"""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from avzoo.utils.cli import ParserOfIds, natural_int, positive_int, run_tool, show
from avzoo.utils.counts import number_of
from avzoo.utils.files import check_out
from avzoo.utils.launch_arguments import say
from avzoo.utils.printable import printable

# Options for adapting a model only, and for fitting a classifier only.
_WITH_MODEL = ('shots', 'classes', 'draw', 'epochs', 'cfg_options')
_WITHOUT_MODEL = ('visual', 'audio', 'method', 'labels')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ParserOfIds(__doc__)
    add = parser.add_argument
    add('model', metavar='MODEL', nargs='?', help='a zoo model name, a config file, or a run folder (see above)')
    text = "the base model (default: the named model's weights, or the run's stage2_base)"
    add('checkpoint', metavar='CKPT', nargs='?', help=text)
    add('--support', action='append', required=True, metavar='CLIPS', help='clips of the new classes: see above')
    text = 'without MODEL: video and label of each clip; --support then holds features'
    add('--labels', action='append', metavar='TABLE', help=text)
    add('--shots', type=positive_int, metavar='K', help='clips per new class; required with MODEL')
    add(
        '--out',
        metavar='OUT',
        help='file.pth to write (default: work_dirs/adapted.pth); without MODEL, a folder (default: '
        'work_dirs/classifier)',
    )
    add(
        '--method',
        choices=['auto', 'prototypes', 'logistic_regression', 'discriminant', 'base_discriminant'],
        default='auto',
        help='without MODEL: classification method (default: %(default)s, chosen by cross-validation)',
    )
    add('--visual', metavar='NAME', help='without MODEL: visual extractor, as in extract_features.py, or none')
    add('--audio', metavar='NAME', help='without MODEL: audio extractor, as in extract_features.py, or none')
    add('--device', default='cpu', help='device for the extractors (default: %(default)s)')
    add(
        '--base-store',
        metavar='STORE',
        help="videos of the base classes (default: the config's data_root); without MODEL: clips of other classes, if "
        'you have any: a store or extracted features',
    )
    add(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='use only these classes of --support; may be repeated. For a name that begins with a dash: --classes=-x',
    )
    add('--draw', type=natural_int, default=0, help='which draw of the K clips (default: %(default)s)')
    text = "number of epochs (default: chosen in stage 1 of the base model, else the config's)"
    add('--epochs', type=positive_int, help=text)
    add('--seed', type=natural_int, help="random seed (default: the config's)")
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='change config values')
    args = parser.parse_args(argv)
    for name in ('support', 'labels'):
        value, *others = getattr(args, name) or [None]
        if others:
            parser.error(f'argument --{name}: may be given only once; put all clips in one folder or table')
        setattr(args, name, value)
    if args.model and Path(args.model).is_dir():
        from avzoo.apis.few_shot_files import is_classifier

        if is_classifier(args.model):
            parser.error(
                f'argument MODEL: {args.model} is a few-shot classifier, which cannot be adapted. Fit a new one to '
                'all clips, old and new: leave MODEL out and give --support ALL'
            )
    if args.model and args.shots is None:
        parser.error('argument --shots: required with MODEL; give --shots K, the number of clips per class')
    for name in _WITHOUT_MODEL if args.model else _WITH_MODEL:
        if getattr(args, name) != parser.get_default(name):
            other = 'without' if args.model else 'with'
            parser.error(f'argument --{name.replace("_", "-")}: only allowed {other} MODEL; see --help')
    if args.labels and (args.visual or args.audio):
        parser.error('argument --labels: --support then holds features; leave out --visual and --audio')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return teach_model(args) if args.model else teach_classifier(args)


def teach_model(args: argparse.Namespace) -> int:
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.apis.adapt import adapt
    from avzoo.zoo.build import config_of

    began = time.monotonic()
    done = adapt(
        config_of(args.model, args.cfg_options),
        args.checkpoint,
        support=args.support,
        shots=args.shots,
        out=args.out or 'work_dirs/adapted.pth',
        base_store=args.base_store,
        draw=args.draw,
        classes=args.classes,
        epochs=args.epochs,
        seed=args.seed,
        device=args.device,
    )
    base = number_of(len(done['base_classes']), 'base class', 'base classes')
    dropped, novel = done['dropped_classes'], printable('; '.join(done['novel_classes']))
    show(
        f'{done["checkpoint"]}: {base}, and new ones learned in '
        f'{time.monotonic() - began:.0f} s from {number_of(args.shots, "clip")} each: {novel}'
        + (f'; these replace: {printable("; ".join(dropped))}' if dropped else '')
    )
    return 0


def teach_classifier(args: argparse.Namespace) -> int:
    from avzoo.apis.clip_features import named_extractors
    from avzoo.apis.few_shot import FewShotClassifier
    from avzoo.apis.few_shot_files import check_target, comparison_lines, mistakes_line
    from avzoo.apis.own_features import read_own_features

    began = time.monotonic()
    out = args.out or 'work_dirs/classifier'
    check_target(out)
    check_out(Path(out, 'config.json'))
    named = {m: name for m, name in (('visual', args.visual), ('audio', args.audio)) if name is not None}
    extractor = named_extractors(named, args.support) if named else None
    model = FewShotClassifier(extractor, args.method, args.seed or 0, args.device, base=args.base_store, verbose=True)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: say(f'warning: {printable(message)}')
        model.fit(read_own_features(args.support, args.labels) if args.labels else args.support)
    model.save_pretrained(out)
    for line in comparison_lines(model.method_, model.report_):
        show(line)
    if line := mistakes_line(model.mistakes_):
        show(printable(line))
    classes = '; '.join(map(str, model.classes_.tolist()))
    show(f'{out}: {model.method_}, fitted in {time.monotonic() - began:.0f} s: {printable(classes)}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
