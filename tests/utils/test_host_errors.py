"""What the machine lacks is said in one line with the file and a cure; bugs and bad input are other things."""

import errno
import os

import numpy as np
import pytest
import torch

from avzoo.utils.errors import AvzooError, CheckpointError
from avzoo.utils.host_errors import host_error


@pytest.mark.parametrize(
    ('code', 'fact'),
    [
        (errno.ENOSPC, 'disk is full'),
        (errno.EDQUOT, 'share of the disk'),
        (errno.EFBIG, 'ulimit -f'),
        (errno.EIO, 'reports an error'),
        (errno.EACCES, 'no permission'),
        (errno.EROFS, 'read-only'),
        (errno.EMFILE, 'ulimit -n'),
        (errno.ENAMETOOLONG, 'too long'),
        (errno.ELOOP, 'loop'),
        (errno.ENOTDIR, 'is a file'),
        (errno.EISDIR, 'is a folder'),
        (errno.EEXIST, 'already exists'),
        (errno.ENOENT, 'just been removed'),
    ],
)
def test_each_names_file_cause_and_cure(code, fact):
    text = host_error(OSError(code, os.strerror(code), 'work/last.pth'))
    assert text.startswith('work/last.pth: ') and fact in text and '\n' not in text and text.endswith('.')


def test_an_error_without_a_file_has_cause_and_cure():
    assert host_error(OSError(errno.ENOSPC, 'x')).startswith('the disk is full')
    assert 'disk is full' in host_error(OSError('24 requested and 0 written'))  # numpy's


def test_of_a_rename_the_target_is_named(tmp_path):
    with pytest.raises(OSError) as caught:
        os.replace(tmp_path / 'none', tmp_path / 'target')
    assert host_error(caught.value).startswith(str(tmp_path / 'target'))


def test_too_little_memory_is_told_in_the_words_of_each_library():
    errors = []
    for allocate in (lambda: np.empty(1 << 57), lambda: torch.empty(1 << 56), lambda: bytes(1 << 62)):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate()
        errors.append(caught.value)
    errors += [torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.'), OSError(errno.ENOMEM, 'x')]
    for error in errors:
        assert 'not enough memory' in host_error(error) and 'batch_size' in host_error(error)
    assert '2.00 GiB' in host_error(errors[3])


def test_too_little_of_something_is_not_reported_as_damage():
    with pytest.raises(CheckpointError) as caught:
        try:
            raise OSError(errno.EMFILE, 'Too many open files', 'last.pth')
        except OSError:
            raise CheckpointError('last.pth is damaged.') from None
    assert host_error(caught.value).startswith('last.pth: this process has too many files open')


def test_where_the_cause_names_no_file_the_error_of_the_reader_does():
    with pytest.raises(CheckpointError) as caught:
        try:
            raise MemoryError
        except MemoryError:
            raise CheckpointError('last.pth is not a whole pickle.\nMore.') from None
    text = host_error(caught.value)
    assert text.startswith('last.pth is not a whole pickle. ') and 'not enough memory' in text and '\n' not in text


def test_bad_input_and_bugs_are_of_another_kind():
    assert host_error(AvzooError('no such class')) is None and host_error(KeyError('bug')) is None
    assert host_error(RuntimeError('mat1 and mat2 shapes cannot be multiplied')) is None
    with pytest.raises(AvzooError) as caught:
        try:
            raise OSError(errno.ENOENT, 'No such file', 'x')
        except OSError as error:
            raise AvzooError('There is no x. Train first.') from error
    assert host_error(caught.value) is None


def test_a_killed_loader_worker_is_not_a_bug():
    assert 'num_workers=0' in host_error(RuntimeError('DataLoader worker (pid 5) is killed by signal: Killed.'))
