"""Read the config that a checkpoint carries as text, without running it."""

import ast
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from avzoo.utils.errors import CheckpointError

# Where and how a run ran; of no use to those who receive its weights.
RUN_KEYS = ('work_dir', 'experiment_name', 'load_from', 'resume', 'launcher', 'log_level')


def parse_config_text(text: str, source: str) -> dict[str, Any]:
    """Turn assignments of plain values, as ``Config.pretty_text`` writes them, into a dict.

    A config is Python, and reading it the usual way runs it; code in a file from elsewhere must not run. Only
    constants, lists, tuples, dicts and ``dict(...)`` are understood here.

    Args:
        text: The assignments.
        source: Where they come from, for the error.

    Raises:
        CheckpointError: If there is anything else in it.
    """
    values = {}
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # Its docstring.
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                raise ValueError(f'line {statement.lineno} is not an assignment')
            values[statement.targets[0].id] = _value(statement.value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        reason = str(error) or 'it is nested too deep'  # Python's MemoryError carries no text.
        raise CheckpointError(
            f'The config inside {source} holds more than plain values and was not run: {reason}. '
            'Name a config file beside the checkpoint.'
        ) from error
    return values


def portable_config(values: dict[str, Any]) -> dict[str, Any]:
    """Return a config without what belongs to one run on one machine.

    Absolute paths are dropped with their keys, at any depth; of a ``data_root`` the last part is kept.
    """
    return {key: _portable(value) for key, value in _without_paths(values).items() if key not in RUN_KEYS}


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in _without_paths(value).items()}
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value if not _is_absolute(item)]
    return value


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    named = {
        key: PurePath(value).name if key == 'data_root' and _is_absolute(value) else value
        for key, value in values.items()
    }
    return {key: value for key, value in named.items() if not _is_absolute(value)}


def _is_absolute(value: Any) -> bool:
    """Return whether a value is an absolute path, of any operating system."""
    return isinstance(value, str) and (
        value.startswith(('~/', 'file:')) or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    )


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {_key(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_key(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)


def _key(key: ast.expr | str | None) -> Any:
    if key is None:
        raise ValueError('it unpacks something with **')
    return key if isinstance(key, str) else _value(key)
