"""Runs with the same method and config but different seeds."""

import json
import logging
from collections.abc import Iterable, Sequence

from avzoo.report.run_files import Run
from avzoo.utils.errors import shortened
from avzoo.utils.printable import printable

SEED_KEYS = ('randomness.seed',)
_LOGGER = logging.getLogger(__name__)


def row_of(run: Run) -> tuple[str, str]:
    """Return method and settings, which repeats share. Without settings, a run repeats only itself."""
    settings = {key: value for key, value in run.configured.items() if key not in SEED_KEYS}
    return str(run.results['method']), repr(sorted(settings.items())) if settings else str(run.folder)


def seeds_of(runs: Iterable[Run]) -> list[int]:
    """Return the distinct seeds of some runs, sorted; older versions, which do not record it, used 0."""
    return sorted({run.results.get('seed', 0) for run in runs})


def warn_of_equal_repeats(runs: Iterable[Run]) -> None:
    """Warn about runs that are identical in every digit despite different seeds: if nothing is drawn, they are one."""
    alike: dict[tuple[tuple[str, str], str], list[Run]] = {}
    for run in runs:
        alike.setdefault((row_of(run), json.dumps(run.results['draws'], sort_keys=True)), []).append(run)
    for group in alike.values():
        if len(seeds := seeds_of(group)) > 1:
            _LOGGER.warning(
                '%s: the results with seeds %s are identical in every digit. If the method draws nothing, these are '
                'one run, not %d. Other draws of the shots do vary it: tools/dataset_converters/splits.py --seed.',
                *(_folders(group), ', '.join(map(str, seeds)), len(group)),
            )


def _folders(runs: Sequence[Run]) -> str:
    return shortened(', '.join(printable(run.folder) for run in runs))
