"""Files are read to a stated length, and nothing but files is opened."""

import errno
import os

import pytest

from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import lines_of, open_regular, read_json, read_text, unreadable


def test_a_file_is_read_as_it_is(tmp_path):
    (tmp_path / 'x').write_bytes('Ä\r\nb\n'.encode())
    with open_regular(tmp_path / 'x') as file:
        assert file.read() == 'Ä\r\nb\n'.encode()
    assert read_text(tmp_path / 'x', at_most=6) == 'Ä\r\nb\n'
    assert list(lines_of(tmp_path / 'x')) == ['Ä\n', 'b\n'] and list(lines_of(tmp_path / 'x', newline='')) == [
        'Ä\r\n',
        'b\n',
    ]


def test_a_text_has_a_greatest_length(tmp_path):
    (tmp_path / 'x').write_text('abcdef')
    with pytest.raises(DataError, match='longer than 5 bytes'):
        read_text(tmp_path / 'x', at_most=5)


def test_a_mark_at_the_beginning_is_no_part_of_a_name(tmp_path):
    (tmp_path / 'x').write_bytes(b'\xef\xbb\xbfa\n')
    assert list(lines_of(tmp_path / 'x')) == ['a\n']


@pytest.mark.parametrize('name', ['pipe', 'folder', 'device', 'socket'])
def test_anything_else_is_refused_at_once(tmp_path, name):
    path = tmp_path / name
    if name == 'pipe':
        os.mkfifo(path)
    elif name == 'folder':
        path.mkdir()
    elif name == 'device':
        path.symlink_to('/dev/zero')
    else:
        os.mknod(path, 0o600 | 0o140000)
    with pytest.raises(DataError, match=f'{name} is not a file'):
        open_regular(path)


@pytest.mark.parametrize('name', ['absent', 'a\0b', 'file/below'])
def test_what_is_not_there_is_an_error_of_the_system(tmp_path, name):
    (tmp_path / 'file').touch()
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        open_regular(f'{tmp_path}/{name}')


@pytest.mark.parametrize(
    ('code', 'cure'),
    [
        (errno.EACCES, 'permissions'),
        (errno.EMFILE, 'ulimit'),
        (errno.ENOMEM, 'memory'),
        (errno.EINVAL, 'Check the path'),
    ],
)
def test_an_error_of_the_system_says_what_helps(code, cure):
    text = str(unreadable('/data/x', OSError(code, os.strerror(code))))
    assert text.startswith(f'/data/x cannot be read: {os.strerror(code)}.') and cure in text


def test_json_is_returned_as_it_is(tmp_path):
    (tmp_path / 'x').write_text('{"Ä": [1, null]}', encoding='utf-8')
    assert read_json(tmp_path / 'x') == {'Ä': [1, None]}


@pytest.mark.parametrize(
    ('content', 'cause'),
    [
        (b'{', 'Expecting'),
        (b'\xff\xfe', 'utf-8'),
        (b'[' * 100_000, 'nested too deeply'),
        (b'9' * 10_000, 'digits'),
        (b' ' * 200_001, 'longer than 200,000 bytes'),
    ],
)
def test_all_that_is_not_json_of_a_few_bytes_is_one_kind_of_error(tmp_path, content, cause):
    (tmp_path / 'x').write_bytes(content)
    with pytest.raises(ValueError, match=cause):
        read_json(tmp_path / 'x', at_most=200_000)


def test_neither_a_pipe_nor_an_endless_file_is_read_as_json(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(ValueError, match='not a file'):
        read_json(tmp_path / 'pipe')
    with open(tmp_path / 'sparse', 'wb') as file:
        file.truncate(1 << 36)
    with pytest.raises(ValueError, match='longer than'):
        read_json(tmp_path / 'sparse')
