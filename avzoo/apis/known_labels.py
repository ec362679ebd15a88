"""Known labels of clips, compared with a model's predictions."""

import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from avzoo.apis.answer_text import clip_name
from avzoo.datasets.store_format import read_csv
from avzoo.extraction.clip_tables import CLIPS_FILE
from avzoo.extraction.extraction_folder import STAMP_FILE
from avzoo.utils.counts import number_of
from avzoo.utils.errors import shortened
from avzoo.utils.printable import printable

_SHOWN = 10


class Agreement(NamedTuple):
    """How the best classes of clips agree with their labels.

    Attributes:
        known: Answers for clips whose label is a class of the model.
        wrong: Those of them whose best class is not their label.
        foreign: Answers for clips whose label is not a class of the model.
    """

    known: list[Mapping[str, Any]]
    wrong: list[Mapping[str, Any]]
    foreign: list[Mapping[str, Any]]

    @property
    def right(self) -> int:
        """Number of clips whose best class is their label."""
        return len(self.known) - len(self.wrong)

    def interval(self) -> tuple[float, float]:
        """Return the 95% Wilson interval of the share that is right, 0 to 1; ``known`` must not be empty."""
        from scipy.stats import binomtest  # Only here: it takes half a second.

        low, high = binomtest(self.right, len(self.known)).proportion_ci(method='wilson')
        return float(low), float(high)


def agreement(answers: Iterable[Mapping[str, Any]], classes: Iterable[Any]) -> Agreement:
    """Compare answers with their labels; answers without a label are left out.

    Args:
        answers: Each with ``predictions``, best first, and ``label``, text.
        classes: Classes of the model; they are compared as text.
    """
    names = set(map(_text, classes))
    labelled = [one for one in answers if one.get('label')]
    known = [one for one in labelled if _text(one['label']) in names]
    wrong = [one for one in known if _text(one['label']) != _text(one['predictions'][0]['class'])]
    return Agreement(known, wrong, [one for one in labelled if _text(one['label']) not in names])


def _text(name: Any) -> str:
    return unicodedata.normalize('NFC', str(name))  # File systems and tables may store accents separately.


def agreement_lines(found: Agreement) -> list[str]:
    """Return lines with the share of correct clips in per cent, and the wrong ones; none if no label is known."""
    lines = []
    if found.known:
        low, high = (100 * bound for bound in found.interval())
        count = number_of(len(found.known), 'labelled clip')
        share = 100 * found.right / len(found.known)
        lines.append(f'{found.right} of {count} right: {share:.1f} % (95% interval {low:.1f} to {high:.1f}).')
    for one in found.wrong[:_SHOWN]:
        answer = one['predictions'][0]['class']
        lines.append(f'  {clip_name(one)}: label {printable(one["label"])}, answer {printable(answer)}')
    if len(found.wrong) > _SHOWN:
        lines.append(f'  and {len(found.wrong) - _SHOWN} more')
    if found.foreign:
        names = ', '.join(dict.fromkeys(printable(one['label']) for one in found.foreign))
        count = number_of(len(found.foreign), 'clip has a label', 'clips have labels')
        lines.append(f'{count} that the model does not know: {shortened(names)}.')
    return lines


def labels_of(features: str | os.PathLike[str]) -> dict[str, str]:
    """Return the labels of clips by their ids, as ``tools/extract_features.py`` wrote them with the features."""
    folder = Path(features)
    if not (folder / STAMP_FILE).is_file() or not (folder / CLIPS_FILE).is_file():
        return {}
    return {video: label for video, label in read_csv(folder / CLIPS_FILE, ['video', 'label']) if label}


def with_labels(answers: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return answers with the label of each clip, ``None`` if unknown; unchanged if no label is known."""
    found = [dict(one) for one in answers]
    if any(one['video_id'] in labels for one in found):
        return [dict(video_id=one['video_id'], label=labels.get(one['video_id'])) | one for one in found]
    return found
