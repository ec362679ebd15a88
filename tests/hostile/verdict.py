"""What is wrong with the text that a tool printed."""

import re

_LONGEST_LINE = 2000
# Control characters but the line break and the tab, and those that reverse the text.
_UNPRINTABLE = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')


def problems_of_text(out: str, err: str, *, refused: bool) -> list[str]:
    """Return what is wrong with standard output and standard error of a tool."""
    odd = _UNPRINTABLE.search(out + err)
    found = [f'printed {odd[0]!r}' if odd else '', _not_one_line(err) if refused else '']
    return [problem for problem in found if problem]


def _is_progress(line: str) -> bool:
    return line.startswith('warning:') or '━' in line or (line.endswith(' ...') and not line.startswith('error:'))


def _not_one_line(err: str) -> str:
    """Say what keeps the errors of a refusal from being one clear line; that of argparse follows its usage.

    Warnings, a progress bar, and lines that say what is being done (they end in three dots) are not errors.
    """
    lines = [line for line in err.split('\n') if line and not _is_progress(line)]
    if lines and lines[0].startswith('usage:'):
        lines = lines[-1:] if ': error: ' in lines[-1] else lines
    # The addresses that were tried follow, or the clips that are bad.
    if lines and lines[0].endswith(('could not be downloaded:', 'can be used:', 'lists all of them:')):
        lines = [lines[0], *(line for line in lines[1:-1] if not line.startswith('  '))]
    if len(lines) != 1:
        return f'{len(lines)} lines of errors'
    return f'a line of {len(lines[0])} characters' if len(lines[0]) > _LONGEST_LINE else ''
