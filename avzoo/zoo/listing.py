"""Find models of the zoo by name, data set, method and shots."""

import fnmatch
from collections.abc import Iterable
from typing import Any

from avzoo.utils.arguments import check_positive
from avzoo.utils.errors import ConfigError, nearest
from avzoo.zoo.benchmarks import find_benchmark
from avzoo.zoo.index import read_index
from avzoo.zoo.weights import has_weights


def list_models(
    pattern: str | None = None,
    *,
    dataset: str | None = None,
    method: str | None = None,
    shots: int | None = None,
    pretrained: bool | None = None,
) -> list[str]:
    """Return the names of the zoo's models, sorted; all conditions must hold.

    Args:
        pattern: A pattern with ``*`` and ``?``, or a part of the name; case is ignored.
        dataset: E.g. ``UCF-FSL`` or ``ucf``.
        method: E.g. ``AV-DIFF``; case is ignored.
        shots: Videos per novel class.
        pretrained: If true, only models with weights, from the zoo or imported; if false, only the others.

    Raises:
        ConfigError: If the zoo has no model with that data set, that method or that number of shots, or ``pretrained``
            is not a bool.

    Examples:
        >>> list_models('avdiff_*shot', dataset='ucf')
        ['avdiff_ucf_10shot', 'avdiff_ucf_1shot', 'avdiff_ucf_20shot', 'avdiff_ucf_5shot']
    """
    if pretrained not in (None, True, False):
        raise ConfigError(f'pretrained={pretrained!r} is not True, False or None.')
    index = read_index().values()
    wanted = dict(
        dataset=None if dataset is None else _title(str(dataset)),
        method=method,
        shots=None if shots is None else check_positive('shots', shots),
    )
    known = {key: _known(key, value, [getattr(entry, key) for entry in index]) for key, value in wanted.items()}
    return sorted(
        entry.name
        for entry in index
        if (pattern is None or _matches(entry.name, pattern))
        and all(value in (None, getattr(entry, key)) for key, value in known.items())
        and pretrained in (None, has_weights(entry))
    )


def _known(key: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return the choice that a value names, ignoring case; ``None`` for ``None``."""
    named = {str(choice).lower(): choice for choice in sorted(choices)}
    word = str(value).lower()
    if value is not None and word not in named:
        raise ConfigError(
            f'The zoo has no model with {key}={value!r}. Known: {", ".join(map(str, named.values()))}.'
            f'{nearest(word, named)}'
        )
    return named.get(word)


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return fnmatch.fnmatchcase(name.lower(), pattern if any(c in pattern for c in '*?[') else f'*{pattern}*')


def _title(dataset: str) -> str:
    benchmark = find_benchmark(dataset)
    return benchmark.title if benchmark else dataset
