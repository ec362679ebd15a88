"""What a run writes to its log."""

import logging

import pytest

from avzoo.engine.log import escape_in_log, held_work_dir, log_line, log_to
from avzoo.utils.errors import AvzooError

HOSTILE = 'class \x1b[2Jdog\r\x9b\u202e'
SHOWN = r'class \x1b[2Jdog\r\x9b\u202e'


@pytest.fixture
def log_file(tmp_path):
    path = tmp_path / 'curriculum.log'
    log_to(path)
    yield path
    log_to(tmp_path / 'other.log')


def test_names_of_elsewhere_reach_neither_log_nor_screen_raw(log_file, capfd):
    log_line(f'{HOSTILE}\ntable')
    written = log_file.read_text()
    assert SHOWN in written and '\x1b' not in written and written.endswith('\ntable\n')
    shown = capfd.readouterr()
    assert '[2J' not in (shown.out + shown.err).replace(SHOWN, '')


def test_arguments_of_a_message_are_escaped_too():
    logger, got = logging.Logger('alone'), []
    handler = logging.Handler()
    handler.emit = lambda record: got.append(record.getMessage())
    logger.addHandler(handler)
    for _ in range(2):  # A second call changes nothing.
        escape_in_log(logger)
    logger.warning('%s of %d', HOSTILE, 3)
    assert got == [f'{SHOWN} of 3']


def test_a_run_that_is_refused_for_the_lock_of_another_writes_nothing(log_file, tmp_path, capfd):
    place = tmp_path / 'run'
    with held_work_dir(place):
        assert f'Everything is written to {place}.' in (place / 'curriculum.log').read_text()
        log_to(log_file)
        capfd.readouterr()
        with pytest.raises(AvzooError, match='Another process is training in'), held_work_dir(place):
            pytest.fail('two hold it at once')
        assert 'Everything is written' not in log_file.read_text() + ''.join(capfd.readouterr())
    with held_work_dir(place):
        assert (place / 'curriculum.log').read_text().count('Everything is written') == 2
