"""Import your own features together with zero-shot style lists."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.splits import LIST_NAMES, ZeroShotLists, draw_splits, read_zero_shot_lists
from avzoo.datasets.store_format import check_names, read_csv
from avzoo.importers.array_features import ArrayFeatures
from avzoo.importers.class_vectors import ClassVectors, read_class_vectors
from avzoo.protocol import NUM_DRAWS, SHOTS
from avzoo.utils.errors import DataError, nearest

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
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a feature store from your own features.

    Videos that are in no list are left out. The classes are those of the lists, in the order of ``classes.csv`` beside
    the lists (columns ``label`` and, optionally, ``text``), or sorted by name without such a file.

    Args:
        out: Store to write.
        features: An ``.npz`` file or a folder, see ``ArrayFeatures``.
        lists: Folder of the lists, see ``read_zero_shot_lists``.
        class_embeddings: Class vectors, see ``read_class_vectors``; rows without names are in that order. None leaves
            them out: methods that need none train without.
        shots: Which K to draw.
        draws: Draws of the stage-2 shots.
        seed: Seed of the draws.
        name: Name of the data set; None takes that of ``out``.
        seconds_per_step: Seconds that a step covers, by modality; 1.0 where not given.
        feature_set: What the features of a modality are, in one line each; kept in the store.
        dtype: How features are stored, ``float32`` or ``float16``.
        skip_missing: Leave out listed videos without features instead of raising an error.
        on_progress: Called with (videos done, all videos).
    """
    source = ArrayFeatures(features)
    found = read_zero_shot_lists(lists)
    if found.missing:
        raise DataError(
            f'{found.folder} lacks {", ".join(f"{name}.csv" for name in found.missing)}; a store needs all '
            f'of {", ".join(LIST_NAMES)}.'
        )
    found = _match(found, source, skip_missing)
    splits = {k: draw_splits(found, k, draws, seed) for k in sorted(set(shots))}  # before the long work: it may fail
    labels = found.labels
    classes, texts, vectors = _read_classes(found, Path(lists), class_embeddings)
    seconds = seconds_per_step or {}
    first = source.read(next(iter(labels)))
    modalities = {key: dict(dim=first[key].shape[-1], seconds_per_step=seconds.get(key, 1.0)) for key in first}
    with FeatureStoreWriter(
        out,
        name=name or Path(out).name,
        modalities=modalities,
        classes=classes,
        texts=texts,
        dtype=dtype,
        source=f'{Path(features).name} with lists of {Path(lists).name}',
        features={key: text for key, text in (feature_set or {}).items() if key in modalities},
    ) as writer:
        if vectors is not None:
            writer.write_class_embeddings(vectors.kind, vectors.array, source=vectors.source)
        for done, (video, label) in enumerate(labels.items(), 1):
            writer.add(video, label, source.read(video))
            if on_progress:
                on_progress(done, len(labels))
        for k, ids in splits.items():
            writer.write_splits(k, ids)
        return writer.finish()


def _match(lists: ZeroShotLists, source: ArrayFeatures, skip_missing: bool) -> ZeroShotLists:
    """Check that the listed videos have features, and the same labels where both sources give them."""
    labels = lists.labels
    missing = set(source.missing(labels))
    if missing and not skip_missing:
        raise DataError(
            f'{source.path}: {len(missing)} of the {len(labels)} videos of {lists.folder} have no features '
            f'(the first: {min(missing)!r}). Add them, or leave them out with --skip-missing.'
        )
    if missing:
        _LOGGER.warning('%d of %d listed videos have no features and are left out', len(missing), len(labels))
    for video, label in labels.items():
        if source.labels.get(video, label) != label:
            raise DataError(
                f'video {video!r} is of class {label!r} in {lists.folder}, of {source.labels[video]!r} in '
                f'{source.path}. Correct one of them.'
            )
    videos = {
        name: {label: [video for video in ids if video not in missing] for label, ids in classes.items()}
        for name, classes in lists.videos.items()
    }
    return replace(lists, videos=videos)


def _read_classes(
    lists: ZeroShotLists, folder: Path, embeddings: str | os.PathLike[str] | None
) -> tuple[list[str], list[str], ClassVectors | None]:
    """Return label, text and vector of each class that has videos."""
    used = set(lists.labels.values())
    beside = [path for path in (folder / 'classes.csv', lists.folder / 'classes.csv') if path.is_file()]
    if beside:
        origin = str(beside[0])
        order = [row[0] for row in read_csv(beside[0], ['label'])]
        try:
            texts = [row[0] for row in read_csv(beside[0], ['text'])]
        except DataError:  # the column is optional
            texts = order
    else:
        origin, order = f'the sorted class names of {lists.folder}', sorted(used)
        texts = order
    check_names(order, f'{origin}: class')
    unknown = sorted(used - set(order))
    if unknown:
        raise DataError(f'{origin}: class {unknown[0]!r} is not in it.' + nearest(unknown[0], order))
    place = {label: i for i, label in enumerate(order)}
    classes = [label for label in order if label in used]
    words = [texts[place[label]] for label in classes]
    if embeddings is None:
        return classes, words, None
    rows = order if beside else None
    return classes, words, read_class_vectors(embeddings, classes, texts=words, order=rows, origin=origin)
