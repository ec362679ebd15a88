"""Look at a config and its bases before they are run."""

import ast
from functools import lru_cache
from pathlib import Path

from avzoo.utils.errors import ConfigError

_MOST_BYTES = 4 << 20
_NO_LITERAL = (ValueError, TypeError, RecursionError, MemoryError)


def refuse_other_languages(path: Path, seen: set[Path] | None = None, above: tuple[Path, ...] = ()) -> None:
    """Refuse a config, or a base of it, that is not Python: it would look like data, and mmengine would run it.

    In YAML and JSON it runs what tags and ``_base_`` name, and fills in environment variables.

    Args:
        path: The config.
        seen: Files that were already looked at.
        above: Those of which this one is a base.

    Raises:
        ConfigError: If one is of another language, too large or its own base, or a ``_base_`` is not a literal.
    """
    seen = set() if seen is None else seen
    _check_name(path)
    if not path.is_file():  # mmengine says better which base is missing.
        return
    place = path.resolve()
    if place in above:  # mmengine would read it again and again.
        raise ConfigError(f'{above[-1]}: {path.name} in _base_ leads back to this file. Remove it.')
    if place in seen:
        return
    seen.add(place)
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigError(f'{path} has {path.stat().st_size:,} bytes; a config has at most {_MOST_BYTES:,}. Check it.')
    try:
        text = path.read_text(encoding='utf-8')
    except ValueError:  # mmengine says where.
        return
    for base in _bases(path, text):
        if '::' in base:
            _check_name(base)
        else:
            refuse_other_languages(path.parent / base, seen, (*above, place))


def _check_name(path: str | Path) -> None:
    if Path(path).suffix != '.py':
        raise ConfigError(f'{path} is not a config: configs are Python files, NAME.py, and are run.')


@lru_cache(maxsize=128)  # Configs share their bases.
def _bases(path: Path, text: str) -> list[str]:
    try:
        tree = ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # mmengine says where.
        return []
    values = [node.value for node in tree.body if isinstance(node, ast.Assign) and _is_base(*node.targets)]
    names = [name for value in values for name in _names(value, path)]
    # mmengine would also take `_base_ = x = ...`; other places have no effect.
    if len(values) != sum(_is_base(node) for node in ast.walk(tree)) or any('{{' in name for name in names):
        raise _not_written_out(path)
    return names


def _is_base(target: ast.AST, *others: ast.AST) -> bool:
    """Return whether ``_base_``, and nothing else, is assigned."""
    is_name = isinstance(target, ast.Name) and target.id == '_base_' and isinstance(target.ctx, ast.Store)
    return is_name and not others


def _names(value: ast.expr, path: Path) -> list[str]:
    try:
        found = ast.literal_eval(value)
    except _NO_LITERAL:
        raise _not_written_out(path) from None
    names = list(found) if isinstance(found, list | tuple) else [found]
    if not all(isinstance(name, str) for name in names):
        raise _not_written_out(path)
    return names


def _not_written_out(path: Path) -> ConfigError:
    return ConfigError(
        f'{path}: _base_ is not a literal name or list of names, so what it would run is not known. '
        "Write it as _base_ = ['../_base_/default_runtime.py']."
    )
