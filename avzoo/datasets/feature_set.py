"""Descriptions of features in stores and checkpoints, and whether two of them agree."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from avzoo.utils.errors import DataError
from avzoo.utils.spelling import spelling_key

_SHOWN = 200  # Characters of a text in a message.


@dataclass(frozen=True)
class FeatureSet:
    """What the features of a store are, or which features a model was trained on.

    Attributes:
        owner: The store or the checkpoint, for messages.
        texts: {modality: what its features are}; it may cover only some modalities, or none.
    """

    owner: str
    texts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = (f'{name}: {text[:_SHOWN]}{"..." * (len(text) > _SHOWN)}' for name, text in self.texts.items())
        return ', '.join(shown) or 'nothing'


def compare_feature_sets(first: FeatureSet, second: FeatureSet, modalities: Collection[str]) -> str:
    """Refuse two different sets; return a doubt where only one of them has a description, else an empty text.

    Case, blanks and underscores make no difference.

    Args:
        first: A set.
        second: Another.
        modalities: Those that are used.

    Raises:
        DataError: The features of a modality differ.
    """
    one, other = ({m: of.texts[m] for m in modalities if m in of.texts} for of in (first, second))
    texts = f'{first.owner}: {FeatureSet("", one)}; {second.owner}: {FeatureSet("", other)}'
    odd = [m for m in one.keys() & other.keys() if spelling_key(one[m]) != spelling_key(other[m])]
    if odd:
        raise DataError(
            f'The {min(odd)} features differ, even if their widths are equal. {texts}. Extract both '
            'with the same networks; if they are the same, use the same words for both (`features` in store.json).'
        )
    return f'It is not known whether the features are the same: {texts}.' if one.keys() != other.keys() else ''
