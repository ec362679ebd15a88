"""How many steps a clip of a given length has."""

from collections.abc import Iterable, Mapping
from typing import Any

from avzoo.utils.errors import ConfigError

_MAX_STEPS = 10_000  # An hour of the benchmarks' features; some GB of attention.


def steps_of(seconds: float, data_info: Mapping[str, Any], modalities: Iterable[str]) -> dict[str, int]:
    """Return the steps of each modality, at least one.

    Raises:
        ConfigError: If there are too many to compute a prediction.
    """
    steps = {m: max(1, round(seconds / data_info['seconds_per_step'][m])) for m in modalities}
    if sum(steps.values()) > _MAX_STEPS:
        raise ConfigError(
            f'{seconds:g} s are {sum(steps.values()):,} steps over all modalities, too many to compute a prediction '
            f'(attention grows with their square). Give a clip of up to {_MAX_STEPS:,} steps.'
        )
    return steps
