"""Write the numbers of avzoo's own benchmarks to docs/benchmarks.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from avzoo.protocol import METRIC_NAMES
from avzoo.utils.errors import ConfigError
from avzoo.utils.tables import Markdown, markdown_table, two_decimals

_BEGIN, _END = '<!-- {name}: made by tools/misc/make_benchmarks.py -->', '<!-- end of {name} -->'


def page_with_tables(page: str, numbers: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Put the tables of each section between its marks.

    Raises:
        ConfigError: If the page lacks the marks of a section.
    """
    for name, tables in numbers.items():
        begin, end = _BEGIN.format(name=name), _END.format(name=name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ConfigError(f'docs/benchmarks.md has no place for the tables of {name}: it lacks {begin} or {end}.')
        page = f'{before}{begin}\n\n{tables_text(tables)}\n\n{end}{after}'
    return page


def tables_text(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of a section as Markdown, all shots in one."""
    differences = any(row['difference'] for table in tables for row in table['rows'])
    header = ['method', 'shots', *METRIC_NAMES, *(('Δ HM', 'Δ FSL', 'Δ AUSUC') if differences else ()), 'draws']
    if not tables:
        return 'Not run.'
    cells = [
        [
            row['title'] + (' (generator: not learned)' if row.get('learned') is False else ''),
            table['shots'],
            *(_value(row, key) for key in METRIC_NAMES),
            *((Markdown(_difference(row['difference'], key)) for key in ('HM', 'FSL', 'AUSUC')) if differences else ()),
            row['draws'],
        ]
        for table in tables
        for row in table['rows']
    ]
    baselines = dict.fromkeys(f'{table["baseline"]} ({table["shots"]} shots)' for table in tables if table['baseline'])
    same = {table['baseline'] for table in tables}
    against = next(iter(same)) if len(same) == 1 else ', '.join(baselines)
    note = (
        f'Δ: paired difference, draw by draw, from {against}; ± its 95% interval over the draws of all seeds, in '
        'brackets that of a bootstrap over the test videos. ± after HM: over draws.'
    )
    return f'{markdown_table(header, cells)}\n\n{note if differences else "± after HM: 95%, over draws."}'


def _value(row: Mapping[str, Any], key: str) -> str:
    text = two_decimals(row[key])
    return f'{text} ± {row["ci95"]:.2f}' if key == 'HM' and row['ci95'] is not None else text


def _difference(difference: Mapping[str, Any] | None, key: str) -> str:
    if not difference:
        return ''
    one, bootstrap = difference[key], (difference.get('bootstrap') or {}).get(key)
    text = f'{one["mean"]:+.2f}' + ('' if one['ci95'] is None else f' ± {one["ci95"]:.2f}')
    return text + (f' [{bootstrap["low"]:+.2f}, {bootstrap["high"]:+.2f}]' if bootstrap else '')
