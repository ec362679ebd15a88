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

# Runs a tool as the command line does, then says which heavy modules were imported, and the setting for threads.
SHOW_HELP = f"""
import os, runpy, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
sys.argv = [sys.argv[1], '--help']
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
except SystemExit as stop:
    assert stop.code == 0
print('\\nimported:', *(name for name in {HEAVY} if name in sys.modules), os.environ['OMP_WAIT_POLICY'])
"""


def test_only_helpers_of_our_own_pages_are_no_tools():
    others = {path.relative_to(REPO).as_posix() for path in FILES} - set(TOOLS)
    assert {name.rpartition('/')[0] for name in others} == {'tools/misc'}


@pytest.mark.parametrize('tool', TOOLS)
def test_help_shows_an_example_and_imports_nothing_heavy(tool):
    environment = {name: value for name, value in os.environ.items() if name != 'OMP_WAIT_POLICY'}
    done = subprocess.run(
        [sys.executable, '-c', SHOW_HELP, str(REPO / tool)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    page, _, found = done.stdout.rpartition('\nimported:')
    assert f'python {tool} ' in page
    assert found.split() == ['PASSIVE']  # set before torch is imported, as it must be


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
