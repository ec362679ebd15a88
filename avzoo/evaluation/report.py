"""Render results as a table for the screen, JSON for programs and Markdown for people."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from avzoo.config.values import REFERENCE_TITLES
from avzoo.utils.files import atomic_write_text

METRIC_COLUMNS = ('B', 'N', 'HM', 'FSL', 'AUSUC')
_HEADER = ('method / draw', *METRIC_COLUMNS)


def results_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the table's rows: each draw, the combined draws, and the plain references.

    Args:
        results (Mapping): As `write_results` takes it.
    """
    method = results['method']
    rows = [dict(draw, name=f'{method} / draw {draw["draw"]}') for draw in results['draws']]
    rows.append(dict(results['aggregate'], name=f'{method} / mean'))
    for name, reference in results.get('references', {}).items():
        rows.append(dict(reference['aggregate'], name=f'{REFERENCE_TITLES.get(name, name)} / mean'))
    return rows


def results_table(rows: Sequence[Mapping[str, Any]], *, style: Literal['text', 'markdown'] = 'text') -> str:
    """Lay rows out as `method / draw | B | N | HM | FSL | AUSUC`, in per cent with two decimals.

    Args:
        rows (Sequence[Mapping]): `name` and the metrics; a metric that is absent or None shows as `-`.
        style (str): `text` for aligned columns, `markdown` for a pipe table.
    """
    if style not in ('text', 'markdown'):
        raise ValueError(f"style={style!r} is unknown; choose 'text' or 'markdown'.")
    cells = [_HEADER] + [(str(row['name']), *(_percent(row.get(key)) for key in METRIC_COLUMNS)) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    lines = [
        [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        for line in cells
    ]
    if style == 'markdown':
        rule = ['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])]
        return '\n'.join('| ' + ' | '.join(line) + ' |' for line in [lines[0], rule, *lines[1:]])
    rule = ['-' * width for width in widths]
    return '\n'.join('  '.join(line) for line in [lines[0], rule, *lines[1:]])


def interval_line(aggregate: Mapping[str, Any]) -> str:
    """Say in one sentence how HM is formed and how far the draws lie apart."""
    text = f'HM of mean B and mean N: {_percent(aggregate["HM"])}'
    if aggregate.get('ci95') is None:
        return f'{text} (one draw, no interval).'
    return (
        f'{text}. Mean HM of {aggregate["num_draws"]} draws: {_percent(aggregate["HM_mean"])} '
        f'± {_percent(aggregate["ci95"])} (95%).'
    )


def write_results(work_dir: str | os.PathLike, results: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write `results.json` and `results.md` into a work directory, each whole or not at all.

    Args:
        work_dir (PathLike): Where to write; it is made if needed.
        results (Mapping): `method`, `dataset`, `num_shots`, `seed`, `gamma`, `gamma_source`, `draws` (one dict each
            with `draw` and the metrics), `aggregate` (of `aggregate_draws`), and if known `references` (of
            `evaluate_references`) and `per_class_recall` (class name to per cent). Other keys go to the JSON file as
            they are.

    Returns:
        tuple[Path, Path]: The two files.
    """
    work_dir = Path(work_dir)
    text = json.dumps(plain(results), indent=2, ensure_ascii=False, allow_nan=False)
    return (
        atomic_write_text(work_dir / 'results.json', text + '\n'),
        atomic_write_text(work_dir / 'results.md', _markdown(results)),
    )


def _markdown(results: Mapping[str, Any]) -> str:
    shots = results['num_shots']
    parts = [
        f'# {results["method"]} on {results["dataset"]}, {shots} shot{"" if shots == 1 else "s"}',
        f'Seed {results["seed"]}, calibration gamma {results["gamma"]:g} ({results["gamma_source"]}). Per cent.',
        results_table(results_rows(results), style='markdown'),
        interval_line(results['aggregate']),
    ]
    recall = results.get('per_class_recall')
    if recall:
        lines = [f'| {name} | {_percent(value)} |' for name, value in recall.items()]
        parts += ['## Recall by class', '\n'.join(['| class | recall |', '| --- | ---: |', *lines])]
    return '\n\n'.join(parts) + '\n'


def _percent(value: float | None) -> str:
    return '-' if value is None or np.isnan(value) else f'{value:.2f}'


def plain(value: Any) -> Any:
    """Turn numpy values into what JSON knows; NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
