"""Errors that a user can fix: what is wrong, where, and how to fix it."""

import difflib
import re
from collections.abc import Iterable, Sequence

_OF_A_WORKER = re.compile(
    r'Caught \w+ in DataLoader worker process \d+\.\nOriginal Traceback .*\n[\w.]+: (.*)', re.DOTALL
)


class AvzooError(Exception):
    """Bad input or state. The message says what is wrong, where, and how to fix it.

    Args:
        message: One line.
        details: Lines to show below it, e.g. one for each file.
    """

    def __init__(self, message: object = '', *, details: Sequence[str] = ()) -> None:
        # A loader passes on a worker's error as text with the worker's traceback.
        found = _OF_A_WORKER.match(str(message))
        if found:
            message, *details = found[1].rstrip().split('\n  ')
        self.lines = (str(message), *details)
        super().__init__('\n  '.join(self.lines))


class DataError(AvzooError):
    """A feature store, a list or a raw feature file is missing or malformed."""


class InputError(DataError, ValueError):
    """Features or labels passed in Python do not fit; scikit-learn expects a ``ValueError``."""


class ConfigError(AvzooError):
    """A config holds an unknown key, a wrong value, or contradicts the data."""


class CheckpointError(AvzooError):
    """A checkpoint is missing, damaged, not written by avzoo, or for another architecture."""


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message, shortened: further lines are advice for programmers.

    Without a message, it is the name of the error's class.
    """
    text = str(error).strip() or type(error).__name__
    return shortened(text.partition('\n')[0])


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the hint `` Did you mean 'x'?`` for the choice most similar to ``word``, or an empty string."""
    found = most_similar(word, choices)
    return '' if found is None else f" Did you mean '{found}'?"


def most_similar(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice most similar to ``word``, or ``None`` if none resembles it."""
    names = {str(choice).lstrip('-'): str(choice) for choice in choices}  # The dashes of options are alike.
    found = difflib.get_close_matches(str(word).lstrip('-'), names, n=1)
    return names[found[0]] if found else None


def shortened(message: object) -> str:
    """Return a message without its middle if it is long, as it may quote a value of any length."""
    text = str(message)
    return text if len(text) < 400 else f'{text[:200]} ... {text[-100:]}'
