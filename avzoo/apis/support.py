"""The support of an adaptation: a few labelled clips of new classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avzoo.apis.clips import read_clip
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.safe_pickle import load_npy
from avzoo.datasets.store_format import read_csv
from avzoo.utils.errors import DataError, nearest


@dataclass(frozen=True)
class Support:
    """Clips of new classes.

    Attributes:
        store: Where their features and class vectors lie.
        classes: The new classes, in the store's order.
        video_ids: K clips of each class.
    """

    store: FeatureStore
    classes: tuple[str, ...]
    video_ids: tuple[str, ...]


def open_support(path: str | Path, *, shots: int, known: Sequence[str], scratch: Path, seconds: dict[str, float],
                 vector_width: int | None, draw: int = 0, classes: Sequence[str] | None = None,
                 seed: int = 0) -> Support:
    """Choose K clips of each new class.

    From a feature store with K-shot splits these are its split ``stage2_novel_DRAW``; from any other, K videos drawn
    from each class that the model does not know as a base class. A folder holds one folder per class, named by the
    class, with one ``.npz`` of ``audio`` and ``visual`` per clip, and ``class_embeddings.npy`` (C, d), row i for class
    i of ``classes.csv`` or, without one, of the sorted class names.

    Args:
        path: Store or folder.
        shots: K.
        known: The model's base classes.
        scratch: Where a folder's clips are packed into a store.
        seconds: {modality: seconds per step} of a folder's clips.
        vector_width: Width of zero vectors where the folder has none; ``None`` if the model needs real ones.
        draw: Which draw of the splits, or which draw of one's own.
        classes: Only these classes.
        seed: Of one's own draws.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f'{path} is neither a feature store nor a folder with a folder of clips for each new class.')
    is_store = (path / 'store.json').is_file()
    store = FeatureStore(path if is_store else _pack(path, scratch / 'support', seconds, vector_width))
    labels = np.array(store.class_names)[store.labels]
    if shots in store.shots():
        chosen = store.split(shots, f'stage2_novel_{draw}')
        chosen = chosen[~np.isin(labels[chosen], known)]
    else:
        chosen = _draw(store, labels, shots, known, classes, np.random.default_rng([seed, draw]))
    if classes is not None:
        _check_classes(classes, store, known)
        chosen = chosen[np.isin(labels[chosen], classes)]
    found = [name for name in store.class_names if name in set(labels[chosen])]
    if not found:
        raise DataError(f'{path} has no class that the model does not know already as a base class.')
    return Support(store, tuple(found), tuple(str(name) for name in store.video_ids[chosen]))


def _draw(store: FeatureStore, labels: np.ndarray, shots: int, known: Sequence[str], wanted: Sequence[str] | None,
          rng: np.random.Generator) -> np.ndarray:
    chosen = []
    for name in store.class_names:
        if name in known or (wanted is not None and name not in wanted):
            continue
        videos = np.flatnonzero(labels == name)
        if len(videos) < shots:
            raise DataError(f"{store.root}: class '{name}' has {len(videos)} clips, --shots asks for {shots}.")
        chosen.append(np.sort(rng.permutation(videos)[:shots]))
    return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)


def _check_classes(classes: Sequence[str], store: FeatureStore, known: Sequence[str]) -> None:
    for name in classes:
        if name not in store.class_names:
            raise DataError(f"{store.root} has no class '{name}'.{nearest(name, store.class_names)}")
        if name in known:
            raise DataError(f"The model knows '{name}' as a base class already; leave it out.")


def _pack(folder: Path, out: Path, seconds: dict[str, float], vector_width: int | None) -> Path:
    """Write the clips of a folder into a store."""
    files = {sub.name: sorted(sub.glob('*.npz')) for sub in sorted(folder.iterdir()) if sub.is_dir()}
    files = {name: paths for name, paths in files.items() if paths}
    if not files:
        raise DataError(f'{folder} has no folders of clips: put those of a class in {folder}/CLASS NAME/*.npz.')
    listed = folder / 'classes.csv'
    order = [row[0] for row in read_csv(listed, ['label'])] if listed.is_file() else list(files)
    if set(order) != set(files):
        odd = sorted(set(order) ^ set(files))[0]
        raise DataError(f"{listed} and the folders beside it do not name the same classes: '{odd}' is in one only.")
    first = read_clip(files[order[0]][0])
    modalities = {m: dict(dim=x.shape[1], seconds_per_step=seconds.get(m, 1.0)) for m, x in first.items()}
    with FeatureStoreWriter(out, name=folder.name, modalities=modalities, classes=order) as writer:
        writer.write_class_embeddings('text', _vectors(folder, len(order), vector_width))
        for name in order:
            for path in files[name]:
                writer.add(f'{name}/{path.stem}', name, read_clip(path))
        return writer.finish()


def _vectors(folder: Path, count: int, vector_width: int | None) -> np.ndarray:
    path = folder / 'class_embeddings.npy'
    if path.is_file():
        return load_npy(path)
    if vector_width is None:
        raise DataError(f'{path} is missing: this model generates features from class vectors. Write an array '
                        f'({count}, width) with the vectors of the class names, from the same model of language as '
                        'those of the base classes.')
    return np.zeros((count, vector_width), np.float32)
