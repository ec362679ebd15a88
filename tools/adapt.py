"""Teach new classes from K clips each: to a trained model, or, without a model, to a classifier of these classes only.

Without MODEL, the clips alone decide (no base data, no training of networks): class means, logistic regression or a
linear discriminant, whichever is best in cross-validation on the clips. --support is a folder with a folder of videos
for each class, a table of videos or parts of them (.csv, .tsv: filename, label, start, end, group), or the folder of
features that tools/extract_features.py made of either. With --labels, it is features of your own (a folder of
audio/ID.npy and visual/ID.npy, .npz, .h5, .mat, ...). OUT becomes a folder; predict.py takes it.

With MODEL, the model keeps its base classes; the new classes replace the novel classes that it knew. One full
sub-stage is run: parts are frozen as the config says, and batches of base videos alternate with batches of the new
clips. It needs
  - a base model: zoo weights, a checkpoint of tools/train.py (stage2_base/last.pth, or stage2_full_draw0/...), or as
      MODEL the folder of a run, whose stage2_base is taken,
  - the training videos of its base classes (--base-store), so that it does not forget them,
  - the new clips (--support): a feature store, whose K-shot split is taken if it has splits, or a folder
      SUPPORT/CLASS NAME/*.mp4 ...  one video each (or a table, as above); features are extracted as the base model's
                                    were, or
      SUPPORT/CLASS NAME/*.npz      one clip each, arrays audio (T, D) and visual (T, D)
      SUPPORT/class_embeddings.npz  of tools/class_vectors.py, with the --text of the base classes' vectors; made from
                                    the names of the folders where it is missing and the base store says how; or
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

# Options that only teaching a model takes, and those that only teaching a classifier takes.
_WITH_MODEL = ('shots', 'classes', 'draw', 'epochs', 'cfg_options')
_WITHOUT_MODEL = ('visual', 'audio', 'method', 'labels')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ParserOfIds(__doc__)
    add = parser.add_argument
    add('model', metavar='MODEL', nargs='?', help='a name of the zoo, a config file, or a run; none: see above')
    add(
        'checkpoint', metavar='CKPT', nargs='?', help='the base model (default: of the name, or stage2_base of the run)'
    )
    add('--support', action='append', required=True, metavar='CLIPS', help='clips of the new classes: see above')
    text = 'without MODEL: video and label of each clip; --support then has features'
    add('--labels', action='append', metavar='TABLE', help=text)
    add('--shots', type=positive_int, metavar='K', help='clips of each new class; needed with MODEL')
    add(
        '--out',
        metavar='OUT',
        help='file.pth to write, without MODEL a folder (default: work_dirs/adapted.pth, work_dirs/classifier)',
    )
    add(
        '--method',
        choices=['auto', 'prototypes', 'logistic_regression', 'discriminant', 'base_discriminant'],
        default='auto',
        help='without MODEL: what decides (default: %(default)s, by cross-validation)',
    )
    add('--visual', metavar='NAME', help='without MODEL: extractor of videos, as of extract_features.py; or none')
    add('--audio', metavar='NAME', help='likewise')
    add('--device', default='cpu', help='where extractors compute (default: %(default)s)')
    add(
        '--base-store',
        metavar='STORE',
        help="videos of the base classes (default: the config's data_root); without MODEL: clips of other classes, if "
        'there are some, a store or extracted features',
    )
    add(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='only these classes of the support; may be repeated. A name that begins with a dash: --classes=-x',
    )
    add('--draw', type=natural_int, default=0, help='which draw of the K clips (default: %(default)s)')
    add('--epochs', type=positive_int, help='default: as chosen by stage 1 of the base model, else as in the config')
    add('--seed', type=natural_int, help="default: the config's")
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='change config values')
    args = parser.parse_args(argv)
    for name in ('support', 'labels'):
        value, *others = getattr(args, name) or [None]
        if others:
            parser.error(f'argument --{name}: it is given once; put the clips into one folder or table')
        setattr(args, name, value)
    if args.model and Path(args.model).is_dir():
        from avzoo.apis.few_shot_files import is_classifier

        if is_classifier(args.model):
            parser.error(
                f'argument MODEL: {args.model} is a classifier that was taught by clips alone. It is taught anew by '
                'all clips together, old and new, without MODEL: --support ALL'
            )
    if args.model and args.shots is None:
        parser.error('argument --shots: a model is taught K clips of each class; give --shots K')
    for name in _WITHOUT_MODEL if args.model else _WITH_MODEL:
        if getattr(args, name) != parser.get_default(name):
            other = 'without' if args.model else 'to'
            parser.error(f'argument --{name.replace("_", "-")}: it is for teaching {other} a model; see --help')
    if args.labels and (args.visual or args.audio):
        parser.error('argument --labels: --support has features then; leave --visual and --audio out')
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
        f'{done["checkpoint"]}: {base} and, learned in '
        f'{time.monotonic() - began:.0f} s from {number_of(args.shots, "clip")} each: {novel}'
        + (f'; instead of: {printable("; ".join(dropped))}' if dropped else '')
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
    show(f'{out}: {model.method_}, taught in {time.monotonic() - began:.0f} s: {printable(classes)}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
