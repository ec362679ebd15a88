"""The settings of a run as one level of dotted keys."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config

from avzoo.config.choices import with_alternatives
from avzoo.utils.errors import ConfigError

# Config keys that say where a run is stored, not what it is.
_PLACES = ('work_dir', 'data_root', 'load_from', 'resume', 'launcher')


def settings_of(state: Any, choices: Iterable[Mapping[str, Any]] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings as in the config, and with the choices of validation applied.

    Args:
        state: Content of ``curriculum.json``.
        choices: The choices in the results, each with its ``chosen`` alternative.

    Returns:
        Both by dotted keys. The first is empty if the file is missing or has none, the second also if they do not fit
        the choices, or this version does not know what was chosen.
    """
    settings = state.get('settings') if isinstance(state, Mapping) else None
    if not isinstance(settings, dict):
        return {}, {}
    configured = flat(settings)
    chosen = [one['chosen'] for one in choices or () if isinstance(one.get('chosen'), Mapping)]
    if not chosen:
        return configured, configured
    try:
        return configured, flat(with_alternatives(Config(settings), chosen).to_dict())
    except (ConfigError, KeyError, TypeError):  # mmengine raises the last two for keys that no config can have.
        return configured, {}


def flat(value: Any, prefix: str = '') -> dict[str, Any]:
    """Return nested dicts as one dict with dotted keys, without the keys that say where a run is stored."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    below = {f'{prefix}.{key}' if prefix else str(key): item for key, item in value.items() if key not in _PLACES}
    return {name: leaf for key, item in below.items() for name, leaf in flat(item, key).items()}
