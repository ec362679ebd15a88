"""Find models of the zoo by name, data set, method and shots."""

import fnmatch

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
        pattern: With ``*`` and ``?``, or a part of the name; any case.
        dataset: E.g. ``UCF-FSL`` or ``ucf``.
        method: E.g. ``AV-DIFF``; any case.
        shots: Videos per novel class.
        pretrained: Only those that have weights: zoo weights, or imported ones (or, if false, only the others).

    Examples:
        >>> list_models('avdiff_*shot', dataset='ucf')
        ['avdiff_ucf_10shot', 'avdiff_ucf_1shot', 'avdiff_ucf_20shot', 'avdiff_ucf_5shot']
    """
    names = []
    for name, entry in read_index().items():
        if pattern is not None and not _matches(name, pattern):
            continue
        if dataset is not None and entry.dataset.lower() != _title(dataset).lower():
            continue
        if method is not None and entry.method.lower() != method.lower():
            continue
        if shots not in (None, entry.shots) or pretrained not in (None, has_weights(entry)):
            continue
        names.append(name)
    return sorted(names)


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return fnmatch.fnmatchcase(name.lower(), pattern if any(c in pattern for c in '*?[') else f'*{pattern}*')


def _title(dataset: str) -> str:
    benchmark = find_benchmark(dataset)
    return benchmark.title if benchmark else dataset
