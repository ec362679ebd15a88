"""Write a page for one run or for several."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from avzoo.report.comparable import check_comparable
from avzoo.report.comparison_sections import sections_of_comparison
from avzoo.report.exports import FORMATS
from avzoo.report.model_pictures import model_section
from avzoo.report.page import render
from avzoo.report.repeats import warn_of_equal_repeats
from avzoo.report.run_files import Run, read_run
from avzoo.report.run_sections import sections_of_run
from avzoo.report.section import Section
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_write_text, check_out
from avzoo.utils.printable import printable


def write_report(
    folders: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    with_model: bool = False,
    model_draws: Sequence[int] | None = None,
    data_root: str | os.PathLike[str] | None = None,
    on_bad: Callable[[DataError], object] | None = None,
) -> Path:
    """Write a page for one run, a page that compares several, or a table of their results.

    With several runs, warns about seeds that change nothing.

    Args:
        folders: Work directories of finished runs.
        out: The file; its suffix decides between a page (.html) and a table of results (.md, .csv, .tex).
        with_model: Also draw plots that need the model of a draw and the feature store, on the page of one run. The
            run's ``config.py`` is executed for this.
        model_draws: The draws for these plots; by default the first one.
        data_root: The store, if it was moved since the run.
        on_bad: Called with the error of each of several runs that cannot be read, which is then left out and listed
            on the page. By default the error is raised.

    Raises:
        DataError: If there is no finished run, its files are damaged, or the runs were not tested in the same way.
    """
    check_out(out)
    runs, bad = _read_runs(folders)
    for error in bad:
        if on_bad is None or not runs:
            raise error
        on_bad(error)
    check_comparable(runs)
    warn_of_equal_repeats(runs)
    if to_text := FORMATS.get(Path(out).suffix):
        return atomic_write_text(out, to_text(runs))
    first = runs[0].results
    if len(runs) == 1:
        draws = (model_draws or runs[0].draws[:1]) if with_model else ()
        model = [model_section(runs[0].folder, draw, data_root) for draw in dict.fromkeys(draws)]
        title, sections = f'{first["method"]} on {first["dataset"]}', sections_of_run(runs[0], model)
    else:
        title, sections = f'{len(runs)} runs on {first["dataset"]}', sections_of_comparison(runs)
    if bad:
        sections.append(Section('Runs that are left out', [printable(error) for error in bad]))
    return atomic_write_text(out, render(printable(title), sections))


def _read_runs(folders: Sequence[str | os.PathLike[str]]) -> tuple[list[Run], list[DataError]]:
    """Return the runs whose results and predictions can be read, and the errors of the others."""
    runs, bad = list[Run](), list[DataError]()
    for folder in folders:
        try:
            run = read_run(folder)
            _ = run.predictions  # They are read on first access, and kept.
            runs.append(run)
        except DataError as error:
            bad.append(error)
    return runs, bad
