"""Files that are written whole or not at all."""

import os

import pytest

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
