"""Read the config that a checkpoint carries as text, without running it."""

import ast
from pathlib import Path
from typing import Any

from avzoo.utils.errors import CheckpointError

# Where and how a run ran; of no use to whoever gets its weights.
RUN_KEYS = ('work_dir', 'experiment_name', 'load_from', 'resume', 'launcher', 'log_level')


def parse_config_text(text: str, source: str) -> dict[str, Any]:
    """Turn assignments of plain values, as ``Config.pretty_text`` writes them, into a dict.

    A config is Python, and reading it the usual way runs it; what a file from elsewhere says must not run. Constants,
    lists, tuples, dicts and ``dict(...)`` are known here, nothing else.

    Args:
        text: The assignments.
        source: Where they come from, for the error.
    """
    values = {}
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # Its docstring.
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                raise ValueError(f'line {statement.lineno} is no assignment')
            values[statement.targets[0].id] = _value(statement.value)
    except (ValueError, SyntaxError, RecursionError) as error:
        raise CheckpointError(f'The config inside {source} holds more than plain values and was not run: {error}. '
                              'Name a config file beside the checkpoint.') from error
    return values


def portable_config(values: dict[str, Any]) -> dict[str, Any]:
    """Return a config without what belongs to one run on one machine; of absolute data paths the last part stays."""
    return {key: _portable(key, value) for key, value in values.items() if key not in RUN_KEYS}


def _portable(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _portable(k, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(key, item) for item in value]
    return Path(value).name if key == 'data_root' and Path(value).is_absolute() else value


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {_keyword(keyword): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError('it unpacks something with **')
    return keyword.arg
