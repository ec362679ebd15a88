"""The command ``avzoo``."""

import sys

import pytest

from avzoo.__main__ import _TOOLS, _as_commands, main
from avzoo.utils import cli
from avzoo.version import __version__
from avzoo.zoo.listing import list_models
from tests.conftest import REPO


def test_help_names_every_command(capsys):
    assert main(['--help']) == 0 == main([])
    page = capsys.readouterr().out
    assert all(f'\n  {name} ' in page for name in [*_TOOLS, 'list', 'info'])


@pytest.mark.parametrize('name', _TOOLS)
def test_a_command_is_a_tool(name, capsys):
    assert (REPO / 'tools' / _TOOLS[name][0]).is_file()
    with pytest.raises(SystemExit) as stop:
        main([name, '--help'])
    assert stop.value.code == 0
    page = capsys.readouterr().out
    assert page.startswith(f'usage: avzoo {name} ')
    assert not any(file.rpartition('/')[2] in page for file, _ in _TOOLS.values())


@pytest.mark.parametrize('name', ['list', 'info'])
def test_the_other_commands_have_help_too(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, '--help'])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: avzoo {name} ')


def test_an_unknown_command_is_answered_with_the_nearest(capsys):
    assert main(['trian']) == 2
    assert "Did you mean 'train'?" in capsys.readouterr().err


def test_help_and_errors_name_commands_in_place_of_tools(capsys, tmp_path, monkeypatch):
    with pytest.raises(SystemExit):
        main(['predict', '--help'])
    page = capsys.readouterr().out
    assert '\n  avzoo predict clip.mp4 another.mkv\n' in page and '(see avzoo import)' in page and 'tools/' not in page
    monkeypatch.chdir(tmp_path)
    assert main(['predict', 'clip.mp4']) == 2
    assert 'avzoo adapt --support' in capsys.readouterr().err


def test_a_command_leaves_the_process_as_it_was(capsys):
    before = cli.spell_tools, list(sys.argv), list(sys.path)
    assert main(['config', 'no_such_config']) == 2
    assert (cli.spell_tools, sys.argv, sys.path) == before


def test_files_that_are_no_tools_keep_their_names():
    text = 'configs/avdiff/train.py, ./predict.py and my_test.py'
    assert _as_commands(text) == text
    assert _as_commands('Use tools/dataset_converters/splits.py.') == 'Use avzoo splits.'
    text = 'torchrun --nproc_per_node=2 tools/train.py CONFIG\n  python tools/train.py CONFIG'
    assert _as_commands(text) == 'torchrun --nproc_per_node=2 -m avzoo train CONFIG\n  avzoo train CONFIG'


def test_models_are_listed(capsys):
    assert main(['list', 'avgauss_synth*']) == 0
    assert capsys.readouterr().out.split() == list_models('avgauss_synth*')
    assert main(['list', 'nothing_like_it']) == 2
    assert 'nothing_like_it' in capsys.readouterr().err


def test_versions_and_devices_are_printed(capsys):
    assert main(['info']) == 0
    found = capsys.readouterr().out
    assert f'avzoo        {__version__} (' in found and '\ntorch ' in found and '\ndevices ' in found
    assert main(['--version']) == 0
