"""The user's own labelled features."""

import logging
import os
from pathlib import Path

from avzoo.extraction.extracted_clips import ExtractedClips
from avzoo.extraction.extraction_folder import STAMP_FILE
from avzoo.importers.array_features import ArrayFeatures
from avzoo.importers.class_table import ClassTable, read_class_table
from avzoo.utils.bad_items import list_items
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError

_LOGGER = logging.getLogger(__name__)


def read_own_features(features: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None) -> ExtractedClips:
    """Read features in any layout of :class:`ArrayFeatures`, and the labels of their clips.

    Args:
        features: A file or a folder.
        labels: A table of video and label, and optionally group, or a folder of classes; by default the file's own
            labels. Ids that differ are matched by their stems. Times of parts in the table cause a warning: a label
            applies to all steps of its features.

    Raises:
        DataError: If a clip of the table has no features, or no clip has a label.
    """
    arrays = ArrayFeatures(features)
    table = ClassTable(Path(features), arrays.labels) if labels is None else read_class_table(labels)
    if not table.labels:
        raise DataError(f'{features} has no labels. Give a table of video and label (--labels).')
    _warn_of_times(table)
    arrays.match(table.labels)
    if bad := arrays.missing(table.labels):
        raise DataError(
            f'{features} lacks the features of {number_of(len(bad), "clip")} in {table.path}. Remove these clips from '
            'the table, or extract their features:',
            details=list_items(bad),
        )
    if unused := len(arrays.video_ids) - len(table.labels):
        _LOGGER.warning('%s: %s without a label in %s.', features, number_of(unused, 'clip'), table.path)
    videos = list(table.labels)
    clips = [arrays.read(video) for video in videos]
    by_modality = {m: [clip[m] for clip in clips] for m in arrays.modalities}
    groups = [table.groups.get(video, '') for video in videos]
    return ExtractedClips(by_modality, list(table.labels.values()), {}, videos, groups)


def _warn_of_times(table: ClassTable) -> None:
    """Warn about a table that labels parts of clips, unless its clips are these parts, as after an extraction."""
    if table.parts and not (table.path.parent / STAMP_FILE).is_file():
        _LOGGER.warning(
            '%s: the times of %s are not used: a label applies to all features of its clip. If the features cover only '
            'the parts, remove the time columns; otherwise cut the features.',
            *(table.path, number_of(len(table.parts), 'clip')),
        )
