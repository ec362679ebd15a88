"""Run the inputs whose `reader: name` holds a text, and print what became of them.

usage: python -m tests.hostile TEXT
"""

import os
import sys
import tempfile
from pathlib import Path

from avzoo.utils import compat
from tests.hostile.inputs import INPUTS
from tests.hostile.material import make_material
from tests.hostile.run import run_inputs
from tests.hostile.warm import warm_up


def main(text: str) -> None:
    os.environ['OMP_NUM_THREADS'] = '1'
    compat.prepare_process()
    warm_up()
    chosen = [one for one in INPUTS if text in f'{one.reader}: {one.name}']
    with tempfile.TemporaryDirectory(prefix='hostile-') as folder:
        (Path(folder) / 'material').mkdir()
        material = make_material(Path(folder) / 'material')
        for one, outcome, problem in run_inputs(chosen, material, Path(folder)):
            said = outcome.text.strip().encode('unicode_escape').decode()
            state = f'FAIL {problem}' if problem else f'ok {outcome.kind}'
            sys.stdout.write(f'{one.reader}: {one.name}: {state}, {outcome.seconds:.2f} s\n     {said[-300:]}\n')


if __name__ == '__main__':
    main(sys.argv[1] if len(sys.argv) > 1 else '')
