"""How many steps a clip of so many seconds has."""

from collections.abc import Iterable, Mapping
from typing import Any

from avzoo.utils.errors import ConfigError

_MAX_STEPS = 10_000  # An hour of the benchmarks' features; some GB of attention.


def steps_of(seconds: float, data_info: Mapping[str, Any], modalities: Iterable[str]) -> dict[str, int]:
    """Return the steps of each modality, at least one.

    Raises:
        ConfigError: If they are too many to compute a prediction of.
    """
    steps = {m: max(1, round(seconds / data_info['seconds_per_step'][m])) for m in modalities}
    if sum(steps.values()) > _MAX_STEPS:
        raise ConfigError(
            f'{seconds:g} s are {sum(steps.values()):,} steps of all modalities. A prediction is computed, and '
            f'attention grows with their square: give a clip of up to {_MAX_STEPS:,} steps.'
        )
    return steps
