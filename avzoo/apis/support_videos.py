"""Videos of new classes as a support set: features for the base model, and class vectors of the names."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avzoo.apis.video_clips import read_video
from avzoo.datasets.feature_set import FeatureSet
from avzoo.datasets.feature_store import FeatureStore
from avzoo.extraction.clips import find_clips, is_table
from avzoo.extraction.extracted_clips import ExtractedClips, extracted_clips
from avzoo.extraction.extraction_folder import in_one_line
from avzoo.extraction.rebuild import rebuild_extractors
from avzoo.importers.class_vector_file import make_class_vectors, write_class_vectors
from avzoo.importers.class_vectors import ClassVectors, read_class_vectors
from avzoo.importers.video_ids import MEDIA_SUFFIXES
from avzoo.utils.bad_items import list_items
from avzoo.utils.counts import number_of
from avzoo.utils.errors import AvzooError, DataError
from avzoo.utils.leftovers import is_leftover
from avzoo.utils.paths import stays_inside
from avzoo.utils.printable import quoted
from avzoo.utils.progress import counted, progress_of

_VECTORS = ('class_embeddings.npz', 'class_embeddings.npy', 'classes.csv')


@dataclass(frozen=True)
class SupportClips:
    """A support set that adapting can read.

    Attributes:
        folder: A feature store, or a folder with one subfolder of ``.npz`` clips per class.
        features: Kind of its features, by modality; empty if unknown.
    """

    folder: Path
    features: Mapping[str, str]


def prepare_support(
    support: Path,
    *,
    model: FeatureSet,
    modalities: Sequence[str],
    scratch: Path,
    device: str,
) -> SupportClips:
    """Turn a folder or table of videos, or a folder of features extracted from them, into clips that fit a base model.

    Args:
        support: Any support set; one with neither videos nor extracted features is returned unchanged.
        model: Kind of the base model's features.
        modalities: The modalities that it uses.
        scratch: Folder to write to.
        device: Device for the extractors.

    Raises:
        DataError: If videos cannot be read (all of them are listed), or the features are not the model's.
    """
    of_table = is_table(support)
    if (support / 'store.json').is_file() or not (of_table or support.is_dir()):
        return SupportClips(support, {})
    extracted = extracted_clips(support)
    if extracted is None and not (of_table or _has_videos(support)):
        return SupportClips(support, {})
    out = scratch / 'support_clips'
    if extracted is None:
        texts = _from_videos(support, out, model, modalities, device)
    else:
        texts = _from_extraction(extracted, out, modalities)
    beside = support.parent if of_table else support
    for name in _VECTORS:
        if (beside / name).is_file():
            shutil.copyfile(beside / name, out / name)
    return SupportClips(out, texts)


def _has_videos(folder: Path) -> bool:
    return any(path.suffix.lower() in MEDIA_SUFFIXES for path in folder.glob('*/*'))


def _from_videos(
    support: Path, out: Path, model: FeatureSet, modalities: Sequence[str], device: str
) -> Mapping[str, str]:
    otherwise = 'Extract features like its training features, and put them in FOLDER/CLASS NAME/*.npz.'
    extractors = rebuild_extractors(model, modalities, device=device, otherwise=otherwise)
    bad, parts = {}, find_clips(support)
    with progress_of('videos') as report:
        for part in counted(parts, report):
            if not part.label:
                bad[part.id] = 'it has no label, or is not in the folder of a class'
                continue
            try:
                (clip,) = read_video(part, extractors)
                _write_clip(out, part.label, part.id, clip.features)
            except DataError as error:
                bad[part.id] = str(error)
    if bad:
        raise DataError(
            f'{support}: {number_of(len(bad), "video")} cannot be used. Leave out:', details=list_items(bad)
        )
    return {m: model.texts[m] for m in modalities}


def _from_extraction(extracted: ExtractedClips, out: Path, modalities: Sequence[str]) -> Mapping[str, str]:
    lacking = [m for m in modalities if m not in extracted.features]
    if lacking:
        raise DataError(f'the extracted features lack the {lacking[0]} modality, which the model uses. Extract it too.')
    for number, label in enumerate(extracted.labels):
        _write_clip(out, label, f'{number:06}', {m: extracted.features[m][number] for m in modalities})
    return {m: in_one_line(extracted.stamps[m]) for m in modalities}


def _write_clip(out: Path, label: str, name: str, features: Mapping[str, np.ndarray]) -> None:
    # Hidden ones are not read.
    if '/' in label or not stays_inside(label) or is_leftover(label):
        raise DataError(f'class {quoted(label)} cannot be a folder name. Rename it.')
    if is_leftover(name):
        raise DataError(f'clip {quoted(name)} has the name of a hidden file. Rename it.')
    (out / label).mkdir(parents=True, exist_ok=True)
    np.savez(out / label / f'{name}.npz', **features)  # type: ignore[arg-type]  # A name might be that of an option.


def vectors_of_names(
    names: Sequence[str], *, store: FeatureStore, embedding: str | None, scratch: Path
) -> ClassVectors:
    """Make class vectors for a support set that has none, from its class names, as for the base store.

    Args:
        names: The classes.
        store: The base store, which says how its class vectors were made.
        embedding: Name of the class vectors that the model uses; the store's first by default.
        scratch: Folder to write to.

    Raises:
        DataError: If the store does not say so, or the vectors cannot be made that way here.
    """
    kind = store.embedding_name(embedding)
    cure = 'Make class_embeddings.npz for the support with tools/class_vectors.py and the --text of the base classes.'
    try:
        told = json.loads(store.embedding_source(kind))
        source, options = str(told['source']), dict(told['options'])
    except (ValueError, KeyError, TypeError):
        raise DataError(
            'This model generates features from class vectors. The support has none, and the base store '
            f'{store.root} does not say how its own ({kind!r}) were made. {cure}'
        ) from None
    try:
        made = make_class_vectors(
            {name: name for name in names},
            source,
            template=options.get('template'),
            unit_length=bool(options.get('unit_length')),
        )
    except AvzooError as error:
        raise DataError(f'The class vectors {kind!r} of {store.root} are from {source}: {error} {cure}') from error
    if made.provenance['kind'] != kind:
        raise DataError(
            f'{source} gives class vectors {made.provenance["kind"]!r} here, but those of {store.root} are {kind!r}: '
            f'its weights differ. {cure}'
        )
    return read_class_vectors(write_class_vectors(scratch / 'class_embeddings.npz', made), names)
