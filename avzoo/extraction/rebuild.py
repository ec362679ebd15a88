"""Build the extractor that made given features, from what their store or their model says of them."""

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
    """Build the extractor of some features, and refuse one that would give others.

    Args:
        modality: ``audio`` or ``visual``.
        features: What a store says of the features, as :func:`in_one_line` writes it.
        options: ``KEY=VALUE`` of the extractor; ``weights=FILE`` where its weights are not found otherwise.
        device: Where it computes.
        owner: Whose features they are, for messages.

    Raises:
        DataError: If the words name no extractor of avzoo, or its features are other ones here.
    """
    spec, *settings = features.split(' ')
    name = spec.partition(':')[0]
    if name not in EXTRACTORS.names():
        raise DataError(
            f'{owner} takes {modality} features {features!r}, which no extractor of avzoo makes '
            f'({", ".join(EXTRACTORS.names())}). Extract them as its training features were, and give --features.'
        )
    takes = inspect.signature(kind_of(name)).parameters
    # Checksums of weights are for the comparison below; where the weights are, they do not say.
    known = [text for text in settings if text.partition('=')[0] in takes and not text.startswith('weights=')]
    extractor = build_extractor(spec, modality, read_options(spec, [*known, *options]), device)
    found = in_one_line(extractor.stamp())
    if found != features:
        raise DataError(
            f'{owner} takes {modality} features {features!r}; here they would be {found!r}. Give the same weights by '
            f'--{modality}-option weights=FILE, or take the versions of the packages that it was trained with.'
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
        features: What a store or a model says of its features.
        modalities: Which of them.
        options: ``KEY=VALUE`` of the extractors, by modality.
        device: Where they compute.
        otherwise: What to do with a set that does not say what its features are.

    Raises:
        DataError: If it does not, or the features are other ones here.
    """
    silent = [m for m in modalities if m not in features.texts]
    if silent:
        raise DataError(
            f'{features.owner} does not say what its {silent[0]} features are, so videos cannot be made into such. '
            f'{otherwise}'
        )
    return {
        m: rebuild_extractor(m, features.texts[m], options=options.get(m, ()), device=device, owner=features.owner)
        for m in modalities
    }


def rebuild_from_stamp(modality: str, stamp: Mapping[str, Any], device: str = 'cpu') -> Extractor:
    """Build the extractor of a stamp, see :meth:`Extractor.stamp`."""
    return rebuild_extractor(modality, in_one_line(stamp), device=device, owner='the classifier')
