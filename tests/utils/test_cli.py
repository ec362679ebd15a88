"""What a command-line tool does around its work."""

from avzoo.utils import cli


def test_an_interruption_while_the_process_is_prepared_ends_in_one_line(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.compat, 'prepare_process', interrupted)
    assert cli.run_tool(lambda argv: 0) == 130
    assert capsys.readouterr().err == 'interrupted\n'
