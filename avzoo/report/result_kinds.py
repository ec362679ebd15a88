"""The kinds of what ``results.json`` holds, as far as it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avzoo.config.types import check_present, check_types
from avzoo.utils.errors import ConfigError, DataError


@dataclass(frozen=True)
class _Results:
    method: str
    dataset: str
    num_shots: int
    draws: list[dict]
    aggregate: dict
    seed: int = 0
    gamma: float | None = None
    gamma_source: str = ''
    choices: list[dict] | None = None
    references: dict[str, dict] | None = None
    paired: dict | None = None
    per_class_recall: dict[str, float] | None = None
    provenance: dict | None = None


@dataclass(frozen=True)
class _Row:
    B: float
    N: float
    HM: float
    FSL: float
    AUSUC: float
    generator_check: dict | None = None


@dataclass(frozen=True)
class _Draw(_Row):
    draw: int = 0


@dataclass(frozen=True)
class _Check:
    learned: bool
    mean_distance: float
    shot_mean_distance: float
    synthetic_accuracy: float
    chance: float
    loss_true: float | None = None
    loss_shuffled: float | None = None


@dataclass(frozen=True)
class _Paired:
    against: str
    draws: dict[str, dict]
    bootstrap: dict[str, dict] | None = None


@dataclass(frozen=True)
class _Difference:
    mean: float
    ci95: float | None = None
    low: float | None = None
    high: float | None = None


def check_results(results: Any, path: str) -> None:
    """Check the results of a run.

    Args:
        results: What the file holds.
        path: The file, for the error.

    Raises:
        DataError: For the first entry that is missing or of another kind.
    """
    try:
        _section(results, _Results, 'results')
        for number, row in enumerate(results['draws']):
            _section(row, _Draw, f'draws[{number}]')
        if not results['draws']:
            raise ConfigError('draws is empty.')
        _section(results['aggregate'], _Row, 'aggregate')
        for name, reference in (results.get('references') or {}).items():
            _section(reference.get('aggregate'), _Row, f'references.{name}.aggregate')
        for row in results['draws']:
            check_generator_kinds(row.get('generator_check'))
        _check_paired(results.get('paired'))
    except ConfigError as error:
        cure = 'The same training command with --resume writes it anew.'
        raise DataError(f'{path} is not what a run writes: {error} {cure}') from error


def check_generator_kinds(check: Any) -> None:
    """Check what the report of a generator holds, if there is one."""
    if check is not None:
        _section(check, _Check, 'generator_check')


def _check_paired(paired: Mapping[str, Any] | None) -> None:
    if paired is None:
        return
    _section(paired, _Paired, 'paired')
    for section in ('draws', 'bootstrap'):
        for metric, difference in (paired.get(section) or {}).items():
            _section(difference, _Difference, f'paired.{section}.{metric}')


def _section(node: Any, kinds: type, path: str) -> None:
    if not isinstance(node, Mapping):
        raise ConfigError(f'{path} is of type {type(node).__name__}. It must be a section (a dict).')
    check_present(node, kinds, path)
    check_types(node, kinds, path)
