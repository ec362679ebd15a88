"""Changes of a config from the command line, ``path.to.key=value``."""

import ast
import copy
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

from avzoo.config.keys import known_keys, refuse_moved, unknown_key
from avzoo.utils.errors import ConfigError

_WORDS = {'true': True, 'false': False, 'none': None}


def apply_option(cfg: Config, option: str) -> None:
    """Change one value of a config in place.

    A path may lead into lists and tuples (``betas.0``) and create a section that does not exist yet. A dict is merged
    into the section at its path; ``'_delete_': True`` in it replaces the section.

    Raises:
        ConfigError: If the option is not ``key=value``, its path does not exist, or its value is of the wrong kind.
    """
    path, sign, text = option.partition('=')
    if not sign:
        raise ConfigError(f"--cfg-options takes key=value, got '{option}'.")
    set_option(cfg, path, parse_value(text))


def set_option(cfg: Config, path: str, value: Any) -> None:
    """Change the value at a path of a config in place, as :func:`apply_option` does."""
    head, *rest = path.split('.')
    if head == 'custom_imports' and value is not None:
        raise ConfigError(f'{path}: modules are imported while a config file is read. Set custom_imports in the file.')
    _check_key(cfg, '', head)
    cfg[head] = _changed(cfg.get(head), head, rest, value)


def parse_value(text: str) -> Any:
    """Read a value of the command line: a Python literal, true / false / none, or else the text itself.

    Raises:
        ConfigError: If it starts like a list or a dict but is not one.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if re.match(r'(dict|list|tuple|set)\(', text):
            raise ConfigError(f'{text} is a call, and values are not evaluated. Write {_as_literal(text)}') from None
        if text[:1] in ('{', '[', '('):
            raise ConfigError(
                f'{text} cannot be read: quote the strings in lists and dicts, and quote the whole value for the '
                'shell. Write e.g. "{\'max_norm\': 1.0}"'
            ) from None
        return _WORDS.get(text.lower(), text)


def _as_literal(text: str) -> str:
    """Return how a call such as ``dict(max_norm=1.0)`` is written as a value."""
    try:
        call = ast.parse(text, mode='eval').body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError
        value = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        if call.func.id == 'dict' and value and None not in value:
            return f'"{value}"'
    except (ValueError, SyntaxError):
        pass
    return 'it as a literal, e.g. "{\'max_norm\': 1.0}"'


def _changed(node: Any, path: str, rest: list[str], value: Any) -> Any:
    """Return the section at ``path`` with the value at ``rest`` below it set; sections are copied, not altered."""
    if not rest:
        return _replaced(node, path, value)
    head, *rest = rest
    if isinstance(node, list | tuple):
        if not (head.isascii() and head.isdecimal()) or int(head) >= len(node):
            raise ConfigError(f"'{path}' is a list of {len(node)}; '{head}' is not an index.")
        items = list(node)
        items[int(head)] = _changed(items[int(head)], f'{path}.{head}', rest, value)
        return type(node)(items)
    if node is not None and not isinstance(node, Mapping):
        raise ConfigError(f"'{path}' has no key '{head}'; it is {node!r}.")
    node = ConfigDict() if node is None else copy.copy(node)
    _check_key(node, path, head)
    node[head] = _changed(node.get(head), f'{path}.{head}', rest, value)
    return node


def _check_key(node: Mapping | Config, path: str, key: str) -> None:
    refuse_moved(path, key)
    known = known_keys(node, path)
    if known is not None and key not in node and key not in known:
        raise unknown_key(f'{path}.{key}' if path else key, known | set(node.keys()))


def _replaced(old: Any, path: str, new: Any) -> Any:
    if isinstance(old, Mapping):
        if isinstance(new, Mapping):
            return ConfigDict(Config._merge_a_into_b(dict(section=new), dict(section=copy.deepcopy(old)))['section'])
        example = f'{path}.{next(iter(old), "KEY")}=...'
        _refuse_unless(new is None or isinstance(new, list | tuple), path, new, 'a section', example)
    elif isinstance(old, list | tuple):
        _refuse_unless(new is None or isinstance(new, list | tuple), path, new, 'a list', f'"{path}=[...]"')
    elif isinstance(old, int | float):
        _refuse_unless(
            not isinstance(new, str | Mapping | list | tuple),
            path,
            new,
            'true or false' if isinstance(old, bool) else 'a number',
            f'{path}={old!r}',
        )
    return ConfigDict(value=new)['value']


def _refuse_unless(fits: bool, path: str, value: Any, kind: str, example: str) -> None:
    if not fits:
        raise ConfigError(f'{path}={value!r} is of the wrong kind: {path} is {kind}. Set e.g. {example}')
