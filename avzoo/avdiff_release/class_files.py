"""Find and read the class files of a released data set.

``features/K-shot/MODALITY/FOLDER/CLASS.pkl`` holds the features of one class in one split.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.store_format import read_lines
from avzoo.protocol import AUDIO, VISUAL
from avzoo.readers.safe_pickle import load_npy, load_pickle
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest

# Data set -> (file of word vectors, file of class names, whether the case of class names varies between files)
RELEASED_DATASETS = {
    'vgg': ('word_embeddings_vggsound_normed.npy', 'vggsound_w2v_class_names.csv', False),
    'ucf': ('word_embeddings_ucf_normed.npy', 'ucf_w2v_class_names.csv', True),
    'activitynet': ('word_embeddings_activity_normed.npy', 'activitynet_w2v_class_names.csv', True),
}
# What the features are: 8-bit VGGish after its PCA, and the last layer but one of C3D
RELEASED_FEATURES = {AUDIO: 'vggish-pca-u8', VISUAL: 'c3d-fc7'}
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


@dataclass(frozen=True)
class ClassFile:
    """The two files of one class in one folder of one K."""

    shots: int
    split: str
    label: str
    audio: Path
    visual: Path


def find_shots(root: str | os.PathLike[str]) -> list[int]:
    """Return every K whose features are there."""
    found = (re.fullmatch(r'(\d+)-shot', path.name) for path in (Path(root) / 'features').glob('*-shot'))
    return sorted(int(match[1]) for match in found if match)


def tell_dataset(root: Path, shots: int) -> str:
    """Return the key of the data set whose file of word vectors exists."""
    folder = root / 'features' / f'{shots}-shot' / 'text'
    found = [name for name, (vectors, _, _) in RELEASED_DATASETS.items() if (folder / vectors).is_file()]
    if len(found) != 1:
        wanted = ', '.join(entry[0] for entry in RELEASED_DATASETS.values())
        raise DataError(
            f'{folder}: exactly one of {wanted} must exist, found {len(found)}. Name the data set with '
            '--dataset, or check ROOT.'
        )
    return found[0]


def find_class_files(root: Path, shots: Sequence[int], names: Sequence[str], fold: bool) -> Iterator[ClassFile]:
    """Find the class files of every K and folder, sorted by file name within a folder."""
    known = {match_key(name, fold): name for name in names}
    for k in shots:
        base = root / 'features' / f'{k}-shot'
        for folder, (split, class_list) in FOLDERS.items():
            audio_files = sorted((base / 'audio' / folder).glob('*.pkl'))
            if not audio_files:
                raise DataError(f'{base / "audio" / folder} is missing or empty. Unpack the data set again.')
            expected = root / 'class-split' / f'{k}-shot' / f'{class_list}.txt'
            listed = {match_key(name, fold) for name in read_lines(expected)}
            lacking = sorted(listed - {match_key(path.stem, fold) for path in audio_files})
            if lacking:
                raise DataError(
                    f'{base / "audio" / folder} has no file for class {known.get(lacking[0], lacking[0])!r} '
                    f'({len(lacking)} such), which {expected} lists. Unpack the data set again.'
                )
            for path in audio_files:
                label = known.get(match_key(path.stem, fold))
                if label is None:
                    raise DataError(
                        f'{path}: class {path.stem!r} is not in {root / "class-split" / "all_class.txt"}.'
                        + nearest(path.stem, names)
                    )
                yield ClassFile(k, split, label, path, base / 'video' / folder / path.name)


def read_class(path: Path) -> dict[str, Any]:
    """Read one class file as video id -> features, in the order of the file."""
    content = load_pickle(path)
    try:
        features, ids = list(content['features']), [str(video) for video in content['video_names']]
    except (KeyError, TypeError, IndexError):
        raise DataError(f'{path}: expected a dict with features and video_names.') from None
    if len(features) != len(ids) or len(set(ids)) != len(ids) or not ids:
        raise DataError(
            f'{path}: {len(features)} features and {number_of(len(ids), "video name")} ({len(set(ids))} different); '
            'one of each is needed. Unpack the data set again.'
        )
    return dict(zip(ids, features, strict=True))


def read_vectors(path: Path) -> dict[str, Any]:
    """Read a file of class vectors as class in words -> vector."""
    content = load_npy(path)
    table = content.item() if content.shape == () else None
    if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
        raise DataError(f'{path}: expected a dict of vectors by class name.')
    return table


def as_sequence(values: Any, video: str, path: Path, *, may_be_averaged: bool = False) -> np.ndarray:
    """Return the features of a video as a contiguous (steps, width) array; an average over the video is one step."""
    try:
        array = np.ascontiguousarray(values)
    except (ValueError, TypeError):  # rows of unequal width
        array = np.empty(0, object)
    array = array[None] if may_be_averaged and array.ndim == 1 else array
    if array.dtype.kind not in 'biuf' or array.ndim != 2:
        raise DataError(f'{path}: features of video {video!r} are not a (steps, width) array of numbers.')
    return array


def width_of(file: ClassFile, key: str) -> int:
    """Return the width of a modality, by the first video of a class file."""
    video, values = next(iter(read_class(getattr(file, key)).items()))
    return as_sequence(values, video, getattr(file, key)).shape[1]


def match_key(name: str, fold: bool) -> str:
    """Return the form in which class names of several files are compared."""
    return name.lower() if fold else name
