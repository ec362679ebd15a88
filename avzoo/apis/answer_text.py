"""What a model answers of a clip, as lines for people and as rows for programs."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from avzoo.utils.printable import printable


def answer_lines(clip: Mapping[str, Any]) -> str:
    """Return the name of a clip and below it its classes, best first.

    Args:
        clip: As :func:`classify_videos` and :class:`Inferencer` give it.
    """
    window = f'  {clip["start"]:.1f}-{clip["end"]:.1f} s' if clip.get('end') is not None else ''
    lines = [printable(clip['video_id']) + window]
    for rank, entry in enumerate(clip['predictions'], 1):
        kind = f'{_kind_of(entry):<5}  ' if 'novel' in entry else ''
        lines.append(f'  {rank:>2}  {100 * entry["probability"]:6.2f} %  {kind}{printable(entry["class"])}')
    return '\n'.join(lines)


def answer_rows(clip: Mapping[str, Any], *, header: bool) -> str:
    """Return the same as csv, a row for each class, below the names of the columns if ``header``."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    if header:
        rows.writerow(['video_id', 'start', 'end', 'rank', 'class', 'probability', 'kind'])
    where = [clip['video_id'], clip.get('start', ''), clip.get('end', '')]
    for rank, entry in enumerate(clip['predictions'], 1):
        rows.writerow([*where, rank, entry['class'], entry['probability'], _kind_of(entry)])
    return text.getvalue().rstrip('\n')


def _kind_of(entry: Mapping[str, Any]) -> str:
    return {True: 'novel', False: 'base', None: ''}[entry.get('novel')]
