"""Results as a table on the screen, as JSON for programs and as Markdown for people."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.protocol import METRIC_NAMES
from avzoo.utils.counts import number_of
from avzoo.utils.files import atomic_write_text
from avzoo.utils.printable import printable
from avzoo.utils.tables import Layout, markdown_table, text_table, two_decimals


def results_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the table's rows: each draw, the combined draws, and the plain references.

    Args:
        results: As for ``write_results``.
    """
    method = results['method']
    rows = [dict(draw, name=f'{method} / draw {draw["draw"]}{_warning([draw])}') for draw in results['draws']]
    rows.append(dict(results['aggregate'], name=f'{method} / mean{_warning(results["draws"])}'))
    for name, reference in (results.get('references') or {}).items():
        rows.append(dict(reference['aggregate'], name=f'{reference_title(name)} / mean'))
    return rows


def _warning(draws: Sequence[Mapping[str, Any]]) -> str:
    """Return the note in tables for draws whose generator failed the check, see ``check_generator``."""
    learned = all((draw.get('generator_check') or {}).get('learned', True) for draw in draws)
    return '' if learned else ' (generator: not learned)'


def results_table(rows: Sequence[Mapping[str, Any]], layout: Layout = text_table) -> str:
    """Lay rows out as ``method / draw | B | N | HM | FSL | AUSUC``, in per cent with two decimals.

    Args:
        rows: ``name`` and the metrics; a metric that is absent or None shows as ``-``.
        layout: ``text_table`` or ``markdown_table``.
    """
    cells = [(str(row['name']), *(two_decimals(row.get(key)) for key in METRIC_NAMES)) for row in rows]
    return layout(('method / draw', *METRIC_NAMES), cells)


def reference_title(name: str) -> str:
    """Return the name of a plain reference in tables."""
    return name.replace('_', ' ')


def interval_line(aggregate: Mapping[str, Any]) -> str:
    """Return a line that says how HM is computed and how much the draws vary."""
    text = f'HM of mean B and mean N: {two_decimals(aggregate["HM"])}'
    if aggregate.get('ci95') is None:
        return f'{text} (one draw, no interval).'
    return (
        f'{text}. Mean HM of {number_of(aggregate["num_draws"], "draw")}: {two_decimals(aggregate["HM_mean"])} ± '
        f'{two_decimals(aggregate["ci95"])} (95%).'
    )


def paired_text(paired: Mapping[str, Any] | None) -> str:
    """Return the differences between a method and the strongest reference, a line per metric; empty if unknown.

    Args:
        paired: ``against``, the name of the reference; ``draws``, by metric the result of ``paired_difference``; and
            ``bootstrap``, the result of ``bootstrap_difference``, None or absent if unknown.
    """
    if not paired:
        return ''
    title = reference_title(paired['against'])
    videos = paired.get('bootstrap') or {}
    lines = [f'minus {title}, the strongest reference on validation (95% intervals):']
    for metric, difference in paired['draws'].items():
        over_videos = f', {interval(videos[metric])} (bootstrap over videos)' if metric in videos else ''
        lines.append(f'- {metric} {signed(difference)}{over_videos}')
    return '\n'.join(lines) + '\n'


def signed(difference: Mapping[str, float | None]) -> str:
    """Format the result of ``paired_difference``, e.g. ``+4.65 ± 0.94 (draws)``."""
    width = '(one draw)' if difference['ci95'] is None else f'± {difference["ci95"]:.2f} (draws)'
    return f'{difference["mean"]:+.2f} {width}'


def interval(difference: Mapping[str, float]) -> str:
    """Format the result of ``bootstrap_difference`` for a metric, e.g. ``[+3.10, +6.02]``."""
    return f'[{difference["low"]:+.2f}, {difference["high"]:+.2f}]'


def write_results(work_dir: str | os.PathLike[str], results: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write ``results.json`` and ``results.md`` into a work directory, each atomically.

    Args:
        work_dir: Where to write; it is created if needed.
        results: ``method``, ``dataset``, ``num_shots``, ``seed``, ``gamma``, ``gamma_source``, ``draws`` (one dict each
            with ``draw`` and the metrics), ``aggregate`` (from ``aggregate_draws``), and if known ``references`` (from
            ``evaluate_references``), ``paired`` (as for ``paired_text``) and ``per_class_recall`` (class name to per
            cent). Other keys, such as ``provenance``, are written to the JSON file as they are.

    Returns:
        The two files.
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
        f'# {printable(results["method"])} on {printable(results["dataset"])}, {number_of(shots, "shot")}',
        f'Seed {results["seed"]}, calibration gamma {results["gamma"]:g} ({results["gamma_source"]}). Per cent.',
        results_table(results_rows(results), markdown_table),
        interval_line(results['aggregate']),
    ]
    if results.get('paired'):
        parts.append(paired_text(results['paired']).strip())
    recall = results.get('per_class_recall')
    if recall:
        cells = [(name, two_decimals(value)) for name, value in recall.items()]
        parts += ['## Recall by class', markdown_table(('class', 'recall'), cells)]
    return '\n\n'.join(parts) + '\n'


def plain(value: Any) -> Any:
    """Convert numpy values to JSON types; NaN and infinities become null."""
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
