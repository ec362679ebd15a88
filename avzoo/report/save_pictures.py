"""Write plots of runs, each with its data as CSV."""

from collections.abc import Iterable

from avzoo.report.figures import Picture
from avzoo.report.run_files import Run, read_run
from avzoo.utils.cli import show
from avzoo.utils.errors import DataError


def save_pictures(pictures: Iterable[Picture], folder: str, kind: str) -> None:
    """Write plots and their data, and print where."""
    for picture in pictures:
        image, data = picture.save(folder, kind)
        show(f'Written to {image} and {data.name}')


def tested_run(folder: str) -> Run:
    """Read a run that kept its predictions.

    Raises:
        DataError: If it did not keep them.
    """
    run = read_run(folder)
    if not run.predictions:
        raise DataError(
            f'{run.folder} has no test predictions: they were deleted, or it was run by an older version. Train again '
            'in another --work-dir.'
        )
    return run
