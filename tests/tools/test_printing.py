"""Tools print names of elsewhere without letting them act on the terminal."""

import ast
import importlib.util

import pytest

from avzoo.apis.answer_text import answer_lines
from tests.conftest import REPO

HOSTILE = 'dog\x1b[2J\n 99 \u202e'


def tool(name):
    spec = importlib.util.spec_from_file_location(name, REPO / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_predicted_classes_and_clips_stay_on_their_lines():
    answer = dict(probability=0.5, novel=True, **{'class': HOSTILE})
    clip, entry = answer_lines(dict(video_id=HOSTILE, predictions=[answer])).splitlines()
    assert clip.isprintable() and entry.isprintable() and r'dog\x1b[2J' in clip and r'dog\x1b[2J' in entry


@pytest.mark.parametrize(
    'path',
    [*REPO.glob('tools/**/*.py'), REPO / 'avzoo/__main__.py'],
    ids=lambda path: path.relative_to(REPO).as_posix(),
)
def test_tools_print_through_show_alone(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))) if isinstance(node, ast.Call)]
    called = [ast.unparse(call.func) for call in calls]
    assert not {'print', 'sys.stdout.write', 'sys.stderr.write'} & set(called)
