"""Tools print names of elsewhere without letting them act on the terminal."""

import importlib.util

from tests.conftest import REPO

HOSTILE = 'dog\x1b[2J\n 99 \u202e'


def tool(name):
    spec = importlib.util.spec_from_file_location(name, REPO / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_predicted_classes_and_clips_stay_on_their_lines(capsys):
    answer = dict(probability=0.5, novel=True, **{'class': HOSTILE})
    tool('predict').show([dict(video_id=HOSTILE, predictions=[answer])])
    clip, entry = capsys.readouterr().out.splitlines()
    assert clip.isprintable() and entry.isprintable() and r'dog\x1b[2J' in clip and r'dog\x1b[2J' in entry
