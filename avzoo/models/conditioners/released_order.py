"""The class vectors that the released AV-DIFF code reads: a defect, repeated for comparison with its numbers."""

import os
from pathlib import Path

import numpy as np

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.store_format import read_lines
from avzoo.utils.errors import DataError, nearest


def released_order(dataset: GFSLDataset, class_list: str | os.PathLike[str] | None = None) -> np.ndarray:
    """Return, for each column (C,) of a data set, the column whose class vector the released code takes.

    Args:
        dataset: The data set; its columns are in the order of the sorted class names.
        class_list: A file that names all classes, one per line; by default those of the store.
    """
    numbers = _class_numbers(dataset, class_list)
    order = np.arange(len(numbers))
    # The released code has one table for the base classes and one for the novel ones.
    for columns in (np.flatnonzero(dataset.base_mask), np.flatnonzero(~dataset.base_mask)):
        order[columns] = columns[released_rows(numbers[columns])]
    return order


def released_rows(numbers: np.ndarray) -> np.ndarray:
    """Return, for sorted class numbers (C,), the row of the sorted table that the released code reads for each.

    It is the position of the number in a set of them. CPython walks through a set of small integers in the order of
    their value modulo the size of its table, so the order is sorted as long as the table is larger than the numbers.
    """
    position = {number: place for place, number in enumerate(set(numbers.tolist()))}
    return np.array([position[number] for number in numbers.tolist()], dtype=np.int64)


def _class_numbers(dataset: GFSLDataset, class_list: str | os.PathLike[str] | None) -> np.ndarray:
    """Return the class number of each column: its position among the sorted names of all classes."""
    own = dataset.store.class_names
    everything = sorted(set(own if class_list is None else read_lines(Path(class_list))))
    places = {name: i for i, name in enumerate(everything)}
    names = [own[c] for c in dataset.class_ids]
    unknown = [name for name in names if name not in places]
    if unknown:
        raise DataError(
            f"{class_list} does not name class '{unknown[0]}' of {dataset.store.root}."
            f'{nearest(unknown[0], everything)} model.conditioner.class_list must name all classes.'
        )
    return np.array([places[name] for name in names])
