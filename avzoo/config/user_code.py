"""Where an error arose in user code, outside avzoo and installed packages: in a config or a part of your own."""

import sysconfig
import traceback
from pathlib import Path

_OTHERS = (Path(__file__).parents[1], Path(sysconfig.get_path('stdlib')))
_PACKAGES = {'site-packages', 'dist-packages'}


def place_in_user_code(error: BaseException) -> str:
    """Return `` (FILE, line N)`` of the innermost such place below where the error was caught; '' if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename[0] != '<' and not _is_of_others(Path(frame.filename))]
    return f' ({own[-1].filename}, line {own[-1].lineno})' if own else ''


def _is_of_others(path: Path) -> bool:
    return bool(_PACKAGES.intersection(path.parts)) or any(path.is_relative_to(folder) for folder in _OTHERS)
