"""What a killed process left is removed, what another process is writing is not."""

import os
import subprocess
import sys
import threading

import pytest

from avzoo.utils import atomic_folder, in_progress
from avzoo.utils.atomic_folder import PartFolder, fill_folder, restore_folder
from avzoo.utils.files import atomic_path, atomic_write_text
from avzoo.utils.in_progress import scratch_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    (tmp_path / '.state.json.0123abcd.partial').write_text('half')
    (tmp_path / '.state.json.txt').write_text('of the user')
    (tmp_path / '.other.json.0123abcd.partial').write_text('of another file')
    atomic_write_text(tmp_path / 'state.json', 'whole')
    assert names(tmp_path) == ['.other.json.0123abcd.partial', '.state.json.txt', 'state.json']


def test_what_another_process_writes_stays(tmp_path, repo_dir):
    code = (
        'import sys, time; from avzoo.utils.files import atomic_path\n'
        'with atomic_path(sys.argv[1]) as partial:\n'
        '    partial.write_text("theirs"); print(partial, flush=True); sys.stdin.readline()'
    )
    start = [sys.executable, '-c', code, tmp_path / 'file']
    other = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=repo_dir)
    theirs = other.stdout.readline().strip()
    atomic_write_text(tmp_path / 'file', 'ours')
    assert os.path.exists(theirs)
    other.communicate('\n')
    assert other.returncode == 0 and (tmp_path / 'file').read_text() == 'theirs' and names(tmp_path) == ['file']


def test_a_long_name_can_be_written_too(tmp_path):
    name = 'n' * 250 + '.txt'
    assert atomic_write_text(tmp_path / name, 'x').read_text() == 'x' and names(tmp_path) == [name]


def test_a_folder_that_a_killed_process_left_is_swept(tmp_path):
    (tmp_path / '.store.89abcdef.part').mkdir()
    (tmp_path / '.store.89abcdef.part' / 'audio.npy').write_text('half')
    with fill_folder(tmp_path / 'store') as part:
        (part / 'a').write_text('a')
        assert names(tmp_path) == [part.name]
    assert names(tmp_path) == ['store']


def test_a_link_in_the_place_of_a_leftover_does_not_lead_elsewhere(tmp_path):
    (tmp_path / 'precious').mkdir()
    (tmp_path / '.store.89abcdef.part').symlink_to(tmp_path / 'precious')
    PartFolder(tmp_path / 'store').close()
    assert (tmp_path / 'precious').is_dir()


@pytest.mark.parametrize('can_exchange', [True, False])
def test_a_folder_is_replaced_whether_or_not_the_system_can_exchange_two(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(atomic_folder, 'exchange', lambda one, other: False)
    for content in 'ab':
        with fill_folder(tmp_path / 'out') as part:
            (part / content).write_text(content)
    assert names(tmp_path) == ['out'] and names(tmp_path / 'out') == ['b']


@pytest.mark.skipif(sys.platform != 'linux', reason='Linux has renameat2')
def test_two_folders_are_exchanged_and_an_error_names_them(tmp_path):
    for name in 'ab':
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text('')
    assert atomic_folder.exchange(tmp_path / 'a', tmp_path / 'b') and names(tmp_path / 'a') == ['b']
    with pytest.raises(FileNotFoundError, match='none'):
        atomic_folder.exchange(tmp_path / 'a', tmp_path / 'none')


def test_an_old_folder_gets_its_name_back_where_its_replacement_was_killed_between_two_renames(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(source, target):
        if '.part' in source.name and target == out:
            raise Killed
        rename(source, target)

    out, rename = tmp_path / 'out', os.rename
    with fill_folder(out) as part:
        (part / 'old').write_text('')
    monkeypatch.setattr(atomic_folder, 'exchange', lambda one, other: False)
    monkeypatch.setattr(atomic_folder.os, 'rename', killed)
    with pytest.raises(Killed), fill_folder(out) as part:
        (part / 'new').write_text('')
    monkeypatch.undo()
    assert not out.exists()
    restore_folder(out)
    assert names(tmp_path) == ['out'] and names(out) == ['old']


def test_scratch_folders_are_private_and_swept(tmp_path):
    with scratch_folder('work', tmp_path) as one:
        assert one.stat().st_mode & 0o777 == 0o700
        with scratch_folder('work', tmp_path) as other:
            assert one.is_dir() and one != other
    (tmp_path / '.work.00000000.scratch').mkdir()
    with scratch_folder('work', tmp_path) as one:
        assert names(tmp_path) == [one.name]
    assert names(tmp_path) == []


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    def write(text):
        for _ in range(20):
            with atomic_path(tmp_path / 'file') as partial:
                partial.write_text(text * 1000)

    threads = [threading.Thread(target=write, args=[letter]) for letter in 'abcd']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = (tmp_path / 'file').read_text()
    assert len(text) == 1000 and len(set(text)) == 1 and names(tmp_path) == ['file']


def test_where_there_are_no_locks_nothing_is_swept(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError('no locks')

    monkeypatch.setattr(in_progress.fcntl, 'flock', refuse)
    (tmp_path / '.file.0123abcd.partial').write_text('whose?')
    atomic_write_text(tmp_path / 'file', 'x')
    assert names(tmp_path) == ['.file.0123abcd.partial', 'file']
