"""The tables in a folder of extracted features: its clips, and those without features."""

import csv
import io
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avzoo.extraction.clips import Clip
from avzoo.extraction.extract import Failure
from avzoo.extraction.extraction_folder import read_facts
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, shortened
from avzoo.utils.files import atomic_write_text
from avzoo.utils.leftovers import is_leftover

_LOGGER = logging.getLogger(__name__)
CLIPS_FILE, FAILED_FILE = 'clips.csv', 'failed.csv'


def write_tables(out: Path, clips: Sequence[Clip], failures: Sequence[Failure]) -> None:
    """Write the tables of clips and of failures, in the order of the clips; warns about features of other clips."""
    failed = {failure.id for failure in failures}
    done = {path.stem: path for path in (out / 'facts').glob('*.json')}
    _write_table(out / CLIPS_FILE, [_row(c, done[c.id]) for c in clips if c.id in done and c.id not in failed])
    order = {clip.id: i for i, clip in enumerate(clips)}
    _write_table(out / FAILED_FILE, [asdict(f) for f in sorted(failures, key=lambda f: order[f.id])])
    if others := sorted(name for name in done.keys() - order.keys() if not is_leftover(name)):
        _LOGGER.warning(
            '%s also holds features of %s not among the given clips, which %s leaves out: %s. To keep them, give all '
            'clips in one folder or table; otherwise delete their files, or choose another folder.',
            *(out, number_of(len(others), 'clip'), CLIPS_FILE, shortened(', '.join(others))),
        )


def _row(clip: Clip, path: Path) -> dict[str, Any]:
    """Return the table row of a clip, from its file of facts."""
    facts = read_facts(path)
    try:
        found = {key: facts[key] for key in ('video_stream', 'audio_stream', 'frames', 'samples', 'bad_packets')}
        notes = '; '.join(facts['notes'])
    except (KeyError, TypeError) as error:
        raise DataError(f'{path} is damaged (no {error}). Delete it and repeat the command.') from None
    end = '' if clip.end is None else clip.end
    where = dict(filename=os.fspath(clip.path), start=clip.start, end=end)
    return dict(video=clip.id, label=clip.label, group=clip.group, **where, **found, notes=notes)


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    table.writeheader()
    table.writerows(rows)
    atomic_write_text(path, text.getvalue())
