"""What a command-line tool does around its work."""

import pytest

from avzoo.utils import cli
from avzoo.utils.errors import DataError


def test_an_interruption_while_the_process_is_prepared_ends_in_one_line(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.compat, 'prepare_process', interrupted)
    assert cli.run_tool(lambda argv: 0) == 130
    assert capsys.readouterr().err == 'interrupted\n'


@pytest.mark.parametrize(
    ('text', 'shown'), [('a\x1b[2J', r'a\x1b[2J'), ('a\u202eb', r'a\u202eb'), ('\udc80', r'\udc80')]
)
def test_what_an_error_quotes_does_not_reach_the_terminal_raw(capsys, text, shown):
    def fails(argv):
        raise DataError(text)

    assert cli.run_tool(fails) == 2
    assert capsys.readouterr().err == f'error: {shown}\n'


def test_what_an_error_quotes_forges_no_line_at_the_left_margin(capsys):
    def fails(argv):
        raise DataError('class a\nerror: all is well\r\n$ ')

    assert cli.run_tool(fails) == 2
    assert capsys.readouterr().err.splitlines() == ['error: class a', r'  error: all is well\r', '  $ ']
