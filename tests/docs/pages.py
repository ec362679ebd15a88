"""The pages of the repository, and the blocks of code in them."""

import re
import shlex
from collections.abc import Iterator

from tests.conftest import REPO

PAGES = sorted([*REPO.glob('*.md'), *REPO.glob('docs/*.md'), *REPO.glob('configs/*/README.md')])


def blocks(language: str) -> Iterator[tuple[str, str, str]]:
    """Yield the path of a page, what its comment before a block says, and the block."""
    found = re.compile(rf'(?:<!-- ([^\n]*) -->\n)?^```{language}\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    for page in PAGES:
        for mark, text in found.findall(page.read_text(encoding='utf-8')):
            yield page.relative_to(REPO).as_posix(), mark, text


def commands() -> dict[tuple[str, ...], str]:
    """Return the words of each command of a page's shell blocks, and the page."""
    found = {}
    for page, _, text in blocks('bash'):
        for line in text.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index('&&') if '&&' in words else len(words)
                found[tuple(words[:end])] = page
                words = words[end + 1 :]
    return found
