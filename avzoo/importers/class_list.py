"""The classes that need vectors, from whatever lists them."""

import os
from pathlib import Path

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.splits import LIST_COLUMNS, ZeroShotLists, read_zero_shot_lists
from avzoo.datasets.store_format import check_names, read_lines
from avzoo.readers.csv_columns import read_columns
from avzoo.utils.errors import DataError, nearest

_COLUMNS = {'label': LIST_COLUMNS['label'], 'text': ('text',)}


def class_rows(path: Path) -> list[tuple[str, str]]:
    """Return the label and the text of each row of a table; the text is empty where it has none."""
    return [(label, text.strip()) for label, text in read_columns(path, _COLUMNS, optional=['text'])]


def rows_beside(lists: ZeroShotLists, folder: Path) -> tuple[Path | None, list[tuple[str, str]]]:
    """Return the table of classes beside lists and its rows; without one, the sorted classes of the lists.

    Args:
        lists: The lists.
        folder: The folder that was named; ``lists.folder`` is the same or lies in it.

    Raises:
        DataError: The table lacks classes of the lists.
    """
    used = sorted(set(lists.labels.values()))
    path = next((one for at in (folder, lists.folder) if os.path.lexists(one := at / 'classes.csv')), None)
    if path is None:
        return None, [(label, '') for label in used]
    rows = class_rows(path)
    known = {label for label, _ in rows}
    unknown = [label for label in used if label not in known]
    if unknown:
        raise DataError(
            f'{path} lacks classes of the lists beside it: {", ".join(map(repr, unknown))}.'
            + nearest(unknown[0], known)
        )
    return path, rows


def read_classes(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return {label: the class in words}; a class without words has its label.

    Args:
        path: A feature store; a folder of zero-shot lists, with or without ``classes.csv``; a table with a column
            ``label`` and maybe ``text``, in which a label may occur often; or a ``.txt`` with one label per line.
    """
    path = Path(path)
    if (path / 'store.json').is_file():
        store = FeatureStore(path)
        rows = list(zip(store.class_names, store.class_texts, strict=True))
    elif path.is_dir():
        rows = rows_beside(read_zero_shot_lists(path), path)[1]
    elif path.suffix == '.txt':
        rows = [(label, '') for label in read_lines(path)]
    else:
        rows = class_rows(path)
    texts: dict[str, str] = {}
    for label, text in rows:
        if texts.setdefault(label, text) != text and text:
            if texts[label]:
                raise DataError(f'{path}: class {label!r} has texts {texts[label]!r} and {text!r}. Keep one.')
            texts[label] = text
    check_names(list(texts), f'{path}: class')
    if not texts:
        raise DataError(f'{path} has no classes.')
    return {label: text or label for label, text in texts.items()}
