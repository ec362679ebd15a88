"""Import the features of the zero-shot releases (AVCA, TCAF, ClipClap), with few-shot splits of the same videos."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from avzoo.avdiff_release.class_files import RELEASED_FEATURES, as_sequence, match_key
from avzoo.avdiff_release.zero_shot_files import (
    ZeroShotFile,
    class_folder,
    find_class_files,
    find_feature_set,
    read_class_file,
    read_lists,
)
from avzoo.avdiff_release.zero_shot_text import read_class_vectors
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.splits import LIST_NAMES, ZeroShotLists, draw_splits
from avzoo.datasets.store_format import read_lines
from avzoo.protocol import AUDIO, MODALITIES, NUM_DRAWS, SECONDS_PER_STEP, SHOTS, VISUAL
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_LOGGER = logging.getLogger(__name__)


class ReleasedKind(NamedTuple):
    """What the features of a release are, and their seconds per step, by modality."""

    names: Mapping[str, str]
    seconds: Mapping[str, float]


_WHOLE = dict.fromkeys(MODALITIES, 1.0)  # one step per video, of whatever length
# Widths of audio and visual features -> the set. A public release has no other.
_KNOWN = {
    (128, 4096): ReleasedKind(RELEASED_FEATURES, SECONDS_PER_STEP),
    (512, 512): ReleasedKind({AUDIO: 'selavi-audio', VISUAL: 'selavi-visual'}, dict.fromkeys(MODALITIES, 1.0)),
    (1024, 512): ReleasedKind({AUDIO: 'clap-htsat-bert', VISUAL: 'clip-vit-b-32'}, _WHOLE),
}
_ONE_STEP = (1024, 512)  # by nature; the others are averaged where they have one step


def import_zero_shot_features(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    features: str | None = None,
    lists: str = 'cls_split',
    feature_set: tuple[str, str] | None = None,
    shots: Sequence[int] = SHOTS,
    draws: int = NUM_DRAWS,
    seed: int = 0,
    name: str | None = None,
    dtype: str = 'float32',
    skip_missing: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make a feature store of one data set of a zero-shot release; no code in its pickles is run.

    Args:
        root: Folder with ``features`` and ``class-split``.
        out: Feature store to write.
        features: Folder below ``features``, e.g. ``cls_features``; by default the only one.
        lists: Folder of lists below ``class-split``. Few-shot splits of ``cls_split`` have the sizes of Table 1.
        feature_set: What the audio and the visual features are; by default recognised by their widths.
        shots: Which K to draw.
        draws: Draws of the stage-2 shots.
        seed: Seed of the draws.
        name: Name of the data set; None takes that of ``out``.
        dtype: Type of the stored features, ``float32`` or ``float16``.
        skip_missing: Leave out listed videos without features instead of raising an error.
        on_progress: Called with (class files done, class files in all).
    """
    root = Path(root)
    folder = find_feature_set(root, features)
    found = read_lists(root, lists)
    if not found.missing:  # before the long work: it may fail
        draw_splits(found, max(shots), draws, seed)
    files = list(find_class_files(folder, found.folder, _class_names(root, found)))
    labels = sorted({file.label for file in files})
    kind, widths = _recognise(files[0], feature_set)
    texts, vectors = read_class_vectors(root, folder, labels)
    with FeatureStoreWriter(
        out,
        name=name or Path(out).name,
        modalities={key: dict(dim=widths[key], seconds_per_step=kind.seconds[key]) for key in MODALITIES},
        classes=labels,
        texts=texts,
        dtype=dtype,
        source=f'{folder.name} of {root.name}, a zero-shot release, with its lists {found.folder.name}',
        features=kind.names,
    ) as writer:
        for key, array in vectors.items():
            writer.write_class_embeddings(key, array)
        copier = _Copier(writer, found)
        for done, file in enumerate(files, 1):
            copier.copy(file)
            if on_progress:
                on_progress(done, len(files))
        complete = copier.lists(folder, skip_missing)
        for k in sorted(set(shots)):
            writer.write_splits(k, draw_splits(complete, k, draws, seed))
        return writer.finish()


def _class_names(root: Path, lists: ZeroShotLists) -> dict[str, str]:
    """Return each class, as the lists spell it, by how class names are compared."""
    path = class_folder(root) / 'all_class.txt'
    names = [
        *(read_lines(path) if path.is_file() else []),
        *(line for name in LIST_NAMES for line in _lines_of(lists.folder / f'{name}.txt')),
        *sorted(set(lists.labels.values())),
    ]
    return {match_key(name, True): name for name in names}


def _lines_of(path: Path) -> list[str]:
    return read_lines(path) if path.is_file() else []


def _recognise(file: ZeroShotFile, names: tuple[str, str] | None) -> tuple[ReleasedKind, dict[str, int]]:
    """Return what the features are and how wide, by the first video of a file that is not empty."""
    content = {key: read_class_file(path) for key, path in file.paths.items()}
    common = [video for video in content[AUDIO] if video in content[VISUAL]]
    arrays = [_steps_of(content, video, file) for video in common]
    first = next((i for i, steps in enumerate(arrays) if all(array.size for array in steps.values())), None)
    if first is None:
        raise DataError(f'{file.paths[AUDIO]}: no video of the first class has features in both modalities.')
    widths = {key: arrays[first][key].shape[1] for key in MODALITIES}
    pair = (widths[AUDIO], widths[VISUAL])
    averaged = all(getattr(content[key][common[first]], 'ndim', 2) == 1 for key in MODALITIES)
    known = _KNOWN.get(pair)
    if names is not None:
        seconds = known.seconds if known and not averaged else _WHOLE if averaged else SECONDS_PER_STEP
        return ReleasedKind(dict(zip(MODALITIES, names, strict=True)), seconds), widths
    if known is None:
        raise DataError(
            f'{file.paths[AUDIO].parent.parent.parent}: audio and visual features of width {pair[0]} and {pair[1]} are '
            'of no known release. Say what they are with --feature-set AUDIO VISUAL, in your own words.'
        )
    if averaged and pair != _ONE_STEP:
        return ReleasedKind({key: f'{text}-mean' for key, text in known.names.items()}, _WHOLE), widths
    return known, widths


def _steps_of(content: Mapping[str, Mapping[str, Any]], video: str, file: ZeroShotFile) -> dict[str, np.ndarray]:
    return {m: as_sequence(content[m][video], video, file.paths[m], may_be_averaged=True) for m in MODALITIES}


@dataclass
class _Copier:
    """Copy the listed videos into a store, each once; lists that the release lacks are those of its folders."""

    writer: FeatureStoreWriter
    given: ZeroShotLists
    _labels: dict[str, str] = field(init=False)
    _added: dict[str, str] = field(default_factory=dict)
    _of_folders: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _unlisted: int = 0

    def __post_init__(self) -> None:
        self._labels = self.given.labels

    def copy(self, file: ZeroShotFile) -> None:
        content: dict[str, dict[str, Any]] = {key: read_class_file(path) for key, path in file.paths.items()}
        for video in content[AUDIO]:
            if video not in content[VISUAL]:
                continue
            label = self._labels.get(video, file.label)
            if match_key(label, True) != match_key(file.label, True):
                raise DataError(
                    f'{file.paths[AUDIO]}: video {video!r} is of class {label!r} in {self.given.folder}. Unpack the '
                    'data set again.'
                )
            steps = _steps_of(content, video, file)
            if not all(array.size for array in steps.values()):
                continue
            if video not in self._labels and not self._list(file, video):
                self._unlisted += 1
            elif video not in self._added:
                self.writer.add(video, label, steps)
                self._added[video] = label

    def _list(self, file: ZeroShotFile, video: str) -> bool:
        """List a video of a folder, if the release lacks the list of that folder."""
        if file.split in self.given.videos:
            return False
        if video in self._added:
            raise DataError(
                f'{file.paths[AUDIO]}: video {video!r} is also in the folder of another split. Unpack the data set '
                'again.'
            )
        self._of_folders.setdefault(file.split, {}).setdefault(file.label, []).append(video)
        return True

    def lists(self, folder: Path, skip_missing: bool) -> ZeroShotLists:
        """Return the lists of the copied videos."""
        missing = [video for video in self._labels if video not in self._added]
        videos = number_of(len(self._labels), 'video')
        if missing and not skip_missing:
            raise DataError(
                f'{folder} lacks features, in some modality, for {len(missing)} of the {videos} of {self.given.folder} '
                f'(the first: {missing[0]!r}). Unpack the data set again, or leave them out with '
                '--skip-missing.' + nearest(missing[0], list(self._added)[:1000])
            )
        if missing:
            _LOGGER.warning('Left out for lack of features: %d of %s', len(missing), videos)
        if self._unlisted:
            _LOGGER.warning('%s: %s in no list, left out', folder, number_of(self._unlisted, 'video'))
        if self._of_folders:
            _LOGGER.warning(
                '%s lacks %s: the videos of the folders of these names are taken',
                self.given.folder,
                ', '.join(f'{name}.csv' for name in self._of_folders),
            )
        kept = {
            name: {label: [video for video in ids if video in self._added] for label, ids in classes.items()}
            for name, classes in self.given.videos.items()
        }
        for name, classes in self._of_folders.items():
            kept[name] = {label: sorted(classes[label]) for label in sorted(classes)}
        return replace(self.given, videos={name: kept[name] for name in LIST_NAMES})
