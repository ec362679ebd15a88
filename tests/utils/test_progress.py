"""What is said about how far a tool is."""

import sys

import pytest

from avzoo.utils import progress


def test_a_line_tells_clips_their_speed_and_the_time_left():
    assert progress.speed_line('clips', 120, 900, 60.0) == '120 of 900 clips, 2.00 clips/s, 0:06:30 left'
    assert progress.speed_line('clips', 0, 900, 0.0) == '0 of 900 clips, 0.00 clips/s, 0:00:00 left'


def test_without_a_terminal_lines_are_rare(capsys, monkeypatch):
    now = iter([0.0, 1.0, 31.0, 32.0, 33.0])
    monkeypatch.setattr(progress, 'monotonic', lambda: next(now))
    with progress.progress_of('clips') as on_progress:
        for done in range(1, 5):
            on_progress(done, 4)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(' clips,')[0] for line in lines] == ['2 of 4']


def test_on_a_terminal_the_speed_stands_beside_the_bar(monkeypatch, capsys):
    monkeypatch.setenv('FORCE_COLOR', '1')
    monkeypatch.setenv('COLUMNS', '200')
    with progress.progress_of('clips') as on_progress:
        for done in range(1, 4):
            on_progress(done, 3)
            sys.stdout.write(f'answer {done}\n')  # As of a tool whose stdout is a file.
    shown = capsys.readouterr()
    assert '3/3' in shown.err and 'clips/s' in shown.err
    assert shown.out == 'answer 1\nanswer 2\nanswer 3\n' and 'answer' not in shown.err


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ('FORCE_COLOR', 'TTY_COMPATIBLE', 'COLUMNS'):
        monkeypatch.delenv(name, raising=False)
