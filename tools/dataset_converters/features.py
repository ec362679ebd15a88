"""Turn your own features into a feature store with k-shot splits.

Features, one of
  FILE.npz  arrays video_id (N,) and audio, visual: (N, D) for one step per video, (N, T, D), an object array of N
            sequences (T_i, D), or all steps concatenated, with audio_len, visual_len (N,)
  DIR       DIR/audio/VIDEO_ID.npy and DIR/visual/VIDEO_ID.npy, each (T, D); best for large data
  DIR       DIR/VIDEO_ID.npz, each with arrays audio and visual, as tools/predict.py reads them
  FILE.h5   the arrays of the .npz, or one array per video: audio/VIDEO_ID and visual/VIDEO_ID, or VIDEO_ID/audio
  FILE      .mat, .pkl, .pt, or a dict in a .npy: the arrays of the .npz, or {modality: {video_id: (T, D)}}
One modality is enough. For a folder from tools/extract_features.py, the length of a step and the kind of features are
taken from it and recorded in the store. All videos that cannot be used are reported at once, and in OUT.bad_clips.csv.

Lists: a folder of stage_1_train.csv, stage_1_val_seen.csv, stage_1_val_unseen.csv, stage_2_test_seen.csv and
stage_2_test_unseen.csv with columns filename (the video id) and label. Base classes are those of stage_1_train;
the two unseen lists hold the novel classes of stage 1 (for validation) and of stage 2 (for the test). A column group,
such as the recording or the talker, is optional: within a class, videos of one group are never both shots and
evaluated on. splits.py --novel makes such lists from one table.

Class embeddings: one vector per class, with the class names: a .npz from tools/class_vectors.py, or a dict {name:
vector} in a .npy file. Or a (C, d) .npy file, row i for class i of LISTS/classes.csv (columns label and, optionally,
text) or, without such a file, of the sorted class names; names whose order is uncertain are refused. Methods that need
no class vectors train without them.

example:
  python tools/class_vectors.py lists words.npz
  python tools/dataset_converters/features.py data/mine --features clips.npz --lists lists \\
      --class-embeddings words.npz --shots 1 5
  python tools/train.py configs/avdiff/avdiff_custom_5shot.py --cfg-options data_root=data/mine
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.protocol import AUDIO, SECONDS_PER_STEP, VISUAL
from avzoo.utils.cli import ToolParser, natural_int, positive_float, positive_int, run_tool, show


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('out', metavar='OUT', help='feature store to write; an existing store is replaced at the end')
    add('--features', required=True, metavar='FILE|DIR', help='features (see above)')
    add('--lists', required=True, metavar='DIR', help='lists in zero-shot style (see above)')
    add('--class-embeddings', metavar='E.npz|E.npy', help='class vectors (see above; default: none)')
    text = 'training videos per novel class (default: 1 5 10 20)'
    add('--shots', type=positive_int, nargs='+', default=[1, 5, 10, 20], metavar='K', help=text)
    add('--draws', type=positive_int, default=3, help='draws of the stage-2 shots (default: %(default)s)')
    add('--seed', type=natural_int, default=0, help='seed of the draws (default: %(default)s)')
    add('--name', help='name of the data set (default: that of OUT)')
    add(
        '--seconds-audio',
        type=positive_float,
        metavar='S',
        help='seconds of the clip that one audio step covers (default: as extracted, else '
        f'{SECONDS_PER_STEP[AUDIO]}, as for VGGish)',
    )
    add(
        '--seconds-visual',
        type=positive_float,
        metavar='S',
        help='seconds of the clip that one visual step covers (default: as extracted, else '
        f'{SECONDS_PER_STEP[VISUAL]}, as for C3D)',
    )
    for modality, example in ((AUDIO, 'vggish-pca-u8'), (VISUAL, 'c3d-fc7')):
        add(
            f'--features-{modality}',
            metavar='TEXT',
            help=f'kind of the {modality} features, e.g. {example}; models trained on other features will refuse OUT '
            '(default: as extracted, else nothing)',
        )
    add(
        '--dtype',
        choices=['float32', 'float16'],
        default='float32',
        help='how features are stored; float16 halves the disk space (default: %(default)s)',
    )
    add(
        '--skip-missing', action='store_true', help='leave out listed videos without features, instead of refusing them'
    )
    add(
        '--skip-bad',
        action='store_true',
        help='as --skip-missing, and leave out videos whose features are empty, of another width or not finite; OUT '
        'lists them',
    )
    add(
        '--match',
        choices=['id', 'stem'],
        default='id',
        help='stem: also match a listed video without its folder, suffix and times, such as abc for abc_30_40.mp4 '
        '(default: %(default)s)',
    )
    add(
        '--transpose',
        nargs='+',
        choices=[AUDIO, VISUAL, 'none'],
        help='modalities whose arrays are (D, T); none: all are (T, D), even if they look otherwise',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.extraction.extraction_folder import read_extraction
    from avzoo.importers.arrays import import_arrays
    from avzoo.importers.report import describe_store
    from avzoo.utils.progress import progress_of

    given = {AUDIO: args.seconds_audio, VISUAL: args.seconds_visual}
    extraction = read_extraction(args.features)
    seconds = {**SECONDS_PER_STEP, **(extraction.seconds if extraction else {})}
    seconds |= {modality: value for modality, value in given.items() if value is not None}
    named = {AUDIO: args.features_audio, VISUAL: args.features_visual}
    feature_set = {**(extraction.features if extraction else {}), **{m: text for m, text in named.items() if text}}
    with progress_of('videos') as on_progress:
        out = import_arrays(
            args.out,
            features=args.features,
            lists=args.lists,
            class_embeddings=args.class_embeddings,
            shots=args.shots,
            draws=args.draws,
            seed=args.seed,
            name=args.name,
            dtype=args.dtype,
            seconds_per_step=seconds,
            feature_set=feature_set,
            skip_missing=args.skip_missing,
            skip_bad=args.skip_bad,
            match=args.match,
            transpose=[] if args.transpose == ['none'] else args.transpose,
            on_progress=on_progress,
        )
    show(describe_store(out))
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
