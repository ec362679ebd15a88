"""Random changes of valid files, for hypothesis."""

import io
import json
import os
import re
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from avzoo.utils.errors import AvzooError
from avzoo.utils.printable import printable
from tests.hostile.verdict import problems_of_text

# A long search: AVZOO_FUZZ_EXAMPLES=100000 python -m pytest tests/hostile/test_fuzz_*.py. With AVZOO_FUZZ_LOG=FILE it
# does not stop at an error.
_MANY = int(os.environ.get('AVZOO_FUZZ_EXAMPLES', '0'))
_LOG = os.environ.get('AVZOO_FUZZ_LOG', '')
_noted: set[str] = set()
_ODD_BYTES = st.sampled_from(
    [b'', b'\0', b'\xff', b'\0' * 8, b'\xff' * 8, b'\x7f\xff\xff\xff', b'PK\x03\x04', b'PK\x05\x06']
)
_ODD_TEXT = st.sampled_from(
    ['', ' ', '\0', '\x1b[2J', 'a\nb', '..', '../x', '/etc/x', 'x' * 300, '\u202e', '9' * 5000, 'nan', '-1', '1e400']
)
_NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 1, 2**31, 2**62, 2**63, 2**80, 1e39, 1e300, 10**400])
)
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(max_size=8), _ODD_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


def bounded(examples: int) -> Callable:
    """Return hypothesis's settings: so many examples, always the same ones; or as many as the environment says."""
    return settings(
        max_examples=_MANY or examples,
        derandomize=not _MANY,
        database=None,
        deadline=10_000,  # Milliseconds, as for the corpus.
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def changed_bytes(draw: Any, data: bytes) -> bytes:
    """Draw one to four changes of bytes: overwritten, cut out, inserted or repeated."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 1, 1, 2, 4, 8, 64, 1 << 20]))
        kind = draw(st.sampled_from(['bit', 'bytes', 'insert', 'cut', 'repeat']))
        middle = data[start : start + length]
        if kind == 'bit' and start < len(data):
            middle, length = bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]), 1
        elif kind == 'bytes':
            middle = draw(st.one_of(st.binary(max_size=length), _ODD_BYTES))
        elif kind == 'insert':
            middle = draw(st.one_of(st.binary(max_size=16), _ODD_BYTES)) + middle
        elif kind == 'cut':
            middle = b''
        elif kind == 'repeat':
            middle = middle * draw(st.integers(2, 5))
        data = data[:start] + middle + data[start + length :]
    return data


@st.composite
def changed_member(draw: Any, data: bytes) -> bytes:
    """Draw a change inside of one member of a zip, which is whole again afterwards."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    members[name] = draw(changed_bytes(members[name]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as target:
        for key, content in members.items():
            target.writestr(key, content)
    return buffer.getvalue()


@st.composite
def changed_tree(draw: Any, tree: Any) -> Any:
    """Draw a change of nested dicts and lists: one entry replaced, removed, or added."""
    if isinstance(tree, dict) and tree and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(tree, key=str)))
        rest = {name: value for name, value in tree.items() if name != key}
        kind = draw(st.integers(0, 9))
        if kind == 0:
            return rest
        if kind == 1:
            return {**tree, draw(st.one_of(st.text(max_size=6), _ODD_TEXT)): draw(PLAIN)}
        return {**tree, key: draw(changed_tree(tree[key]))}
    if isinstance(tree, list) and tree and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(tree) - 1))
        return [*tree[:place], draw(changed_tree(tree[place])), *tree[place + 1 :]]
    return draw(PLAIN)


def as_json(value: Any) -> str:
    """Return JSON of any plain value."""
    return json.dumps(value)


def refused_in_one_line(read: Callable[[], Any]) -> Any:
    """Return what a reader returns, or ``None`` where it refuses with a clear line.

    All other errors are passed on; in a long search with a log, the first of each kind is noted there instead.
    """
    try:
        return read()
    except AvzooError as error:
        assert re.search(r'\w', str(error)), 'an empty error'
        shown = printable(error, lines=True).replace('\n', '\n  ')  # As a tool shows it.
        assert not problems_of_text('', f'error: {shown}\n', refused=True), shown
    except Exception as error:
        if not _LOG:
            raise
        place = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in place if '/avzoo/' in frame.filename][-1:] or place[-1:]
        kind = f'{type(error).__name__} at {own[0].filename.rpartition("/avzoo/")[2]}:{own[0].lineno}'
        if kind not in _noted:
            _noted.add(kind)
            with open(_LOG, 'a') as file:
                file.write(f'{kind}: {str(error)[:200]!r}\n')
    return None


def rewrite(path: Path, content: bytes | str) -> Path:
    """Write a file and return its path."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding='utf-8', errors='surrogatepass')
    return path
