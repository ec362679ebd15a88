"""Which of the listed videos have usable features, and why the others do not."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from avzoo.datasets.splits import ZeroShotLists
from avzoo.datasets.store_format import number_problem
from avzoo.importers.array_features import ArrayFeatures
from avzoo.importers.video_ids import match_ids
from avzoo.utils.bad_items import list_items, write_items
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, most_similar

_LOGGER = logging.getLogger(__name__)


def match_stems(source: ArrayFeatures, lists: ZeroShotLists) -> None:
    """Let listed ids stand for features of the same stem, and say so."""
    matched = source.match(lists.labels)
    if matched:
        one, other = next(iter(matched.items()))
        listed = number_of(len(lists.labels), 'video')
        _LOGGER.warning('Matched by stem: %d of %s, e.g. %r with %r', len(matched), listed, one, other)


def find_missing(source: ArrayFeatures, lists: ZeroShotLists, report: Path, *, may_skip: bool) -> dict[str, str]:
    """Return the listed videos without features; refuse them at once if it is hardly worth looking at the others."""
    missing = source.missing(lists.labels)
    most = 2 * len(missing) > len(lists.labels)
    hint = _nearest_id(source, missing) if most else ''
    if len(missing) == len(lists.labels) or (most and not may_skip):
        raise refusal(source, lists, missing, report, skip='--skip-missing', hint=hint)
    if missing and may_skip:
        listed = number_of(len(lists.labels), 'listed video')
        _LOGGER.warning('Left out for lack of features: %d of %s. %s', len(missing), listed, hint)
    return missing


def _nearest_id(source: ArrayFeatures, missing: Mapping[str, str]) -> str:
    """Show one id of the lists beside one of the features: usually all of them differ in the same way."""
    known = source.video_ids
    by_stem = match_ids(missing, known)[0]
    pairs = {one: other for one, other in by_stem.items() if one != other}
    if pairs:
        one, other = next(iter(pairs.items()))
        return f'The lists have {one!r}, the features {other!r}: --match stem finds {len(pairs)} of them.'
    one = min(missing)
    nearest = most_similar(one, known[:5000]) or next(iter(known), None)
    if not nearest:
        return 'The features have no video at all.'
    return f'The lists have {one!r}; nearest in the features is {nearest!r}.'


def refusal(
    source: ArrayFeatures, lists: ZeroShotLists, bad: Mapping[str, str], report: Path, *, skip: str, hint: str = ''
) -> DataError:
    """Write all videos that cannot be used to a file, and return the error that names the first of them."""
    write_items(report, bad)
    return DataError(
        f'{source.path} has no usable features for {len(bad)} of the {number_of(len(lists.labels), "video")} of '
        f'{lists.folder}. Add or correct them, or leave them out with {skip}. {report} lists all of them:',
        details=[*list_items(bad), *([hint] if hint else [])],
    )


def compare_labels(source: ArrayFeatures, lists: ZeroShotLists) -> None:
    """Refuse videos whose label in the file of features is different."""
    for video, label in lists.labels.items():
        if source.label(video, label) != label:
            raise DataError(
                f'video {video!r} is of class {label!r} in {lists.folder}, of {source.label(video, label)!r} in '
                f'{source.path}. Correct one of them.'
            )


def problem_of(source: ArrayFeatures, video: str, widths: Mapping[str, int], dtype: str) -> str:
    """Return why a video could not be written, or an empty text."""
    try:
        arrays = read_video(source, video, widths)
    except DataError as error:
        return reason_of(source, video, error)
    problems = {key: number_problem(array, dtype) for key, array in arrays.items()}
    return next((f'{problem} in its {key} features' for key, problem in problems.items() if problem), '')


def read_video(source: ArrayFeatures, video: str, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return the sequences of a video; refuse those that are empty or of another width."""
    arrays = source.read(video)
    for key, array in arrays.items():
        if not len(array):
            raise DataError(f'no steps in its {key} features')
        if array.shape[1] != widths[key]:
            raise DataError(f'{key} features of width {array.shape[1]}, while most have {widths[key]}')
    return arrays


def reason_of(source: ArrayFeatures, video: str, error: DataError) -> str:
    """Return what an error says about a video, without its name and the cure, so that equal ones can be counted."""
    text = str(error).removeprefix(f'{source.path}: ').removeprefix(f'video {video!r}: ')
    return text.replace(f' of video {video!r}', '').split('. ')[0].rstrip('.')
