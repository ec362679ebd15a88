"""The support set of an adaptation: a few labelled clips of new classes."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.importers.class_list import class_rows
from avzoo.importers.class_vectors import ClassVectors, read_class_vectors
from avzoo.importers.clips import read_clip
from avzoo.protocol import train_splits
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, nearest
from avzoo.utils.leftovers import is_leftover
from avzoo.utils.spelling import spelling_key

# Names of classes to their vectors, or to None where a store needs none.
MakeVectors: TypeAlias = Callable[[Sequence[str]], ClassVectors | None]


@dataclass(frozen=True)
class SupportSet:
    """Clips of new classes.

    Attributes:
        store: Holds their features and class vectors.
        classes: The new classes, in the store's order.
        video_ids: K clips of each class.
    """

    store: FeatureStore
    classes: tuple[str, ...]
    video_ids: tuple[str, ...]


def open_support_set(
    path: str | os.PathLike[str],
    *,
    shots: int,
    known: Sequence[str],
    scratch: Path,
    seconds: dict[str, float],
    missing_vectors: MakeVectors,
    draw: int = 0,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> SupportSet:
    """Choose K clips of each new class.

    In a feature store with K-shot splits these are the videos of ``stage2_novel_DRAW``. The store must have splits of
    this K: other clips might be among those that it tests on. In a store without splits, K videos are drawn from each
    class that is not a base class of the model. A folder has one subfolder per class, named after the class, with one
    ``.npz`` of ``audio`` and ``visual`` per clip, and class vectors, ``class_embeddings.npz`` with names or
    ``class_embeddings.npy`` (C, d), row i for class i of ``classes.csv`` or, without that file, of the sorted class
    names; see ``read_class_vectors``.

    Args:
        path: Store or folder.
        shots: K.
        known: The model's base classes.
        scratch: Folder in which a folder's clips are packed into a store.
        seconds: {modality: seconds per step} of a folder's clips.
        missing_vectors: Makes the class vectors for a folder that has none.
        draw: Which draw of the splits, or of the clips drawn here.
        classes: Only these classes.
        seed: Seed of the clips drawn here.

    Raises:
        DataError: If a class has fewer clips, none in the split, or is one of ``known``.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f'{path} is neither a feature store nor a folder with a subfolder of clips for each new class.')
    is_store = (path / 'store.json').is_file()
    store = FeatureStore(path if is_store else _pack(path, scratch / 'support', seconds, missing_vectors))
    labels = np.array(store.class_names)[store.labels]
    has_splits = bool(store.shots())
    videos = _split(store, shots, draw) if has_splits else np.arange(len(store))
    origin = f'{path}, split {train_splits(2, draw)[1]} of {number_of(shots, "shot")},' if has_splits else str(path)
    present = set(labels[videos].tolist())
    offered = [name for name in store.class_names if name in present]
    if classes is None:  # Splits and folders have new classes only; other stores may have base classes too.
        base = set(known)
        classes = [name for name in offered if name not in base] if is_store and not has_splits else offered
    classes = list(dict.fromkeys(classes))
    _check_classes(classes, offered, known, origin)
    rng = np.random.default_rng([seed, draw])
    chosen = [_draw(videos[labels[videos] == name], shots, f"{origin} class '{name}'", rng) for name in classes]
    videos = videos[np.isin(videos, np.concatenate(chosen))]  # In the split's order, as the curriculum has it.
    wanted = set(classes)
    return SupportSet(
        store, tuple(name for name in offered if name in wanted), tuple(str(name) for name in store.video_ids[videos])
    )


def zero_vectors(names: Sequence[str], width: int) -> ClassVectors | None:
    """Return class vectors (C, width) for a model that reads none; ``None`` where its store had none."""
    return ClassVectors(np.zeros((len(names), width), np.float32)) if width else None


def _split(store: FeatureStore, shots: int, draw: int) -> np.ndarray:
    ready = store.shots()
    if shots not in ready:
        raise DataError(
            f'{store.root} has splits of {", ".join(map(str, ready))} shots, not of {shots}, and other '
            'clips may be among those that it tests on. Use one of these, or draw splits of that K with '
            'tools/dataset_converters/splits.py.'
        )
    return store.split(shots, train_splits(2, draw)[1])


def _draw(videos: np.ndarray, shots: int, origin: str, rng: np.random.Generator) -> np.ndarray:
    """Return K of the videos of a class."""
    if len(videos) < shots:
        raise DataError(
            f'{origin} has {number_of(len(videos), "clip")}; --shots asks for {shots}. Add clips, or lower --shots.'
        )
    return rng.permutation(videos)[:shots]


def _check_classes(classes: Sequence[str], offered: Sequence[str], known: Sequence[str], origin: str) -> None:
    if not classes:
        raise DataError(
            f'{origin} has only classes that are already base classes of the model. Give clips of new classes.'
        )
    there, base = set(offered), {spelling_key(name): name for name in known}
    for name in classes:
        if name not in there:
            raise DataError(
                f"{origin} has no class '{name}'.{nearest(name, offered)} It has {', '.join(offered[:8])}"
                f'{", ..." if len(offered) > 8 else "."}'
            )
        if spelling_key(name) in base:
            other = base[spelling_key(name)]
            spelled = f', spelled {other!r} (as text: {other!a} and {name!a})' if other != name else ''
            raise DataError(
                f"{origin} has the class '{name}', which is already a base class of the model{spelled}; leave it "
                'out with --classes, or rename it.'
            )


def _pack(folder: Path, out: Path, seconds: dict[str, float], missing_vectors: MakeVectors) -> Path:
    """Write the clips of a folder into a store."""
    files = {
        sub.name: sorted(file for file in sub.glob('*.npz') if not is_leftover(file.name))
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and not is_leftover(sub.name)
    }
    empty = [name for name, paths in files.items() if not paths]
    if empty or not files:
        raise DataError(
            f'{folder / empty[0] if empty else folder} has no clips: put those of a class in {folder}/CLASS NAME/*.npz.'
        )
    listed = folder / 'classes.csv'
    order = [label for label, _ in class_rows(listed)] if os.path.lexists(listed) else list(files)
    if set(order) != set(files):
        odd = sorted(set(order) ^ set(files))[0]
        raise DataError(f"{listed} and the folders beside it do not name the same classes: '{odd}' is in one only.")
    first = read_clip(files[order[0]][0])
    modalities = {m: dict(dim=x.shape[1], seconds_per_step=seconds.get(m, 1.0)) for m, x in first.items()}
    with FeatureStoreWriter(out, name=folder.name, modalities=modalities, classes=order) as writer:
        vectors = _vectors(folder, order, listed) or missing_vectors(order)
        if vectors is not None:
            writer.write_class_embeddings(vectors.kind, vectors.array, source=vectors.source)
        for name in order:
            for path in files[name]:
                writer.add(f'{name}/{path.stem}', name, read_clip(path))
        return writer.finish()


def _vectors(folder: Path, order: Sequence[str], listed: Path) -> ClassVectors | None:
    paths = [path for path in (folder / f'class_embeddings.{form}' for form in ('npz', 'npy')) if os.path.lexists(path)]
    if len(paths) > 1:
        raise DataError(f'{paths[0]} and {paths[1].name} both exist. Remove one of them.')
    if not paths:
        return None
    rows = order if os.path.lexists(listed) else None
    return read_class_vectors(paths[0], order, order=rows, origin=str(listed))
