"""What a command-line tool does around its work."""

import errno
import io
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from avzoo.utils import cli
from avzoo.utils.errors import AvzooError, DataError
from avzoo.utils.tables import text_table


@pytest.fixture(autouse=True)
def same_logging(monkeypatch):
    monkeypatch.setattr(logging, 'raiseExceptions', True)


def raising(error):
    def main(argv):
        raise error

    return main


def test_an_interruption_while_the_process_is_prepared_ends_in_one_line(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.compat, 'prepare_process', interrupted)
    assert cli.run_tool(lambda argv: 0) == 130
    assert capsys.readouterr().err == 'interrupted\n'


@pytest.mark.parametrize(
    'error',
    [AvzooError('x: wrong. Do y.'), OSError(errno.ENOSPC, 'full', 'x'), MemoryError('Unable to allocate 3 GiB')],
)
def test_bad_input_and_what_the_machine_lacks_are_one_line(capsys, error):
    assert cli.run_tool(raising(error)) == 2
    printed = capsys.readouterr().err
    assert printed.startswith('error: ') and printed.count('\n') == 1


@pytest.mark.parametrize('error', [KeyError('bug'), OSError('no number'), OSError(errno.EBADF, 'bug')])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        cli.run_tool(raising(error))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_asked_to_end_cleans_up_and_says_so(capsys, number):
    signal.signal(number, signal.SIG_DFL)  # nohup ignores one of them.
    cleaned = []

    def main(argv):
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # Cleaning up is not stopped by a second one.
            cleaned.append(1)

    assert cli.run_tool(main) == 128 + number and cleaned
    assert capsys.readouterr().err == f'stopped by {number.name}\n'
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert cli.run_tool(lambda argv: os.kill(os.getpid(), signal.SIGHUP)) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_forked_child_dies_of_the_signal_without_cleaning_up():
    def main(argv):
        child = os.fork()
        if not child:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(5)
            finally:
                os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGTERM

    assert cli.run_tool(main) == 0


def test_a_tool_can_run_in_another_thread():
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.run_tool(lambda argv: 3)))
    thread.start()
    thread.join()
    assert codes == [3]


def test_a_tool_whose_streams_are_closed_prints_to_nothing(monkeypatch):
    for name in ('stdin', 'stdout', 'stderr'):
        monkeypatch.setattr(sys, name, None)
    assert cli.run_tool(lambda argv: cli.show('a') or len(sys.stdin.read())) == 0
    assert cli.run_tool(raising(AvzooError('b'))) == 2
    assert {stream.name for stream in (sys.stdin, sys.stdout, sys.stderr)} == {os.devnull}


def test_an_ascii_terminal_shows_the_table(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, 'ascii'))
    table = text_table(('class', 'HM'), [('é', '61.2 ± 0.4')])
    assert cli.run_tool(lambda argv: sys.stdout.write(table) and 0) == 0
    assert raw.getvalue().decode('ascii').splitlines()[-1] == r'\xe9      61.2 +- 0.4'


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='Linux has /dev/full')
def test_a_full_disk_below_stdout_is_one_line(repo_dir):
    code = 'import sys; from avzoo.utils.cli import run_tool; sys.exit(run_tool(lambda argv: print("x")))'
    with open('/dev/full', 'w') as full:
        done = subprocess.run(
            [sys.executable, '-c', code], stdout=full, stderr=subprocess.PIPE, text=True, cwd=repo_dir
        )
    assert done.returncode == 2 and done.stderr.startswith('error: the disk is full') and done.stderr.count('\n') == 1


@pytest.mark.parametrize(
    ('text', 'shown'), [('a\x1b[2J', r'a\x1b[2J'), ('a\u202eb', r'a\u202eb'), ('\udc80', r'\udc80')]
)
def test_what_an_error_quotes_does_not_reach_the_terminal_raw(capsys, text, shown):
    def fails(argv):
        raise DataError(text)

    assert cli.run_tool(fails) == 2
    assert capsys.readouterr().err == f'error: {shown}\n'


def test_what_an_error_quotes_begins_no_line(capsys):
    def fails(argv):
        raise DataError('class a\nerror: all is well\r\n$ ')

    assert cli.run_tool(fails) == 2
    assert capsys.readouterr().err == 'error: class a error: all is well $\n'


def test_details_of_an_error_stand_below_it_one_line_each(capsys):
    def fails(argv):
        raise DataError('2 clips fail:', details=['a.mp4\nerror: x', 'b.mp4'])

    assert cli.run_tool(fails) == 2
    assert capsys.readouterr().err.splitlines() == ['error: 2 clips fail:', '  a.mp4 error: x', '  b.mp4']


def test_a_long_error_is_cut_before_its_cure(capsys):
    cli.print_error(f'There is no {"a" * 5000}. Check the path.')
    printed = capsys.readouterr().err
    assert len(printed) < 1800 and printed.startswith('error: There is no a') and printed.endswith('Check the path.\n')


@pytest.mark.parametrize('stderr', [False, True])
def test_what_a_tool_shows_does_not_act_on_the_terminal(capsys, stderr):
    cli.show('a\x9b\nb\u202e', stderr=stderr)
    assert capsys.readouterr()[stderr] == 'a\\x9b\nb\\u202e\n'


@pytest.mark.parametrize(
    ('given', 'kept'),
    [
        ([], ([1, 5], None, None)),
        (['--shots', '2'], ([2], None, None)),
        (['--shots', '2', '--seed', '1', '--shots', '3', '4', '--shots=5'], ([2, 3, 4, 5], 1, None)),
        (['--ids', 'a', '--ids', '--ids', 'b', '--seed', '1', '--seed', '2'], ([1, 5], 2, ['a', 'b'])),
    ],
)
def test_an_option_of_several_values_that_is_given_again_adds_its_values(given, kept):
    parser = cli.ToolParser()
    parser.add_argument('--shots', type=int, nargs='+', default=[1, 5])
    parser.add_mutually_exclusive_group().add_argument('--ids', nargs='*')
    parser.add_argument('--seed', type=int)
    for _ in range(2):  # The defaults stay what they are.
        args = parser.parse_args(given)
        assert (args.shots, args.seed, args.ids) == kept


@pytest.mark.parametrize(('given', 'hint'), [('--workdir', " Did you mean '--work-dir'?"), ('--top', ''), ('--x', '')])
def test_the_dashes_of_options_do_not_make_them_alike(given, hint, capsys):
    parser = cli.ToolParser()
    for option in ('--work-dir', '--out', '--shots', '--method'):
        parser.add_argument(option)
    with pytest.raises(SystemExit):
        parser.parse_args([given, '3'])
    assert capsys.readouterr().err.endswith(f'unrecognized arguments: {given} 3.{hint}\n')
