"""A model's predictions for a clip, as lines for people and as rows for programs."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from avzoo.utils.printable import printable


def answer_lines(clip: Mapping[str, Any]) -> str:
    """Return the name of a clip, and its classes below, best first.

    Args:
        clip: As returned by :func:`classify_videos` and :class:`Inferencer`.
    """
    lines = [clip_name(clip) + (f'  label {printable(clip["label"])}' if clip.get('label') else '')]
    for rank, entry in enumerate(clip['predictions'], 1):
        kind = f'{_kind_of(entry):<5}  ' if 'novel' in entry else ''
        lines.append(f'  {rank:>2}  {100 * entry["probability"]:6.2f} %  {kind}{printable(entry["class"])}')
    return '\n'.join(lines)


def clip_name(clip: Mapping[str, Any]) -> str:
    """Return the printable name of a clip, and which seconds of a video it covers."""
    window = ''
    if clip.get('end') is not None:
        window = f'  {clip["start"]:.1f}-{clip["end"]:.1f} s'
    elif clip.get('start'):
        window = f'  from {clip["start"]:.1f} s'
    return printable(clip['video_id']) + window


def answer_rows(clip: Mapping[str, Any], *, header: bool) -> str:
    """Return the same as CSV, one row per class, below the column names if ``header``.

    There is a column ``label`` if ``clip`` has this key.
    """
    labels = [clip['label'] or ''] if 'label' in clip else []
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    if header:
        names = ['video_id', 'start', 'end', 'rank', 'class', 'probability', 'kind']
        rows.writerow([*names, 'label'] if labels else names)
    where = [clip['video_id'], clip.get('start', ''), clip.get('end', '')]
    for rank, entry in enumerate(clip['predictions'], 1):
        rows.writerow([*where, rank, entry['class'], entry['probability'], _kind_of(entry), *labels])
    return text.getvalue().rstrip('\n')


def _kind_of(entry: Mapping[str, Any]) -> str:
    return {True: 'novel', False: 'base', None: ''}[entry.get('novel')]
