"""Every block of code of a page runs, or is understood by what it starts, or is listed here with the reason why not."""

import importlib.util
import re
import shutil
from functools import cache

import pytest

from avzoo.__main__ import _TOOLS
from avzoo.config.load import load_config
from avzoo.zoo.index import read_index
from tests.conftest import CONFIGS, REPO
from tests.docs.pages import PAGES, blocks, commands

# Commands of other programs, by how they begin.
NOT_RUN = {
    ('.', '.venv/bin/activate'): 'changes the shell; .ci/run does it',
    ('python3', '-m', 'venv'): 'makes an environment; .ci/run does it',
    ('pip', 'install'): 'changes the environment; .ci/run does it',
    ('pre-commit', 'install'): 'changes the checkout',
    ('tensorboard', '--logdir'): 'a server; tests/tools/test_tensorboard.py reads what it would show',
    ('python', '-m', 'pytest'): 'these tests',
    ('AVZOO_FUZZ_EXAMPLES=100000',): 'hours of these tests',
    ('ruff',): '.ci/run runs it',
    ('mypy',): '.ci/run runs it',
    ('bash', '.ci/run'): 'runs these tests',
    ('mkdocs', 'build'): 'tests/docs/test_site.py builds the site',
    ('PYTHONPATH=mine',): 'tests/docs/test_add_a_fusion.py runs it',
    ('python', 'mine/check.py'): 'tests/docs/test_add_a_fusion.py runs it',
}
# Pages whose blocks of Python other tests run.
ELSEWHERE = {
    'docs/add_a_fusion.md': 'tests/docs/test_add_a_fusion.py',
    'docs/from_videos.md': 'tests/docs/test_notebooks.py: first_classifier.ipynb makes the videos that it needs',
}
COMMANDS = commands()


def tool_of(words):
    """Return the tool that a command starts, as a path below tools/, and its arguments; None for another program."""
    if words[0] == 'avzoo' and words[1] in _TOOLS:
        return _TOOLS[words[1]][0], words[2:]
    place = next((i for i, word in enumerate(words) if word.startswith('tools/') and word.endswith('.py')), None)
    if place is None or words[0] not in ('python', 'torchrun', 'nice'):
        return None
    return words[place].removeprefix('tools/'), words[place + 1 :]


@cache
def loaded(tool):
    spec = importlib.util.spec_from_file_location('tool', REPO / 'tools' / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OF_TOOLS = {words: tool_of(words) for words in COMMANDS if tool_of(words)}


@pytest.mark.parametrize('words', OF_TOOLS, ids=' '.join)
def test_a_tool_understands_its_command_and_the_config_its_options(words):
    tool, arguments = OF_TOOLS[words]
    redirected = arguments.index('>') if '>' in arguments else len(arguments)
    args = vars(loaded(tool).parse_args(arguments[:redirected]))
    config = str(args.get('config'))
    known = (REPO / config).is_file() or config in read_index()
    assert known or not config.startswith('configs/'), 'no such config'
    if 'TensorboardVisBackend' in words[-1]:
        pytest.importorskip('tensorboard', reason="the extra 'tensorboard'")
    if known and args.get('cfg_options'):
        load_config(REPO / config if (REPO / config).is_file() else read_index()[config].config, args['cfg_options'])


def test_who_trains_on_a_store_of_their_own_teaches_with_it():
    blocks_with_both = [
        text for _, _, text in blocks('bash') if 'data_root=data/mine' in text and 'tools/adapt.py' in text
    ]
    assert blocks_with_both and all('--base-store' in text for text in blocks_with_both)


def test_each_other_command_is_listed_and_nothing_else():
    others = [words for words in COMMANDS if words not in OF_TOOLS]
    assert len(OF_TOOLS) > 60
    beginnings = {words: next((b for b in NOT_RUN if words[: len(b)] == b), None) for words in others}
    assert [words for words, beginning in beginnings.items() if beginning is None] == []
    assert set(beginnings.values()) == NOT_RUN.keys()


PYTHON = [(page, mark, text) for page, mark, text in blocks('python') if page not in ELSEWHERE]
PROGRAMS = [(page, text) for page, mark, text in PYTHON if 'import' in text]
FRAGMENTS = [text for page, mark, text in PYTHON if 'import' not in text and not mark.startswith('config:')]


@pytest.mark.parametrize(('page', 'text'), PROGRAMS, ids=[page for page, _ in PROGRAMS])
def test_a_program_of_a_page_runs(page, text, tmp_path, monkeypatch, tiny_store):
    monkeypatch.chdir(tmp_path)
    if 'data/ucf_fsl' in text:
        shutil.copytree(tiny_store, tmp_path / 'data/ucf_fsl')
    shutil.copy(REPO / 'demo/synth_clip.npz', tmp_path / 'clip.npz')
    exec(compile(text, page, 'exec'), {'__name__': '__main__'})


@pytest.mark.parametrize('text', FRAGMENTS)
def test_a_piece_of_a_config_fits_the_config_of_its_page(text, tmp_path):
    path = tmp_path / 'piece.py'
    path.write_text(f"_base_ = '{CONFIGS / 'avgauss/avgauss_custom_5shot.py'}'\n{text}")
    load_config(path, ['data_root=data/mine'])


def test_pages_whose_code_runs_elsewhere_have_code():
    assert {page for page, _, _ in blocks('python')} >= ELSEWHERE.keys()
    assert len(PROGRAMS) > 3 and FRAGMENTS


def test_no_page_has_the_marks_of_a_merge():
    marks = re.compile(r'^(<{7}|>{7}) ', re.MULTILINE)
    assert not [page.name for page in PAGES if marks.search(page.read_text(encoding='utf-8'))]
