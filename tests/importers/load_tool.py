"""Run a converter within the test's process: starting Python takes seconds."""

import importlib.util

from tests.conftest import REPO


def load_tool(name):
    """Return the module of a tool of tools/dataset_converters."""
    spec = importlib.util.spec_from_file_location(f'{name}_tool', REPO / 'tools' / 'dataset_converters' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
