"""What is wrong with the text that a tool printed."""

import re

_LONGEST_LINE = 2000
# Control characters but the line break and the tab, those that reverse the text or break lines elsewhere, and those
# that cannot be seen: of no width, tags, fillers.
_UNPRINTABLE = re.compile(
    '[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f'
    '\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]'
)
# A line of `list_items`, as `print_error` shows it.
_ITEM = re.compile(r"""  (['"]).+?\1: \S|  and \d+ more$""")
_LOGGED = ': rows are taken in the order of '


def problems_of_text(out: str, err: str, *, refused: bool) -> list[str]:
    """Return what is wrong with standard output and standard error of a tool."""
    odd = _UNPRINTABLE.search(out + err)
    found = [f'printed {odd[0]!r}' if odd else '', _not_one_line(err) if refused else '']
    return [problem for problem in found if problem]


def _is_progress(line: str) -> bool:
    if line.startswith('error:'):
        return False
    return line.startswith('warning:') or '━' in line or line.endswith(' ...') or _LOGGED in line


def _not_one_line(err: str) -> str:
    """Say what keeps the errors of a refusal from being one clear line; that of argparse follows its usage.

    Warnings, a progress bar, lines that say what is being done (they end in three dots), and those of the log are not
    errors.
    """
    lines = [line for line in err.split('\n') if line and not _is_progress(line)]
    if lines and lines[0].startswith('usage:'):
        lines = lines[-1:] if ': error: ' in lines[-1] else lines
    # The addresses that were tried follow, or the clips that are bad.
    if lines and lines[0].endswith(('could not be downloaded:', 'can be used:', 'lists all of them:')):
        lines = [lines[0], *(line for line in lines[1:-1] if not line.startswith('  '))]
    if lines and lines[0].startswith('error: '):  # The items that are bad follow, each with its reason.
        lines = [lines[0], *(line for line in lines[1:] if len(line) > _LONGEST_LINE or not _ITEM.match(line))]
    if len(lines) != 1:
        return f'{len(lines)} lines of errors'
    return f'a line of {len(lines[0])} characters' if len(lines[0]) > _LONGEST_LINE else ''
