"""The numbers of docs/robustness.md, counted from the corpus."""

import re
from collections.abc import Iterator

from tests.hostile.corpus import ACCEPTED, EITHER, REFUSED
from tests.hostile.inputs import INPUTS

# Which inputs, as `reader: name`, each numbered row of the page's last table counts.
_POINTS = {
    1: ('pickle', 'python (tag|object|module|name)', 'code in', '^meta.*(foreign|dotted|scope)', 'a call$'),
    2: ('^config file: (yaml|json):',),
    3: (
        'clears? the screen',
        'escape sequence',
        'control characters',
        'NUL',
        'the bell',
        'reverses',
        'breaks the line',
        '(two|many) lines',
    ),
    4: (
        'leads? out',
        'absolute',
        'file URL',
        'local file',
        ': (ftp|data)$',
        'other modality',
        'Windows',
        'a drive',
        'a share',
    ),
    6: ('a bit flipped',),
    7: ('infinite as floats', 'whole numbers', 'complex', 'boolean weights', 'num_shots', 'overlapping rows'),
    10: ('HOME', 'no home'),
    13: (
        '[30]00 characters',
        'folder$',
        'links? to itself',
        'circle',
        'dangling',
        'below a file',
        'deep$',
        '10,000 digits',
        'RANK',
        'WORLD',
        'a port',
        'SLURM',
    ),
    14: (
        'bomb',
        'zeros',
        'that claim',
        'share their bytes',
        'pipe$',
        'device$',
        'of 8 GB',
        '200 MB',
        'billion',
        r'2\*\*[46]',
    ),
}


def reader_rows() -> Iterator[tuple[str, int, int, int, int]]:
    """Yield each reader with its number of inputs, and how many of them are to be refused, accepted, or either."""
    for reader in dict.fromkeys(one.reader for one in INPUTS):
        expected = [one.expected for one in INPUTS if one.reader == reader]
        yield reader, len(expected), *(expected.count(kind) for kind in (REFUSED, ACCEPTED, EITHER))


def point_counts() -> dict[int, int]:
    """Return how many inputs each numbered row counts."""
    names = [f'{one.reader}: {one.name}' for one in INPUTS]
    return {
        point: sum(any(re.search(pattern, name) for pattern in patterns) for name in names)
        for point, patterns in _POINTS.items()
    }


def numbers_on_page(page: str) -> tuple[list[tuple[str, int, int, int, int]], dict[int, int]]:
    """Return the rows and the counts that the page states."""
    rows = re.findall(r'^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|', page, re.M)
    counts = re.findall(r'^\| (\d+)\. [^|]+ \| (\d+)\D', page, re.M)
    return [(name, *map(int, numbers)) for name, *numbers in rows], {int(a): int(b) for a, b in counts}
