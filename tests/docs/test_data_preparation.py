"""The page on data preparation begins with commands that the tools understand."""

import importlib.util
import re
import shlex

import pytest

from tests.conftest import REPO

PAGE = (REPO / 'docs/data_preparation.md').read_text(encoding='utf-8')
HAVE = PAGE[PAGE.index('### I have') : PAGE.index('## The feature store')]


def commands(text):
    blocks = re.findall(r'```bash\n(.*?)```', text, re.DOTALL)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    return [line for line in lines if line.startswith('python tools/')]


@pytest.mark.parametrize('command', dict.fromkeys(commands(PAGE)))
def test_every_command_of_the_page_is_understood(command):
    _, tool, *arguments = shlex.split(command, comments=True)
    spec = importlib.util.spec_from_file_location('tool', REPO / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.parse_args(arguments)


def test_each_kind_of_data_has_its_command():
    kinds = re.findall(r'^\.\.\. (.*)\n\n```bash\n((?:.*\n)*?)```', HAVE, re.MULTILINE)
    wanted = ['.npz', 'folder of `.npy`', '.h5', 'videos', "authors' zip", 'ClipClap-GZSL']
    assert [word for (kind, _), word in zip(kinds, wanted, strict=True) if word in kind] == wanted
    assert all('python tools/dataset_converters/' in block for _, block in kinds)


def test_links_of_the_page_lead_somewhere():
    headings = re.findall(r'^#+ (.*)$', PAGE, re.MULTILINE)
    anchors = {re.sub(r'[^\w\- ]', '', heading).strip().lower().replace(' ', '-') for heading in headings}
    assert set(re.findall(r'\]\(#([^)]*)\)', PAGE)) <= anchors
