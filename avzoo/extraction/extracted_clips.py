"""Labelled clips from a folder of extracted features."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.datasets.store_format import read_csv
from avzoo.extraction.clip_tables import CLIPS_FILE
from avzoo.extraction.extraction_folder import read_stamps
from avzoo.extraction.extractor import plain_name
from avzoo.importers.array_features import ArrayFeatures
from avzoo.utils.errors import DataError


@dataclass(frozen=True)
class ExtractedClips:
    """Labelled clips with extracted features, or with the user's own.

    Attributes:
        features: {modality: a sequence (T, D) for each clip}.
        labels: The class of each clip.
        stamps: What made the features, by modality; empty if unknown.
        videos: The name of each clip.
        groups: The group of each clip, by default its file, or ''; see :class:`Clip`.
    """

    features: dict[str, list[np.ndarray]]
    labels: list[str]
    stamps: dict[str, dict[str, Any]]
    videos: list[str]
    groups: list[str]

    @property
    def by_clip(self) -> list[dict[str, np.ndarray]]:
        """The features of each clip by modality, a list that scikit-learn can split."""
        return [dict(zip(self.features, steps, strict=True)) for steps in zip(*self.features.values(), strict=True)]


def extracted_clips(
    folder: str | os.PathLike[str], extractor: Mapping[str, str] | None = None
) -> ExtractedClips | None:
    """Read the features that ``tools/extract_features.py`` wrote; ``None`` for another folder.

    Args:
        folder: The folder.
        extractor: Spec of the extractor of each requested modality; by default all modalities are read.

    Raises:
        DataError: If the folder is damaged, its clips have no labels, or an extractor is not the one that was used.
    """
    folder = Path(folder)
    stamps = read_stamps(folder)
    if stamps is None:
        return None
    if not (folder / CLIPS_FILE).is_file():
        raise DataError(
            f'{folder} has no table {CLIPS_FILE}. To write it, run tools/extract_features.py once on all clips without '
            '--shard.'
        )
    # Older folders have no groups; parts of one file form one.
    rows = read_csv(folder / CLIPS_FILE, ['video', 'label'], optional=['group', 'filename'])
    unlabelled = [video for video, label, *_ in rows if not label]
    if unlabelled:
        raise DataError(
            f'{folder}: clip {unlabelled[0]!r} has no label. Extract from a folder with one subfolder per class, or '
            'from a table with a column label.'
        )
    if extractor is not None:
        stamps = {m: _stamp_of(folder, m, spec, stamps) for m, spec in extractor.items()}
    arrays = ArrayFeatures(folder)
    clips = [arrays.read(video) for video, *_ in rows]
    lacking = ((row[0], m) for row, clip in zip(rows, clips, strict=True) for m in stamps if m not in clip)
    if one := next(lacking, None):
        raise DataError(f'{folder}: clip {one[0]!r} in {CLIPS_FILE} has no {one[1]} features. Extract the clips again.')
    features = {m: [clip[m] for clip in clips] for m in stamps}
    videos, labels = ([row[place] for row in rows] for place in range(2))
    groups = [group or file for *_, group, file in rows]
    return ExtractedClips(features, labels, stamps, videos, groups)


def _stamp_of(folder: Path, modality: str, spec: str, stamps: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the stamp of a modality's features, and refuse them if another extractor made them."""
    made_by = stamps.get(modality, {}).get('extractor')
    kind, colon, name = spec.partition(':')
    if made_by not in (spec, f'{kind}{colon}{plain_name(name)}'):
        found = f'has {modality} features from {made_by}, not {spec}' if made_by else f'has no {modality} features'
        raise DataError(
            f'{folder} {found}. Choose what it has (none leaves a modality out), or extract the videos again.'
        )
    return stamps[modality]
