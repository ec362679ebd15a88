"""Import the features that the authors of AV-DIFF released (VGGSound-FSL, UCF-FSL, ActivityNet-FSL).

Each class gets its own word vector; the released code takes the class names and their spelled-out forms to sort alike
(docs/faithfulness.md), which can be repeated on request.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.safe_pickle import load_npy, load_pickle
from avzoo.datasets.store_format import read_csv, read_lines
from avzoo.utils.errors import DataError, nearest

# Data set -> (file of word vectors, file of class names, whether class names differ in case only by accident)
DATASETS = {
    'vgg': ('word_embeddings_vggsound_normed.npy', 'vggsound_w2v_class_names.csv', False),
    'ucf': ('word_embeddings_ucf_normed.npy', 'ucf_w2v_class_names.csv', True),
    'activitynet': ('word_embeddings_activity_normed.npy', 'activitynet_w2v_class_names.csv', True),
}
# Released folder -> (split of the store, list of the classes that the folder must have)
FOLDERS = {
    'stage_1_train_base': ('stage1_base', 'stage_1_base_train'),
    'stage_1_train_novel': ('stage1_novel', 'stage_1_novel_train'),
    'stage_1_val_seen': ('val_base', 'stage_1_val_seen'),
    'stage_1_val_novel': ('val_novel', 'stage_1_val_unseen'),
    'stage_2_train_novel': ('stage2_novel_0', 'stage_2_novel_train'),
    'stage_2_train_novel_1': ('stage2_novel_1', 'stage_2_novel_train'),
    'stage_2_train_novel_2': ('stage2_novel_2', 'stage_2_novel_train'),
    'stage_2_test_seen': ('test_base', 'stage_2_test_seen'),
    'stage_2_test_novel': ('test_novel_0', 'stage_2_test_unseen'),
    'stage_2_test_novel_1': ('test_novel_1', 'stage_2_test_unseen'),
    'stage_2_test_novel_2': ('test_novel_2', 'stage_2_test_unseen'),
}
_STAGE_1 = ('stage1_base', 'stage1_novel', 'val_base', 'val_novel')
# What is trained on, and what is evaluated on after it: these lists share no video. A draw counts with itself only.
_APART = [
    *product(('stage1_base', 'stage1_novel'), ('val_base', 'val_novel')),
    *product(_STAGE_1, ('test_base', *(f'test_novel_{d}' for d in range(3)))),
    *((f'stage2_novel_{d}', test) for d in range(3) for test in ('test_base', f'test_novel_{d}')),
]
_SECONDS = {'audio': 0.96, 'visual': 0.64}


def find_shots(root: str | Path) -> list[int]:
    """Return the K whose features are there."""
    found = (re.fullmatch(r'(\d+)-shot', path.name) for path in (Path(root) / 'features').glob('*-shot'))
    return sorted(int(match[1]) for match in found if match)


def import_released_features(
    root: str | Path,
    out: str | Path,
    *,
    shots: Sequence[int] | None = None,
    dataset: str = 'auto',
    dtype: str = 'float32',
    text_order: str = 'name',
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make a feature store of one released data set; nothing in its pickles is run.

    A video that lies in several folders is stored once. Its id and label are checked to agree everywhere.

    Args:
        root: Holds ``features`` and ``class-split``.
        out: Store to make.
        shots: Which K to import; None takes all that are there.
        dataset: ``vgg``, ``ucf``, ``activitynet``, or ``auto`` to tell by the file of word vectors.
        dtype: How to store features, ``float32`` or ``float16``.
        text_order: ``name`` matches word vectors and classes by name. ``released`` repeats a defect of the released
            code: the i-th of the sorted class names gets the i-th of the vectors sorted by their spelled-out names.
        on_progress: Called with (class files done, class files in all).
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f'There is no folder {root}. ROOT is the unzipped folder of one released data set.')
    there = find_shots(root)
    shots = sorted(set(shots or there))
    absent = sorted(set(shots) - set(there))
    if not there:
        raise DataError(f'{root}/features has no K-shot folder. ROOT is the unzipped folder of one data set.')
    if absent:
        raise DataError(
            f'{root}/features has no {absent[0]}-shot folder; it has K = {there}. Choose --shots among these.'
        )
    if dataset not in ('auto', *DATASETS):
        raise ValueError(f'unknown dataset {dataset!r}; choose one of auto, {", ".join(DATASETS)}')
    if text_order not in ('name', 'released'):
        raise ValueError(f"text_order={text_order!r}; choose 'name' or 'released'.")
    name = _tell_dataset(root, shots[0]) if dataset == 'auto' else dataset
    fold = DATASETS[name][2]
    names = sorted(set(read_lines(root / 'class-split' / 'all_class.txt')))  # case-sensitive, as released
    files = list(_class_files(root, shots, names, fold))
    present = {file.label for file in files}
    labels = [label for label in names if label in present]
    texts, vectors = _class_words(root, name, shots[0], labels, names if text_order == 'released' else None)
    modalities = {key: dict(dim=_width(files[0], key), seconds_per_step=_SECONDS[key]) for key in _SECONDS}
    with FeatureStoreWriter(
        out,
        name=f'{name}_fsl',
        modalities=modalities,
        classes=labels,
        texts=texts,
        dtype=dtype,
        source='features released with AV-DIFF (AVDIFF-GFSL)'
        if text_order == 'name'
        else 'features released with AV-DIFF (AVDIFF-GFSL), word vectors in its order',
    ) as writer:
        writer.write_class_embeddings('word2vec', vectors)
        copier = _Copier(writer)
        for done, file in enumerate(files, 1):
            copier.copy(file)
            if on_progress:
                on_progress(done, len(files))
        for k, splits in copier.splits.items():
            _check_apart(root / 'features' / f'{k}-shot', splits)
            splits['stage2_base'] = [video for part in _STAGE_1 for video in splits[part]]
            writer.write_splits(k, splits)
        return writer.finish()


@dataclass(frozen=True)
class _ClassFile:
    """The two files of one class in one folder of one K."""

    shots: int
    split: str
    label: str
    audio: Path
    visual: Path


@dataclass
class _Copier:
    """Copy class files into a store, each video once."""

    writer: FeatureStoreWriter
    splits: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)

    def copy(self, file: _ClassFile) -> None:
        audio, visual = _read_class(file.audio), _read_class(file.visual)
        if audio.keys() != visual.keys():
            odd = sorted(audio.keys() ^ visual.keys())
            raise DataError(
                f'{file.audio} and {file.visual} hold different videos ({len(odd)} are in one only, e.g. '
                f'{odd[0]!r}). Unpack the data set again.'
            )
        for video in audio:
            arrays = {
                'audio': _as_sequence(audio[video], video, file.audio),
                'visual': _as_sequence(visual[video], video, file.visual),
            }
            print_ = (file.label, zlib.crc32(arrays['visual'], zlib.crc32(arrays['audio'])))
            if video not in self._known:
                self.writer.add(video, file.label, arrays)
                self._known[video] = print_
            elif self._known[video] != print_:
                raise DataError(
                    f'{file.audio}: video {video!r} of class {file.label!r} differs from the one of the '
                    f'same name read before (class {self._known[video][0]!r}). Unpack the data set again, '
                    'or import one K at a time with --shots.'
                )
        self.splits.setdefault(file.shots, {}).setdefault(file.split, []).extend(audio)


def _tell_dataset(root: Path, shots: int) -> str:
    folder = root / 'features' / f'{shots}-shot' / 'text'
    found = [name for name, (vectors, _, _) in DATASETS.items() if (folder / vectors).is_file()]
    if len(found) != 1:
        wanted = ', '.join(entry[0] for entry in DATASETS.values())
        raise DataError(
            f'{folder}: exactly one of {wanted} must be there, found {len(found)}. Name the data set with '
            '--dataset, or check ROOT.'
        )
    return found[0]


def _class_files(root: Path, shots: Sequence[int], names: Sequence[str], fold: bool) -> Iterator[_ClassFile]:
    """Find the class files of every K and folder, sorted by file name within a folder."""
    known = {_key(name, fold): name for name in names}
    for k in shots:
        base = root / 'features' / f'{k}-shot'
        for folder, (split, class_list) in FOLDERS.items():
            audio_files = sorted((base / 'audio' / folder).glob('*.pkl'))
            if not audio_files:
                raise DataError(f'{base / "audio" / folder} is missing or empty. Unpack the data set again.')
            expected = root / 'class-split' / f'{k}-shot' / f'{class_list}.txt'
            listed = {_key(name, fold) for name in read_lines(expected)}
            lacking = sorted(listed - {_key(path.stem, fold) for path in audio_files})
            if lacking:
                raise DataError(
                    f'{base / "audio" / folder} has no file of class {known.get(lacking[0], lacking[0])!r} '
                    f'({len(lacking)} such), which {expected} lists. Unpack the data set again.'
                )
            for path in audio_files:
                label = known.get(_key(path.stem, fold))
                if label is None:
                    raise DataError(
                        f'{path}: class {path.stem!r} is not in {root / "class-split" / "all_class.txt"}.'
                        + nearest(path.stem, names)
                    )
                yield _ClassFile(k, split, label, path, base / 'video' / folder / path.name)


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


def _read_class(path: Path) -> dict[str, Any]:
    """Read one class file as video id -> features, in the order of the file."""
    content = load_pickle(path)
    try:
        features, ids = list(content['features']), [str(video) for video in content['video_names']]
    except (KeyError, TypeError, IndexError):
        raise DataError(f'{path}: expected a dict with features and video_names.') from None
    if len(features) != len(ids) or len(set(ids)) != len(ids) or not ids:
        raise DataError(
            f'{path}: {len(features)} features and {len(ids)} video names ({len(set(ids))} different); '
            'one of each is needed. Unpack the data set again.'
        )
    return dict(zip(ids, features, strict=True))


def _as_sequence(values: Any, video: str, path: Path) -> np.ndarray:
    try:
        array = np.ascontiguousarray(values)
    except ValueError:  # rows of unequal width
        array = np.empty(0, object)
    if array.dtype.kind not in 'biuf' or array.ndim != 2:
        raise DataError(f'{path}: features of video {video!r} are not a (steps, width) array of numbers.')
    return array


def _width(file: _ClassFile, key: str) -> int:
    video, values = next(iter(_read_class(getattr(file, key)).items()))
    return _as_sequence(values, video, getattr(file, key)).shape[1]


def _class_words(
    root: Path, dataset: str, shots: int, labels: Sequence[str], ranked: Sequence[str] | None
) -> tuple[list[str], np.ndarray]:
    """Return each class in words, and its word vector, (C, 300): its own, or that of its place among all ``ranked``."""
    vectors_name, names_name, fold = DATASETS[dataset]
    names_path = root / 'class-split' / names_name
    words = {_key(original, fold): manual for original, manual in read_csv(names_path, ['original', 'manual'])}
    vectors_path = root / 'features' / f'{shots}-shot' / 'text' / vectors_name
    content = load_npy(vectors_path)
    table = content.item() if content.shape == () else None
    if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
        raise DataError(f'{vectors_path}: expected a dict of word vectors by class name.')
    texts = []
    for label in labels:
        text = words.get(_key(label, fold))
        if text is None:
            raise DataError(f'{names_path} has no line for class {label!r}.' + nearest(label, words))
        if text not in table:
            raise DataError(f'{vectors_path} has no vector for {text!r} (class {label!r}).' + nearest(text, table))
        texts.append(text)
    owners = texts
    if ranked is not None:
        if len(table) != len(ranked):
            raise DataError(
                f'{vectors_path} has {len(table)} vectors for the {len(ranked)} classes of '
                f'{root / "class-split" / "all_class.txt"}; by position (text order: released) there must '
                'be one for each. Match them by name.'
            )
        place = dict(zip(ranked, sorted(table), strict=True))
        owners = [place[label] for label in labels]
    try:
        return texts, np.stack([np.asarray(table[owner], np.float32) for owner in owners])
    except (TypeError, ValueError) as error:
        raise DataError(f'{vectors_path}: word vectors are no numbers or of unequal width: {error}') from None


def _key(name: str, fold: bool) -> str:
    return name.lower() if fold else name
