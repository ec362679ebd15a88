"""Only runs that were tested in the same way are compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from avzoo.evaluation.paired import check_same_classes
from avzoo.report.run_files import Run
from avzoo.utils.errors import DataError

# What must be the same if both runs record it.
_ALIKE: Mapping[str, Callable[[Run], Any]] = {
    'dataset': lambda run: run.results['dataset'],
    'num_shots': lambda run: run.results['num_shots'],
    'features': lambda run: run.feature_set,
    'store': lambda run: run.store.get('sha256'),
}


def check_comparable(runs: Sequence[Run]) -> None:
    """Refuse runs that were not tested in the same way.

    Raises:
        DataError: If data set, shots, feature set, store or test videos differ, or a run is given twice.
    """
    if len({run.folder for run in runs}) < len(runs):
        raise DataError('a run is given twice. Give each run once.')
    first = runs[0]
    for run in runs[1:]:
        for key, of in _ALIKE.items():
            ours, theirs = of(first), of(run)
            if ours and theirs and ours != theirs:
                more = '; class vectors and shots are part of a store, too' if key == 'store' else ''
                raise _unlike(first, run, f'{key} is {ours!r} and {theirs!r}{more}')
        _check_videos(first, run)


def _check_videos(first: Run, run: Run) -> None:
    """Compare the test videos of each draw that both runs have, if both kept their predictions."""
    theirs = dict(zip(run.draws, run.predictions, strict=False))
    for draw, one in zip(first.draws, first.predictions, strict=False):
        if (other := theirs.get(draw)) is None:
            continue
        try:
            check_same_classes(one, other)
        except DataError as error:
            raise _unlike(first, run, 'classes or base classes differ') from error
        if not all(np.array_equal(*pair) for pair in zip(_tested(one), _tested(other), strict=True)):
            raise _unlike(first, run, f'the test videos of draw {draw} differ, or their classes')


def _tested(one: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the test videos, sorted, and their classes."""
    order = np.argsort(one['video_id'])
    return one['video_id'][order], one['label'][order]


def _unlike(first: Run, run: Run, difference: str) -> DataError:
    return DataError(f'{first.folder} and {run.folder} were tested differently: {difference}. Report them separately.')
