"""Plot the real and synthetic features of a run, base and novel, by principal components or t-SNE.

The run's config.py is executed, and its features are read. Each plot comes with its data as CSV.

examples:
  python tools/analysis_tools/embedding.py work_dirs/first -o pictures --format png
  python tools/analysis_tools/embedding.py work_dirs/first --method tsne
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.report.picture_arguments import picture_parser
from avzoo.utils.cli import natural_int, run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = picture_parser(__doc__)
    parser.add_argument('--draw', type=natural_int, default=0, help='which draw of the shots (default: %(default)s)')
    parser.add_argument('--method', choices=('pca', 'tsne'), default='pca', help='projection (default: %(default)s)')
    parser.add_argument('--data-root', metavar='STORE', help='the features, if they have moved')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.evaluation.feature_samples import feature_samples
    from avzoo.evaluation.projections import project
    from avzoo.report.model_pictures import embedding_picture
    from avzoo.report.save_pictures import save_pictures
    from avzoo.report.trained_draw import open_draw

    opened = open_draw(args.run, args.draw, data_root=args.data_root)
    projection = project(feature_samples(opened.model, opened.test, opened.shots), args.method)
    save_pictures([embedding_picture(projection, args.method, args.draw)], args.out, args.format)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
