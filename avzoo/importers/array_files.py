"""Read one file of features in any common format, without running code from it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avzoo.readers.mat_files import read_mat
from avzoo.readers.safe_pickle import load_npy, load_npz, load_pickle
from avzoo.readers.tensor_files import read_tensors
from avzoo.utils.errors import DataError

HOW_TO_SAVE = (
    'Use numpy.savez(FILE.npz, video_id=..., audio=..., visual=...), or save one .npy file per video in DIR/audio '
    'and DIR/visual.'
)


def read_file(path: Path) -> Any:
    """Read what a file holds: usually a mapping of arrays, or of mappings.

    Raises:
        DataError: It is damaged, of another kind, or holds anything but plain data; says how to save it.
    """
    if path.suffix.lower() in _UNKNOWN:
        raise DataError(f'{path}: features cannot be read from this kind of file. {HOW_TO_SAVE}')
    return _READERS.get(path.suffix.lower(), load_npz)(path)


def _read_npy(path: Path) -> Any:
    """Read a dict or a list that was saved by ``numpy.save``."""
    array = load_npy(path)
    if array.dtype != object:
        raise DataError(f'{path} is one array, {array.dtype} of shape {array.shape}, without ids. {HOW_TO_SAVE}')
    return array.item() if array.ndim == 0 else array.tolist()


def _plainly(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Add to a reader's errors how else to save features."""

    def reading(path: Path) -> Any:
        try:
            return read(path)
        except DataError as error:
            raise DataError(f'{error} If you made it: {HOW_TO_SAVE}') from None

    return reading


_READERS: Mapping[str, Callable[[Path], Any]] = {
    '.npy': _read_npy,
    **dict.fromkeys(('.pkl', '.pickle'), _plainly(load_pickle)),
    **dict.fromkeys(('.pt', '.pth'), _plainly(read_tensors)),
    '.mat': _plainly(read_mat),
}
FORMS = tuple(_READERS)
_UNKNOWN = ('.csv', '.tsv', '.txt', '.json', '.jsonl', '.parquet', '.zip', '.tar', '.gz', '.tgz', '.rar', '.7z')
