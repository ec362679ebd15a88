"""The predictions of a test in a file, for later comparisons of two methods.

The arrays are ``video_id`` (N,) str, ``label`` (N,) columns, ``scores`` (N, C) float32, ``classes`` (C,) names of the
columns, ``base_mask`` (C,) bool, and ``gamma``, the number that is subtracted from the scores of base classes.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from avzoo.evaluation.checks import check_arrays
from avzoo.readers.safe_pickle import load_npz
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_path

_FIELDS = ('video_id', 'label', 'scores', 'classes', 'base_mask', 'gamma')


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write arrays to an npz file atomically; it can be read without unpickling."""
    with atomic_path(path) as partial, zipfile.ZipFile(partial, 'w') as archive:
        for name, array in arrays.items():
            values = np.asarray(array)
            member = zipfile.ZipInfo(f'{name}.npy')
            # Compression would shrink scores by 6% and take ten times as long as writing them.
            member.compress_type = zipfile.ZIP_STORED if values.dtype.kind == 'f' else zipfile.ZIP_DEFLATED
            with archive.open(member, 'w', force_zip64=True) as file:
                np.lib.format.write_array(file, values, allow_pickle=False)
    return Path(path)


def read_predictions(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the predictions of a test.

    Raises:
        DataError: If the file is missing, damaged, or lacks an array, or its arrays do not fit together.
    """
    try:
        arrays = load_npz(path, any_ratio=True)
        found = {name: arrays[name] for name in _FIELDS}
        _check(found)
        return found
    except (DataError, KeyError, ValueError) as error:
        raise DataError(
            f'{path} holds no test predictions ({type(error).__name__}: {error}). Delete it and test again.'
        ) from error


def _check(found: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError for arrays that are not the predictions of one test."""
    check_arrays(found['scores'], found['label'], found['base_mask'])
    videos, columns = found['scores'].shape
    if not videos:
        raise ValueError('it has no videos.')
    if not np.isfinite(found['scores']).all():
        raise ValueError('scores must be finite numbers.')
    if found['gamma'].shape or found['gamma'].dtype.kind not in 'iuf' or not np.isfinite(found['gamma']):
        raise ValueError('gamma must be one finite number.')
    for name, count in (('video_id', videos), ('classes', columns)):
        names = found[name]
        if names.dtype.kind != 'U' or names.shape != (count,) or len(np.unique(names)) < count:
            raise ValueError(f'{name} must be {count} different names; got {names.dtype} of shape {names.shape}.')
