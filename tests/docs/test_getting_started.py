"""The page to begin with names every option and every extra, and the defaults that the code has."""

import re
from importlib.metadata import metadata

import pytest

from avzoo.config.settings import FUSION_CACHE_MIB
from tests.conftest import REPO
from tests.docs.test_code_blocks import loaded

PAGE = (REPO / 'docs/getting_started.md').read_text(encoding='utf-8')


def first_cells(heading: str) -> set[str]:
    section = PAGE[PAGE.index(f'\n{heading}\n') :]
    rows = re.findall(r'^\| (`.*?) \|', section[: section.index('\n\n', section.index('|---|'))], re.MULTILINE)
    return {name.split()[0] for row in rows for name in re.findall('`([^`]+)`', row)}


def test_the_table_has_every_option_of_the_training(capsys):
    with pytest.raises(SystemExit):
        loaded('train.py').parse_args(['--help'])
    options = set(re.findall(r'^  (--[\w-]+)', capsys.readouterr().out, re.MULTILINE))
    assert first_cells('## Options of `tools/train.py`') == options


def test_the_table_has_every_extra():
    assert first_cells('### Extras') == set(metadata('avzoo').get_all('Provides-Extra'))


def test_defaults():
    assert f'`curriculum.full.fusion_cache_mib` (default: {FUSION_CACHE_MIB:.0f})' in PAGE
