"""Build the extractor that made given features, from its description in their store or model."""

import inspect
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from avzoo.datasets.feature_set import FeatureSet
from avzoo.extraction.build import build_extractor, kind_of, read_options
from avzoo.extraction.extraction_folder import in_one_line
from avzoo.extraction.extractor import Extractor
from avzoo.registry import EXTRACTORS
from avzoo.utils.errors import DataError


def rebuild_extractor(
    modality: str, features: str, *, options: Sequence[str] = (), device: str = 'cpu', owner: str = 'the model'
) -> Extractor:
    """Build the extractor that made some features, and refuse one that would give different features.

    Args:
        modality: ``audio`` or ``visual``.
        features: A store's description of the features, as written by :func:`in_one_line`.
        options: ``KEY=VALUE`` options of the extractor; ``weights=FILE`` if its weights are not found otherwise.
        device: Device to compute on.
        owner: Whose features they are, for messages.

    Raises:
        DataError: If avzoo has no such extractor, or its features would differ here.
    """
    spec, *settings = features.split(' ')
    name = spec.partition(':')[0]
    if name not in EXTRACTORS.names():
        raise DataError(
            f'{owner} needs {modality} features {features!r}, which no avzoo extractor makes '
            f'({", ".join(EXTRACTORS.names())}). Extract features like its training features, and give --features.'
        )
    takes = inspect.signature(kind_of(name)).parameters
    # Checksums of weights serve the comparison below; they do not say where the weights are.
    known = [text for text in settings if text.partition('=')[0] in takes and not text.startswith('weights=')]
    extractor = build_extractor(spec, modality, read_options(spec, [*known, *options]), device)
    found = in_one_line(extractor.stamp())
    if found != features:
        raise DataError(
            f'{owner} needs {modality} features {features!r}; here they would be {found!r}. Give the same weights with '
            f'--{modality}-option weights=FILE, or use the package versions that it was trained with.'
        )
    return extractor


def rebuild_extractors(
    features: FeatureSet,
    modalities: Sequence[str],
    *,
    options: Mapping[str, Sequence[str]] = MappingProxyType({}),
    device: str = 'cpu',
    otherwise: str = '',
) -> dict[str, Extractor]:
    """Build the extractors of a feature set, see :func:`rebuild_extractor`.

    Args:
        features: A store's or model's description of its features.
        modalities: Which of its modalities.
        options: ``KEY=VALUE`` options of the extractors, by modality.
        device: Device to compute on.
        otherwise: The cure, for the error, if a set does not say what its features are.

    Raises:
        DataError: If it does not say so, or the features would differ here.
    """
    silent = [m for m in modalities if m not in features.texts]
    if silent:
        raise DataError(
            f'{features.owner} does not say what its {silent[0]} features are, so they cannot be made from videos. '
            f'{otherwise}'
        )
    return {
        m: rebuild_extractor(m, features.texts[m], options=options.get(m, ()), device=device, owner=features.owner)
        for m in modalities
    }


def rebuild_from_stamp(modality: str, stamp: Mapping[str, Any], device: str = 'cpu') -> Extractor:
    """Build the extractor of a stamp, see :meth:`Extractor.stamp`."""
    return rebuild_extractor(modality, in_one_line(stamp), device=device, owner='the classifier')
