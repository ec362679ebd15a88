"""Locks of files and folders."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from avzoo.utils import lock
from avzoo.utils.errors import AvzooError

HOLD = """
import os, sys, time
from pathlib import Path
from avzoo.utils.lock import held_alone
with held_alone(Path(sys.argv[1]), 'busy'):
    child = os.fork()  # as a loader worker is
    if child:
        print(child, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path, repo_dir):
    """A process that holds the folder, and its forked child, which outlives it."""
    process = subprocess.Popen([sys.executable, '-c', HOLD, tmp_path], stdout=subprocess.PIPE, text=True, cwd=repo_dir)
    child = int(process.stdout.readline())
    yield process, child
    process.kill()
    process.wait()
    process.stdout.close()
    subprocess.run(['kill', '-9', str(child)], check=False)


def test_a_folder_is_held_by_one_process_and_free_when_that_is_killed_though_its_worker_lives(holder, tmp_path):
    process, child = holder
    with pytest.raises(AvzooError, match='busy now'), lock.held_alone(tmp_path, 'busy now'):
        pytest.fail('two processes hold it')
    process.kill()
    process.wait()
    assert Path(f'/proc/{child}').exists() or sys.platform != 'linux'
    with lock.held_alone(tmp_path, 'busy now'):
        pass


def test_an_error_of_the_work_itself_stays_what_it_is(tmp_path):
    with pytest.raises(TimeoutError, match='the download'), lock.held_alone(tmp_path, 'busy'):
        raise TimeoutError('the download')
    with lock.held_alone(tmp_path, 'busy'):
        pass


def test_threads_take_turns_and_leave_no_file(tmp_path):
    target, inside, most = tmp_path / 'new' / 'file', [], []

    def work():
        with lock.locked(target):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8 and list(target.parent.iterdir()) == []


@pytest.mark.parametrize('code', [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_the_file_system_has_no_locks_the_work_is_done_without(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, 'no locks here')

    monkeypatch.setattr(fcntl, 'flock', refuse)
    with lock.locked(tmp_path / 'file'), lock.held_alone(tmp_path, 'busy'):
        done = True
    assert done and {path.name for path in tmp_path.iterdir()} <= {'.lock'}


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError), lock.locked(tmp_path / 'file' / 'below'):
        pytest.fail('there is no such folder')


def test_a_held_folder_has_no_lock_file_afterwards(tmp_path):
    with lock.held_alone(tmp_path, 'busy'):
        assert (tmp_path / '.lock').is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_leaves_the_lock_of_its_parent_alone(tmp_path):
    parent, seen = os.getpid(), []
    with lock.locked(tmp_path / 'file'):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            seen.append((tmp_path / '.file.lock').is_file())
    if os.getpid() != parent:
        os._exit(0)  # After it has left the block, as a worker does that fails.
    assert seen == [True] and not (tmp_path / '.file.lock').exists()


@pytest.mark.parametrize('make', [Path.mkdir, lambda path: path.symlink_to('elsewhere')])
def test_what_is_in_the_way_of_a_lock_file_is_an_error_at_once(tmp_path, make):
    make(tmp_path / '.lock')
    with pytest.raises(OSError) as caught, lock.held_alone(tmp_path, 'busy'):
        pytest.fail('it was held')
    assert caught.value.errno in (errno.EISDIR, errno.ELOOP) and caught.value.filename == str(tmp_path / '.lock')


@pytest.mark.skipif(sys.platform != 'linux', reason='Linux has /proc')
def test_a_folder_in_which_nothing_can_be_made_is_an_error_at_once():
    with pytest.raises(OSError), lock.locked('/proc/file'):
        pytest.fail('it was held')


def test_the_lock_file_of_a_killed_process_is_swept_and_one_in_use_is_not(tmp_path, holder):
    (tmp_path / '.file.lock').write_text('')
    lock.sweep_lock(tmp_path / 'file')
    assert not (tmp_path / '.file.lock').exists()
    (tmp_path / '.lock').rename(tmp_path / '.file.lock')  # That of the other process.
    lock.sweep_lock(tmp_path / 'file')
    assert (tmp_path / '.file.lock').exists()
