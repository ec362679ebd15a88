"""Settings that a config leaves to validation: ``curriculum.choices``.

Each choice is a list of alternatives, and an alternative a dict of config paths to values, e.g.
``{'data_preprocessor.time_bins': 3}``; an empty one keeps the config as it is.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config

from avzoo.config.as_data import as_plain
from avzoo.config.options import set_option
from avzoo.utils.errors import ConfigError

Alternative = Mapping[str, Any]
# They decide what validation is made on and what its scores are for, so it cannot choose between them.
_NEVER_CHOSEN = re.compile(
    r'(data_root|num_shots|work_dir|randomness|val_evaluator|val_dataloader|test_dataloader'
    r'|curriculum\.(choices|choose_by|validate|num_draws|references))(\.|$)'
)


def choices_of(cfg: Config) -> list[list[Alternative]]:
    """Return the choices of a config, each with its alternatives.

    Raises:
        ConfigError: If an alternative is not a dict of paths to values, or sets what validation cannot choose, or a
            choice has none.
    """
    plain = as_plain(dict(choices=cfg.curriculum.get('choices') or ()))
    choices = [list(choice) for choice in plain['choices']]
    for i, choice in enumerate(choices):
        if not choice or not all(isinstance(alternative, Mapping) for alternative in choice):
            raise ConfigError(
                f'curriculum.choices.{i} must be a list of alternatives, each a dict of config paths to values, e.g. '
                "[{'data_preprocessor.time_bins': 1}, {'data_preprocessor.time_bins': 3}]."
            )
        for path in (path for alternative in choice for path in alternative):
            if not isinstance(path, str) or _NEVER_CHOSEN.match(path):
                raise ConfigError(
                    f'curriculum.choices.{i} sets {path!r}, which validation cannot choose. Choose between settings of '
                    'the model or of its training.'
                )
    return choices


@contextmanager
def reported(i: int, j: int) -> Iterator[None]:
    """Add to a config error that it comes from alternative ``j`` of choice ``i``."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f'curriculum.choices.{i}.{j}: {error}') from error


def with_alternatives(cfg: Config, alternatives: Sequence[Alternative]) -> Config:
    """Return a copy of a config with the values of some alternatives set."""
    cfg = copy.deepcopy(cfg)
    for alternative in alternatives:
        for path, value in alternative.items():
            set_option(cfg, path, copy.deepcopy(value))
    return cfg


def describe(alternative: Alternative) -> str:
    """Return an alternative as text for the log."""
    text = ', '.join(f'{path}={value}' for path, value in alternative.items()) or 'as the config has it'
    return text if len(text) < 160 else f'{text[:130]} ... {text[-20:]}'
