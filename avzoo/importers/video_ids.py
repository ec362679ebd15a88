"""Find the video that another id means, if suffix, folder or the notation of the clip's times differ."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

_VIDEO = (
    *('.mp4', '.webm', '.mkv', '.avi', '.mov', '.qt', '.m4v', '.mpg', '.mpeg', '.m2v', '.vob', '.flv', '.f4v', '.wmv'),
    *('.asf', '.ts', '.mts', '.m2ts', '.3gp', '.3g2', '.ogv', '.mxf', '.dv', '.nut', '.rm', '.rmvb', '.gif'),
)
_SOUND = ('.wav', '.mp3', '.flac', '.ogg', '.oga', '.opus', '.m4a', '.aac', '.aif', '.aiff', '.wma')
MEDIA_SUFFIXES = frozenset(_VIDEO + _SOUND)
_SUFFIXES = MEDIA_SUFFIXES | {'.npy', '.npz', '.pt', '.pkl'}
_TIMES = re.compile(r'((?:_\d+(?:\.\d+)?){1,2})$')
_Key = tuple[str, tuple[float, ...]]


def match_ids(wanted: Iterable[str], known: Iterable[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Match ids by their stem: without folders and suffix, and with equal times where both have them.

    ``x/abc_000030_000040.mp4`` means ``abc_30``, ``abc_30_40`` or ``abc``, whichever is known.

    Args:
        wanted: The ids to look up.
        known: The ids that there are.

    Returns:
        Wanted id -> the only known id that it can mean; wanted id -> several known ids, or others that match it.
    """
    bases: dict[str, list[_Key]] = defaultdict(list)
    exact = set()
    for name in known:
        exact.add(name)
        for base, times in _keys(name):
            bases[base].append((name, times))
    found: dict[str, str] = {}
    unclear: dict[str, list[str]] = {}
    users: dict[str, list[str]] = defaultdict(list)
    for name in wanted:
        options = [name] if name in exact else _options(name, bases)
        if len(options) == 1:
            found[name] = options[0]
            users[options[0]].append(name)
        elif options:
            unclear[name] = options
    for names in users.values():
        if len(names) > 1:
            unclear |= {name: [other for other in names if other != name] for name in names}
    return {name: option for name, option in found.items() if name not in unclear}, unclear


def _options(name: str, bases: dict[str, list[_Key]]) -> list[str]:
    """Return the known ids of the same stem, those of the same times if there are any."""
    for base, times in _keys(name):
        known = bases.get(base, [])
        fitting = {other for other, theirs in known if times == theirs} or {
            other for other, theirs in known if _agree(times, theirs)
        }
        if fitting:
            return sorted(fitting)
    return []


def _agree(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))


def _keys(name: str) -> list[_Key]:
    """Return the ways to read an id: as a whole, and as a name followed by one or two times."""
    path = PurePosixPath(unicodedata.normalize('NFC', name))  # File systems may write accents apart.
    stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    keys: list[_Key] = [(stem, ())]
    if times := _TIMES.search(stem):
        keys.append((stem[: times.start()], tuple(map(float, times[1].split('_')[1:]))))
    return keys
