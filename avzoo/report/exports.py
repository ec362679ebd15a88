"""Results as rows for a paper or a spreadsheet: CSV, LaTeX and Markdown."""

from collections.abc import Callable, Mapping, Sequence

from avzoo.evaluation.functional import half_width_95
from avzoo.protocol import METRIC_NAMES
from avzoo.report.comparison import labels_of
from avzoo.report.figures import Table
from avzoo.report.run_files import Run
from avzoo.utils.tables import markdown_table, two_decimals

# Special characters in LaTeX.
_LATEX = str.maketrans(
    {char: f'\\{char}' for char in '&%$#_{}'}
    | {char: f'{{{char}}}' for char in '[]*'}  # After the end of a row they would be its options.
    | {'\\': r'\textbackslash{}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '<': r'\textless{}'}
    | {'>': r'\textgreater{}'}
)


_Interval = tuple[float, float | None]


def results_of(run: Run) -> list[_Interval]:
    """Return each metric's mean over the draws and the half-width of its 95% interval, in table order."""
    results = run.results
    return [
        (results['aggregate'][metric], half_width_95([row[metric] for row in results['draws']]))
        for metric in METRIC_NAMES
    ]


def as_csv(runs: Sequence[Run]) -> str:
    """Format the results as CSV, unrounded."""
    header = ('run', 'dataset', 'shots', 'seed', 'draws', *(part for m in METRIC_NAMES for part in (m, f'{m}_ci95')))
    table = Table(header, [])
    for run, name in zip(runs, labels_of(runs), strict=True):
        results = run.results
        facts = (name, results['dataset'], results['num_shots'], results.get('seed'), len(results['draws']))
        table.rows.append((*facts, *(part for pair in results_of(run) for part in pair)))
    return table.csv()


def as_latex(runs: Sequence[Run]) -> str:
    """Format the results as rows of a LaTeX table: method, B, N, HM, FSL and AUSUC, with intervals as subscripts."""
    lines = [f'% method & {" & ".join(METRIC_NAMES)}; 95% intervals over draws']
    for run, name in zip(runs, labels_of(runs), strict=True):
        lines.append(f'{name.translate(_LATEX)} & {" & ".join(_latex_cell(*pair) for pair in results_of(run))} \\\\')
    return '\n'.join(lines) + '\n'


def as_markdown(runs: Sequence[Run]) -> str:
    """Format the results as a Markdown table."""
    rows = [
        (name, *(_plain_cell(*pair) for pair in results_of(run)))
        for run, name in zip(runs, labels_of(runs), strict=True)
    ]
    return markdown_table(('method', *METRIC_NAMES), rows) + '\n\n± 95% intervals over draws. Per cent.\n'


FORMATS: Mapping[str, Callable[[Sequence[Run]], str]] = {'.csv': as_csv, '.tex': as_latex, '.md': as_markdown}


def _latex_cell(mean: float, width: float | None) -> str:
    return two_decimals(mean) if width is None else f'{mean:.2f}$_{{\\pm {width:.2f}}}$'


def _plain_cell(mean: float, width: float | None) -> str:
    return two_decimals(mean) if width is None else f'{mean:.2f} ± {width:.2f}'
