"""The types of the entries of ``results.json`` that are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from avzoo.config.types import Limit, check_present, check_types
from avzoo.evaluation.functional import aggregate_draws
from avzoo.protocol import METRIC_NAMES
from avzoo.utils.errors import ConfigError, DataError

# Except for rounding.
_Percent = Annotated[float, Limit('a number from 0 to 100', lambda value: 0 <= value <= 100 + 1e-6)]
_Number = Annotated[float, Limit('a finite number', lambda value: abs(value) < 1e30)]
_Positive = Annotated[float, Limit('a finite number of at least 0', lambda value: 0 <= value < 1e30)]
TOLERANCE = 0.01  # Points by which equal numbers may differ.
_Count = Annotated[int, Limit('a whole number from 0 to 1000000', lambda value: 0 <= value <= 1_000_000)]
_Name = Annotated[str, Limit('a name', bool)]


@dataclass(frozen=True)
class _Results:
    method: _Name
    dataset: _Name
    num_shots: int
    draws: list[dict]
    aggregate: dict
    seed: int = 0
    gamma: _Number | None = None
    gamma_source: str = ''
    choices: list[dict] | None = None
    references: dict[str, dict] | None = None
    paired: dict | None = None
    per_class_recall: dict[str, _Percent] | None = None
    provenance: dict | None = None


@dataclass(frozen=True)
class _Row:
    B: _Percent
    N: _Percent
    HM: _Percent
    FSL: _Percent
    AUSUC: _Percent


@dataclass(frozen=True)
class _Mean(_Row):
    HM_mean: _Percent
    num_draws: int
    ci95: _Positive | None = None


@dataclass(frozen=True)
class _Draw(_Row):
    draw: _Count
    generator_check: dict | None = None


@dataclass(frozen=True)
class _Validation:
    """What is shown of a phase's validation; all entries are optional."""

    B: _Percent | None = None
    N: _Percent | None = None
    HM: _Percent | None = None
    FSL: _Percent | None = None
    AUSUC: _Percent | None = None


@dataclass(frozen=True)
class _Check:
    """A generator that diverged has no distances and no losses: NaN is null in the file."""

    learned: bool
    synthetic_accuracy: _Percent
    chance: _Percent
    mean_distance: _Number | None = None
    shot_mean_distance: _Number | None = None
    loss_true: _Number | None = None
    loss_shuffled: _Number | None = None


@dataclass(frozen=True)
class _Reference:
    draws: list[dict]
    aggregate: dict


@dataclass(frozen=True)
class _Paired:
    against: _Name
    draws: dict[str, dict]
    bootstrap: dict[str, dict] | None = None


@dataclass(frozen=True)
class _OverDraws:
    mean: _Number
    ci95: _Positive | None = None


@dataclass(frozen=True)
class _OverVideos:
    low: _Number
    high: _Number


def check_results(results: Any, path: str) -> None:
    """Check the results of a run.

    Args:
        results: The content of the file.
        path: The file, for the error.

    Raises:
        DataError: For the first entry that is missing, of the wrong type, or inconsistent with the others.
    """
    try:
        _section(results, _Results, 'results')
        numbers = _check_draws(results, '')
        references = results.get('references') or {}
        for name, reference in references.items():
            _section(reference, _Reference, f'references.{name}')
            if _check_draws(reference, f'references.{name}.') != numbers:
                raise ConfigError(f'references.{name}.draws differ from those of the run, {numbers}.')
        _check_paired(results.get('paired'), references)
    except ConfigError as error:
        cure = 'Repeat the training command with --resume to rewrite it.'
        raise DataError(f'{path} is not a valid results file: {error} {cure}') from error


def check_phase_kinds(phase: Mapping[str, Any], path: str) -> None:
    """Check what is shown of the decisions of a phase.

    Raises:
        ConfigError: For the first entry of the wrong type.
    """
    check_types(phase.get('metrics') or {}, _Validation, f'{path}.metrics')
    check_generator_kinds(phase.get('generator_check'), path)


def check_generator_kinds(check: Any, path: str) -> None:
    """Check the content of a generator's report, if there is one."""
    if check is not None:
        _section(check, _Check, f'{path}.generator_check')


def _check_draws(results: Mapping[str, Any], path: str) -> list[int]:
    """Check the metrics of each draw and their means; return the numbers of the draws."""
    draws, mean = results['draws'], results['aggregate']
    for place, row in enumerate(draws):
        _section(row, _Draw, f'{path}draws[{place}]')
        check_generator_kinds(row.get('generator_check'), f'{path}draws[{place}]')
    numbers = [row['draw'] for row in draws]
    if not numbers or len(set(numbers)) < len(numbers):
        raise ConfigError(f'{path}draws are {numbers}. There must be at least one, each with its own number.')
    _section(mean, _Mean, f'{path}aggregate')
    for key, value in aggregate_draws(draws).items():
        if key in METRIC_NAMES and abs(mean[key] - (value or 0)) > TOLERANCE:
            raise ConfigError(f'{path}aggregate.{key}={mean[key]!r} does not match the draws, which give {value}.')
    return numbers


def _check_paired(paired: Mapping[str, Any] | None, references: Mapping[str, Any]) -> None:
    if not paired:
        return
    _section(paired, _Paired, 'paired')
    if paired['against'] not in references:
        raise ConfigError(f'paired.against={paired["against"]!r} is not one of the references: {sorted(references)}.')
    for section, kinds in (('draws', _OverDraws), ('bootstrap', _OverVideos)):
        for metric, difference in (paired.get(section) or {}).items():
            _section(difference, kinds, f'paired.{section}.{metric}')
            if 'ci95' not in difference and kinds is _OverDraws:  # For one draw it is None.
                raise ConfigError(f"'paired.{section}.{metric}' has no 'ci95'.")


def _section(node: Any, kinds: type, path: str) -> None:
    if not isinstance(node, Mapping):
        raise ConfigError(f'{path} is of type {type(node).__name__}. It must be a section (a dict).')
    check_present(node, kinds, path)
    check_types(node, kinds, path)
