"""A process that carries out one task, and tells what it found or why it failed."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from avzoo.config.as_json import to_json
from avzoo.engine.log import log_line, run_logger
from avzoo.engine.task_process import carry_out, command, end_with
from avzoo.utils.errors import ConfigError


@pytest.fixture
def told(monkeypatch):
    """The messages of a task; the log has its handlers back afterwards."""
    monkeypatch.setattr(run_logger(), 'handlers', list(run_logger().handlers))
    return []


def test_a_task_tells_its_log_and_then_what_it_found(told):
    def work(task):
        log_line('a line')
        run_logger().debug('how a part was built')
        return task + 1

    carry_out(1, work, lambda *what: told.append(what))
    assert told == [('log', 'a line'), ('done', 2)]


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (ConfigError('mine', details=['more']), 'mine\n  more'),
        (KeyError('x'), "KeyError: 'x'"),
        (OSError(28, 'No space left', 'file'), 'file: the disk is full'),
    ],
)
def test_a_task_that_fails_tells_why_and_keeps_its_error(told, error, words):
    def work(task):
        raise error

    with pytest.raises(type(error)):
        carry_out(1, work, lambda *what: told.append(what))
    ((kind, text),) = told
    assert kind == 'error' and text.startswith(words)


def test_a_process_ends_when_the_pipe_from_its_parent_does(monkeypatch):
    source, target = os.pipe()
    killed, done = [], threading.Event()
    monkeypatch.setattr(os, 'kill', lambda *what: killed.append(what) or done.set())
    end_with(source)
    os.write(target, b'more')
    assert not done.wait(0.1)
    os.close(target)
    assert done.wait(10) and killed == [(os.getpid(), signal.SIGTERM)]
    os.close(source)


def test_a_process_finds_the_modules_of_this_one_and_its_prints_are_no_messages(tmp_path, monkeypatch):
    mine = tmp_path / f'mine{os.pathsep}or "{chr(0xE9)}"'
    mine.mkdir()
    (mine / 'of_mine.py').write_text(
        'import os, sys\n'
        'def main(messages):\n'
        '    print("printed")\n'
        '    os.write(messages, sys.stdin.readline().encode())\n'
    )
    (tmp_path / 'types.py').write_text('raise SystemExit("a file of the folder that it is started in")')
    monkeypatch.syspath_prepend(str(mine))
    done = subprocess.run(
        command('of_mine'), input=to_json((1,)), capture_output=True, text=True, timeout=120, cwd=tmp_path, check=True
    )
    assert json.loads(done.stdout) == {'tuple': [1]} and done.stderr.strip() == 'printed'
    assert sys.path[0] == str(mine)
