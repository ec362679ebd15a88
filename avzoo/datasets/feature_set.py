"""What features are, in the words of a store or a checkpoint, and whether two of them mean the same."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from avzoo.utils.errors import DataError
from avzoo.utils.spelling import spelling_key

_SHOWN = 200  # Characters of a text in a message.


@dataclass(frozen=True)
class FeatureSet:
    """What the features of a store are, or those that a model was trained on.

    Attributes:
        owner: The store or the checkpoint, for messages.
        texts: {modality: what its features are}; it may name some modalities only, or none.
    """

    owner: str
    texts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = (f'{name}: {text[:_SHOWN]}{"..." * (len(text) > _SHOWN)}' for name, text in self.texts.items())
        return ', '.join(shown) or 'nothing'


def compare_feature_sets(first: FeatureSet, second: FeatureSet, modalities: Collection[str]) -> str:
    """Refuse two different sets; where only one of them says something, return a doubt, else an empty text.

    Case, blanks and underscores make no difference.

    Args:
        first: A set.
        second: Another.
        modalities: Those that are used.

    Raises:
        DataError: The features of a modality are different ones in both.
    """
    one, other = ({m: of.texts[m] for m in modalities if m in of.texts} for of in (first, second))
    texts = f'{first.owner}: {FeatureSet("", one)}; {second.owner}: {FeatureSet("", other)}'
    odd = [m for m in one.keys() & other.keys() if spelling_key(one[m]) != spelling_key(other[m])]
    if odd:
        raise DataError(
            f'The {min(odd)} features are different ones, though they may be equally wide. {texts}. Extract features '
            'with the same networks; if they are the same, say so in the same words (`features` in store.json).'
        )
    return f'It is not known whether features are the same. {texts}.' if one.keys() != other.keys() else ''
