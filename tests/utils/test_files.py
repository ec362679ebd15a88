"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from avzoo.utils.atomic_folder import fill_folder
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_path, atomic_write_text


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / 'new' / 'file.bin'
    for content in (b'first', b'second'):
        with atomic_path(path) as partial:
            partial.write_bytes(content)
            assert partial.parent == path.parent and partial.name.startswith('.')
            assert not path.exists() or path.read_bytes() == b'first'
        assert path.read_bytes() == content and os.listdir(path.parent) == ['file.bin']


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = atomic_write_text(tmp_path / 'file.txt', 'old')
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as partial:
        partial.write_text('half')
        raise KeyboardInterrupt
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['file.txt']


def test_content_and_name_are_flushed_to_the_disk_in_this_order(tmp_path, monkeypatch):
    flushed, replaced = [], []
    real_replace = os.replace
    monkeypatch.setattr(os, 'fsync', lambda descriptor: flushed.append(os.readlink(f'/proc/self/fd/{descriptor}')))
    monkeypatch.setattr(os, 'replace', lambda *paths: (replaced.append(len(flushed)), real_replace(*paths)))
    atomic_write_text(tmp_path / 'file.txt', 'new')
    assert flushed[0].endswith('.partial') and flushed[1:] == [str(tmp_path)] and replaced == [1]


def test_a_folder_that_cannot_be_flushed_does_not_lose_the_file(tmp_path, monkeypatch):
    calls = []

    def only_files(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError('not of folders')

    monkeypatch.setattr(os, 'fsync', only_files)
    assert atomic_write_text(tmp_path / 'file.txt', 'new').read_text() == 'new' and len(calls) == 2


def test_each_writer_has_a_hidden_file_of_its_own(tmp_path):
    with atomic_path(tmp_path / 'file') as one, atomic_path(tmp_path / 'file') as other:
        one.write_text('one')
        other.write_text('other')
        assert one != other
    assert (tmp_path / 'file').read_text() == 'one' and os.listdir(tmp_path) == ['file']


def test_names_are_kept_outside_of_ascii(tmp_path):
    assert atomic_write_text(tmp_path / 'Größe.txt', 'γ').read_text(encoding='utf-8') == 'γ'
    # As Python has the name of a folder of an old archive, here in Latin-1.
    name = b'w\xf6rk'.decode('utf-8', 'surrogateescape')
    assert atomic_write_text(tmp_path / 'path.txt', name).read_text(encoding='utf-8') == 'w\\udcf6rk'


def test_a_link_stays_a_link_and_the_file_keeps_its_permissions(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    real = atomic_write_text(tmp_path / 'elsewhere' / 'secret.txt', 'old')
    for mode in (0o600, 0o444):
        real.chmod(mode)
        (tmp_path / f'link{mode}').symlink_to(real)
        atomic_write_text(tmp_path / f'link{mode}', 'new')
        assert (tmp_path / f'link{mode}').is_symlink() and real.read_text() == 'new'
        assert real.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize('make', [Path.mkdir, os.mkfifo])
def test_what_is_not_a_file_is_not_replaced(tmp_path, make):
    make(tmp_path / 'odd')
    with pytest.raises(AvzooError, match=r'odd.* not a plain file'):
        atomic_write_text(tmp_path / 'odd', 'x')


def test_an_error_of_a_write_names_the_file_that_was_meant(tmp_path):
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / 'file'):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert caught.value.filename == str(tmp_path / 'file')
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / 'file') as partial:
        raise OSError(errno.EACCES, 'Permission denied', str(partial))
    assert caught.value.filename == str(tmp_path / 'file')
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / 'file'):
        raise OSError(errno.EACCES, 'Permission denied', 'source')
    assert caught.value.filename == 'source'


def test_new_folders_and_renames_are_flushed(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, 'fsync', lambda descriptor: flushed.append(os.readlink(f'/proc/self/fd/{descriptor}')))
    atomic_write_text(tmp_path / 'a' / 'b' / 'file', 'x')
    assert {str(tmp_path), str(tmp_path / 'a'), str(tmp_path / 'a' / 'b')} <= set(flushed)


def test_a_folder_is_flushed_with_all_that_it_holds_before_it_takes_its_name(tmp_path, monkeypatch):
    flushed = []

    def fsync(descriptor):
        flushed.append(Path(os.readlink(f'/proc/self/fd/{descriptor}')).name)

    monkeypatch.setattr(os, 'fsync', fsync)
    with fill_folder(tmp_path / 'out') as part:
        (part / 'sub').mkdir()
        (part / 'sub' / 'file').write_text('x')
    assert flushed == ['file', 'sub', part.name, tmp_path.name]
