"""Import the features that the authors of AV-DIFF released (VGGSound-FSL, UCF-FSL, ActivityNet-FSL).

Each class gets its own word vector. The released code assumes that class names and their spelled-out forms sort alike
(docs/faithfulness.md); ``text_order='released'`` repeats that.
"""

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from avzoo.avdiff_release.class_files import (
    FOLDERS,
    RELEASED_DATASETS,
    RELEASED_FEATURES,
    ClassFile,
    as_sequence,
    find_class_files,
    find_shots,
    match_key,
    read_class,
    read_vectors,
    tell_dataset,
    width_of,
)
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.store_format import read_csv, read_lines
from avzoo.protocol import MODALITIES, NUM_DRAWS, SECONDS_PER_STEP, base_split, evaluation_splits, train_splits
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

_STAGE_1 = (*train_splits(1), *evaluation_splits('val'))
# Splits of training and of its evaluation, which must share no video. A draw is evaluated on its own novel videos.
_APART = [
    *product(train_splits(1), evaluation_splits('val')),
    *product(_STAGE_1, dict.fromkeys(test for d in range(NUM_DRAWS) for test in evaluation_splits('test', d))),
    *((train_splits(2, d)[1], test) for d in range(NUM_DRAWS) for test in evaluation_splits('test', d)),
]


def import_released_features(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    shots: Sequence[int] | None = None,
    dataset: str = 'auto',
    dtype: str = 'float32',
    text_order: str = 'name',
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make a feature store of one released data set; no code in its pickles is run.

    A video that lies in several folders is stored once; its label and features must be the same in all.

    Args:
        root: Folder with ``features`` and ``class-split``.
        out: Feature store to write.
        shots: The K to import; by default all that exist.
        dataset: ``vgg``, ``ucf``, ``activitynet``, or ``auto`` to recognise it by the file of word vectors.
        dtype: Type of the stored features, ``float32`` or ``float16``.
        text_order: ``name`` matches word vectors and classes by name. ``released`` repeats a defect of the released
            code: the i-th of the sorted class names gets the i-th of the vectors sorted by their spelled-out names.
        on_progress: Called with (class files done, class files in all).
    """
    root = Path(root)
    shots = _choose_shots(root, shots)
    if dataset not in ('auto', *RELEASED_DATASETS):
        raise ValueError(f'unknown dataset {dataset!r}; choose one of auto, {", ".join(RELEASED_DATASETS)}')
    if text_order not in ('name', 'released'):
        raise ValueError(f"text_order={text_order!r}; choose 'name' or 'released'.")
    name = tell_dataset(root, shots[0]) if dataset == 'auto' else dataset
    fold = RELEASED_DATASETS[name][2]
    names = sorted(set(read_lines(root / 'class-split' / 'all_class.txt')))  # case-sensitive, as released
    files = list(find_class_files(root, shots, names, fold))
    present = {file.label for file in files}
    labels = [label for label in names if label in present]
    texts, vectors = _class_words(root, name, shots[0], labels, names if text_order == 'released' else None)
    modalities = {key: dict(dim=width_of(files[0], key), seconds_per_step=SECONDS_PER_STEP[key]) for key in MODALITIES}
    source = 'features released with AV-DIFF (AVDIFF-GFSL)'
    if text_order == 'released':
        source += ', word vectors in its order'
    with FeatureStoreWriter(
        Path(out),
        name=f'{name}_fsl',
        modalities=modalities,
        classes=labels,
        texts=texts,
        dtype=dtype,
        source=source,
        features=RELEASED_FEATURES,
    ) as writer:
        writer.write_class_embeddings('word2vec', vectors)
        copier = _Copier(writer)
        for done, file in enumerate(files, 1):
            copier.copy(file)
            if on_progress:
                on_progress(done, len(files))
        for k, splits in copier.splits.items():
            _check_apart(root / 'features' / f'{k}-shot', splits)
            splits[base_split(2)] = [video for part in _STAGE_1 for video in splits[part]]
            writer.write_splits(k, splits)
        return writer.finish()


def _choose_shots(root: Path, shots: Sequence[int] | None) -> list[int]:
    if not root.is_dir():
        raise DataError(f'There is no folder {root}. ROOT is the unzipped folder of one released data set.')
    there = find_shots(root)
    if not there:
        zero_shot = next((root / 'features').glob('*/audio'), None)
        hint = (
            'ROOT is the unzipped folder of one data set.'
            if zero_shot is None
            else f'It has {zero_shot.parent.name}, as the zero-shot releases (AVCA, TCAF, ClipClap) have it: import it '
            'with tools/dataset_converters/gzsl.py.'
        )
        raise DataError(f'{root}/features has no K-shot folder. {hint}')
    chosen = sorted(set(shots or there))
    if absent := sorted(set(chosen) - set(there)):
        raise DataError(
            f'{root}/features has no {absent[0]}-shot folder; it has K = {there}. Choose --shots among these.'
        )
    return chosen


@dataclass
class _Copier:
    """Copy class files into a store, each video once."""

    writer: FeatureStoreWriter
    splits: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)

    def copy(self, file: ClassFile) -> None:
        audio, visual = read_class(file.audio), read_class(file.visual)
        if audio.keys() != visual.keys():
            odd = sorted(audio.keys() ^ visual.keys())
            raise DataError(
                f'{file.audio} and {file.visual} hold different videos ({len(odd)} are in one only, e.g. '
                f'{odd[0]!r}). Unpack the data set again.'
            )
        for video in audio:
            arrays = {
                'audio': as_sequence(audio[video], video, file.audio),
                'visual': as_sequence(visual[video], video, file.visual),
            }
            fingerprint = (file.label, zlib.crc32(arrays['visual'].data, zlib.crc32(arrays['audio'].data)))
            if video not in self._known:
                self.writer.add(video, file.label, arrays)
                self._known[video] = fingerprint
            elif self._known[video] != fingerprint:
                raise DataError(
                    f'{file.audio}: video {video!r} of class {file.label!r} differs from the one of the '
                    f'same name read before (class {self._known[video][0]!r}). Unpack the data set again, '
                    'or import one K at a time with --shots.'
                )
        self.splits.setdefault(file.shots, {}).setdefault(file.split, []).extend(audio)


def _check_apart(folder: Path, splits: dict[str, list[str]]) -> None:
    folders = {split: name for name, (split, _) in FOLDERS.items()}
    for training, evaluation in _APART:
        held_out = set(splits[evaluation])
        shared = [video for video in splits[training] if video in held_out]
        if shared:
            raise DataError(
                f'{folder}: video {shared[0]!r} lies in {folders[training]}, to train on, and in '
                f'{folders[evaluation]}, to evaluate on ({len(shared)} such). Unpack the data set again.'
            )


def _class_words(
    root: Path, dataset: str, shots: int, labels: Sequence[str], ranked: Sequence[str] | None
) -> tuple[list[str], np.ndarray]:
    """Return each class in words, and its word vector, (C, 300): its own, or that of its rank among all ``ranked``."""
    vectors_name, names_name, fold = RELEASED_DATASETS[dataset]
    names_path = root / 'class-split' / names_name
    words = {match_key(original, fold): manual for original, manual in read_csv(names_path, ['original', 'manual'])}
    vectors_path = root / 'features' / f'{shots}-shot' / 'text' / vectors_name
    table = read_vectors(vectors_path)
    texts = []
    for label in labels:
        text = words.get(match_key(label, fold))
        if text is None:
            raise DataError(f'{names_path} has no line for class {label!r}.' + nearest(label, words))
        if text not in table:
            raise DataError(f'{vectors_path} has no vector for {text!r} (class {label!r}).' + nearest(text, table))
        texts.append(text)
    owners = texts
    if ranked is not None:
        if len(table) != len(ranked):
            raise DataError(
                f'{vectors_path} has {number_of(len(table), "vector")} for the {len(ranked)} classes of '
                f'{root / "class-split" / "all_class.txt"}; by position (text order: released) there must '
                'be one for each. Match them by name.'
            )
        place = dict(zip(ranked, sorted(table), strict=True))
        owners = [place[label] for label in labels]
    try:
        return texts, np.stack([np.asarray(table[owner]) for owner in owners])
    except (TypeError, ValueError) as error:
        raise DataError(f'{vectors_path}: word vectors are not numbers or of unequal width: {error}') from None
