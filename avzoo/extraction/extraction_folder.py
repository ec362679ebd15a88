"""What a folder of extracted features records: seconds per step, and the kind of its features."""

import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import read_json

STAMP_FILE = 'extraction.json'
_LOGGER = logging.getLogger(__name__)
_Kind = TypeVar('_Kind')
_NEARLY = 0.01  # Rates such as 29.97 and 30 frames per second are alike.


@dataclass(frozen=True)
class Extraction:
    """What was extracted.

    Attributes:
        seconds: Modality -> seconds that a step covers, the median over the clips.
        features: Modality -> the kind of its features, in one line.
    """

    seconds: Mapping[str, float]
    features: Mapping[str, str]


def read_extraction(folder: str | os.PathLike[str]) -> Extraction | None:
    """Read the facts that ``tools/extract_features.py`` wrote with its features; ``None`` if it did not write them.

    Raises:
        DataError: If a file of facts is damaged.
    """
    folder = Path(folder)
    stamps = read_stamps(folder)
    if stamps is None:
        return None
    facts = [_read(path, 'seconds_per_step', _seconds) for path in sorted((folder / 'facts').rglob('*.json'))]
    found = {m: [one[m] for one in facts if m in one] for m in stamps}
    seconds = {m: _usual(folder, m, values) for m, values in found.items() if values}
    return Extraction(seconds, {m: in_one_line(stamp) for m, stamp in stamps.items() if (folder / m).is_dir()})


def read_stamps(folder: Path) -> dict[str, dict[str, Any]] | None:
    """Return what made the features of each modality; ``None`` if ``tools/extract_features.py`` did not make them.

    Raises:
        DataError: If the file is damaged.
    """
    if not (folder / STAMP_FILE).is_file():
        return None
    return _read(folder / STAMP_FILE, 'modalities', dict)


def read_facts(path: Path) -> dict[str, Any]:
    """Read the recorded facts of a folder or a clip.

    Raises:
        DataError: If the file is damaged.
    """
    try:
        facts = read_json(path)
        if not isinstance(facts, dict):
            raise ValueError('it does not hold a dict')
    except (OSError, ValueError) as error:
        raise DataError(f'{path} is damaged ({error}). Delete it and repeat the command.') from None
    return facts


def _read(path: Path, key: str, kind: Callable[[Any], _Kind]) -> dict[str, _Kind]:
    try:
        return {name: kind(value) for name, value in read_json(path)[key].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f'{path} lacks {key} or is damaged ({error}). Extract the features again.') from None


def _seconds(value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f'a step of {value!r} s')
    return float(value)


def _usual(folder: Path, modality: str, values: Iterable[float]) -> float:
    values = list(values)
    usual = median(values)
    others = sum(abs(value - usual) > _NEARLY * usual for value in values)
    if others:
        _LOGGER.warning(
            '%s: a step of %s covers %g s in most clips, but from %g to %g s in %d of %d. The store uses one number: '
            '%g s. If time matters, extract from videos with the same frame rate.',
            *(folder, modality, usual, min(values), max(values), others, len(values), usual),
        )
    return usual


def in_one_line(stamp: Mapping[str, Any]) -> str:
    """Describe an extractor in one line, as in a store; checksums are cut to 12 digits.

    Examples:
        >>> in_one_line(dict(extractor='timm:resnet50', seconds=0.64, weights='1f0c9a52' * 8))
        'timm:resnet50 seconds=0.64 weights=1f0c9a521f0c'
    """
    short = {key: re.sub(r'\b([0-9a-f]{12})[0-9a-f]{52}\b', r'\1', str(value)) for key, value in stamp.items()}
    name = short.pop('extractor', 'unnamed')
    return ' '.join([name, *(f'{key}={value}' for key, value in short.items() if key != 'dim')])


def differences(begun: Mapping[str, Any], now: Mapping[str, Any], path: str = '') -> str:
    """Describe which entries of nested dicts differ, and how; '' if none do."""
    found = []
    for key in sorted({*begun, *now}):
        old, new = begun.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [more] if (more := differences(old, new, f'{path}{key}.')) else []
        elif old != new:
            found.append(f'{path}{key} {json.dumps(old)}, now {json.dumps(new)}')
    return '; '.join(found)
