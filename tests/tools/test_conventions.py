"""Every tool is built alike: quick to answer --help, one way to start."""

import ast
import os
import subprocess
import sys

import pytest

from tests.conftest import REPO

FILES = sorted([*REPO.glob('tools/*.py'), *REPO.glob('tools/*/*.py')])
TOOLS = [path.relative_to(REPO).as_posix() for path in FILES if '__main__' in path.read_text(encoding='utf-8')]
HEAVY = ('torch', 'mmengine', 'timm', 'sklearn', 'scipy', 'numpy')

# Runs tools one after the other as the command line does; says after each which heavy modules were imported so far,
# and the setting for threads, which it forgets before the next.
SHOW_HELP = f"""
import os, runpy, sys
for tool in sys.argv[1:]:
    sys.path[0] = os.path.dirname(tool)
    sys.argv = [tool, '--help']
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as stop:
        assert stop.code == 0, tool
    heavy = [name for name in {HEAVY} if name in sys.modules]
    print('\\nimported:', *heavy, os.environ.pop('OMP_WAIT_POLICY'), end='\\f')
"""


def test_only_helpers_of_our_own_pages_are_no_tools():
    others = {path.relative_to(REPO).as_posix() for path in FILES} - set(TOOLS)
    assert {name.rpartition('/')[0] for name in others} == {'tools/misc'}


def test_help_shows_an_example_and_imports_nothing_heavy():
    environment = {name: value for name, value in os.environ.items() if name != 'OMP_WAIT_POLICY'}
    done = subprocess.run(
        [sys.executable, '-c', SHOW_HELP, *(str(REPO / tool) for tool in TOOLS)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    pages = done.stdout.split('\f')[:-1]
    for tool, text in zip(TOOLS, pages, strict=True):
        page, _, found = text.rpartition('\nimported:')
        assert f'python {tool} ' in page
        assert found.split() == ['PASSIVE'], tool  # set before torch is imported, as it must be


@pytest.mark.parametrize('tool', TOOLS)
def test_a_tool_has_parse_args_and_a_main_that_returns_its_exit_code(tool):
    tree = ast.parse((REPO / tool).read_text(encoding='utf-8'))
    headers = {
        node.name: (ast.unparse(node.args), ast.unparse(node.returns))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in ('parse_args', 'main')
    }
    assert headers == {
        'parse_args': ('argv: Sequence[str] | None', 'argparse.Namespace'),
        'main': ('argv: Sequence[str] | None=None', 'int'),
    }
    assert ast.unparse(tree.body[-1]) == "if __name__ == '__main__':\n    sys.exit(run_tool(main))"
