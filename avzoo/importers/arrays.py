"""Import your own features together with zero-shot style lists."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.splits import LIST_NAMES, ZeroShotLists, draw_splits, read_zero_shot_lists
from avzoo.datasets.store_format import check_names
from avzoo.importers.array_features import ArrayFeatures
from avzoo.importers.class_list import rows_beside
from avzoo.importers.class_vectors import ClassVectors, read_class_vectors
from avzoo.importers.clip_checks import (
    compare_labels,
    find_missing,
    match_stems,
    problem_of,
    read_video,
    reason_of,
    refusal,
)
from avzoo.importers.repeated_clips import RepeatedClips
from avzoo.importers.shape_checks import check_axes, sample_shapes, usual_width, warn_of_durations
from avzoo.protocol import MODALITIES, NUM_DRAWS, SHOTS
from avzoo.utils.bad_items import count_reasons, list_items, write_items
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError

_LOGGER = logging.getLogger(__name__)


def import_arrays(
    out: str | os.PathLike[str],
    *,
    features: str | os.PathLike[str],
    lists: str | os.PathLike[str],
    class_embeddings: str | os.PathLike[str] | None = None,
    shots: Sequence[int] = SHOTS,
    draws: int = NUM_DRAWS,
    seed: int = 0,
    name: str | None = None,
    seconds_per_step: Mapping[str, float] | None = None,
    feature_set: Mapping[str, str] | None = None,
    dtype: str = 'float32',
    skip_missing: bool = False,
    skip_bad: bool = False,
    match: Literal['id', 'stem'] = 'id',
    transpose: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a feature store from your own features.

    Videos that are in no list are left out. The classes are those of the lists, in the order of ``classes.csv`` beside
    the lists (columns ``label`` and, optionally, ``text``), or sorted by name without such a file.

    All clips that cannot be used are reported at once, and written to ``OUT.bad_clips.csv``.

    Args:
        out: Store to write.
        features: A file or a folder, see ``ArrayFeatures``.
        lists: Folder of the lists, see ``read_zero_shot_lists``.
        class_embeddings: Class vectors, see ``read_class_vectors``; rows without names are in that order. None leaves
            them out: only methods that need none can then train.
        shots: Which K to draw.
        draws: Draws of the stage-2 shots.
        seed: Seed of the draws.
        name: Name of the data set; None takes the name of ``out``.
        seconds_per_step: Seconds per step, by modality; 1.0 where not given.
        feature_set: What the features of a modality are, in one line each; kept in the store.
        dtype: How features are stored, ``float32`` or ``float16``.
        skip_missing: Leave out listed videos without features instead of raising an error.
        skip_bad: Also leave out those whose features cannot be used; the store's source says which and why.
        match: ``id``, or ``stem`` to also match ids that differ in suffix, folder or times, see ``match_ids``.
        transpose: Modalities whose arrays are (D, T). Others are read as (T, D), whatever they look like; None
            refuses those that look transposed.
        on_progress: Called with (videos done, all videos).
    """
    source, listed = ArrayFeatures(features, transposed=transpose or ()), _complete_lists(lists)
    report, may_skip = Path(f'{os.path.abspath(out)}.bad_clips.csv'), skip_missing or skip_bad
    if match == 'stem':
        match_stems(source, listed)
    missing = find_missing(source, listed, report, may_skip=may_skip)
    found = _without(listed, missing)
    compare_labels(source, found)
    modalities = _modalities(source, list(found.labels), seconds_per_step or {}, may_be_transposed=transpose is None)
    if missing and not may_skip:
        raise _refusal_of_all(source, listed, missing, report, _widths(modalities), dtype)
    # Before the long work, since they may fail.
    splits = _draw_all(found, shots, draws, seed)
    classes, texts, vectors = _read_classes(found, Path(lists), class_embeddings)
    with FeatureStoreWriter(
        out,
        name=name or Path(out).name,
        modalities=modalities,
        classes=classes,
        texts=texts,
        dtype=dtype,
        source=f'{Path(features).name} with lists of {Path(lists).name}',
        features=feature_set or {},
    ) as writer:
        if vectors is not None:
            writer.write_class_embeddings(vectors.kind, vectors.array, source=vectors.source)
        bad, copies = _write_videos(writer, source, found, _widths(modalities), on_progress)
        if bad and not skip_bad:
            raise refusal(source, listed, bad, report, skip='--skip-bad')
        if bad:
            splits = _draw_all(_without(found, bad), shots, draws, seed)
        _report_left_out(writer, {**missing, **bad}, report)
        if copies:
            _LOGGER.warning('%s: %s', source.path, copies)
        for k, ids in splits.items():
            writer.write_splits(k, ids)
        return writer.finish()


def _complete_lists(folder: str | os.PathLike[str]) -> ZeroShotLists:
    found = read_zero_shot_lists(folder)
    if found.missing:
        raise DataError(
            f'{found.folder} lacks {", ".join(f"{name}.csv" for name in found.missing)}; a store needs all '
            f'of {", ".join(LIST_NAMES)}.'
        )
    return found


def _without(lists: ZeroShotLists, left_out: Mapping[str, str]) -> ZeroShotLists:
    videos = {
        name: {label: [video for video in ids if video not in left_out] for label, ids in classes.items()}
        for name, classes in lists.videos.items()
    }
    return replace(lists, videos=videos)


def _modalities(
    source: ArrayFeatures, videos: Sequence[str], seconds: Mapping[str, float], *, may_be_transposed: bool
) -> dict[str, dict[str, float]]:
    """Return the usual width and the seconds per step of each modality."""
    if odd := seconds.keys() - set(MODALITIES):
        raise DataError(f'seconds_per_step names {min(odd)!r}. Its keys are {" and ".join(MODALITIES)}.')
    shapes = sample_shapes(source, videos)
    if may_be_transposed:
        check_axes(source.path, shapes)
    found = {
        key: dict(dim=usual_width(of_clips), seconds_per_step=seconds.get(key, 1.0)) for key, of_clips in shapes.items()
    }
    warn_of_durations(shapes, {key: entry['seconds_per_step'] for key, entry in found.items()})
    return found


def _widths(modalities: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    return {key: int(entry['dim']) for key, entry in modalities.items()}


def _refusal_of_all(
    source: ArrayFeatures,
    listed: ZeroShotLists,
    missing: Mapping[str, str],
    report: Path,
    widths: Mapping[str, int],
    dtype: str,
) -> DataError:
    """Return the error for videos without features; it also names those whose features cannot be used."""
    there = (video for video in listed.labels if video not in missing)
    bad = {video: why for video in there if (why := problem_of(source, video, widths, dtype))}
    return refusal(source, listed, {**missing, **bad}, report, skip='--skip-bad' if bad else '--skip-missing')


def _draw_all(lists: ZeroShotLists, shots: Sequence[int], draws: int, seed: int) -> dict[int, dict[str, list[str]]]:
    """Return the splits of each K."""
    return {k: draw_splits(lists, k, draws, seed) for k in sorted(set(shots))}


def _write_videos(
    writer: FeatureStoreWriter,
    source: ArrayFeatures,
    lists: ZeroShotLists,
    widths: Mapping[str, int],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, str], str]:
    """Write the videos that can be used; return the others with the reasons, and what to warn of copies."""
    labels, repeated = lists.labels, RepeatedClips()
    bad = {}
    for done, (video, label) in enumerate(labels.items(), 1):
        try:
            features = read_video(source, video, widths)
            writer.add(video, label, features)
            repeated.add(video, features)
        except DataError as error:
            bad[video] = reason_of(source, video, error)
        if on_progress:
            on_progress(done, len(labels))
    return bad, repeated.warning({video: name for name in lists.videos for video in lists.ids(name)})


def _report_left_out(writer: FeatureStoreWriter, left_out: Mapping[str, str], report: Path) -> None:
    write_items(report, left_out)
    if left_out:
        writer.source += f'; {number_of(len(left_out), "video")} left out, {count_reasons(left_out)}'
        _LOGGER.warning(
            '%s left out, listed in %s:\n%s',
            number_of(len(left_out), 'video is', 'videos are'),
            report,
            '\n'.join(list_items(left_out)),
        )


def _read_classes(
    lists: ZeroShotLists, folder: Path, embeddings: str | os.PathLike[str] | None
) -> tuple[list[str], list[str], ClassVectors | None]:
    """Return label, text and vector of each class that has videos."""
    table, rows = rows_beside(lists, folder)
    origin = f'the sorted class names of {lists.folder}' if table is None else str(table)
    order = [label for label, _ in rows]
    check_names(order, f'{origin}: class')
    used = set(lists.labels.values())
    classes = [label for label in order if label in used]
    words = [text or label for label, text in rows if label in used]
    if embeddings is None:
        return classes, words, None
    every = None if table is None else order
    return classes, words, read_class_vectors(embeddings, classes, texts=words, order=every, origin=origin)
