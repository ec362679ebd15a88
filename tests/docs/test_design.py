"""docs/design.md draws the package as it is."""

import re
from functools import cache
from pathlib import Path

import avzoo
from tests.test_layers import LAYERS


def test_the_layers_are_listed_in_their_order(repo_dir):
    page = (repo_dir / 'docs/design.md').read_text(encoding='utf-8')
    table = page.partition('## Layers')[2].partition('\n## ')[0]
    assert re.findall(r'^\| `([\w/]+)` \|', table, re.MULTILINE) == [*LAYERS, 'tools/']


def test_what_it_says_that_a_user_calls_can_be_imported_from_avzoo(repo_dir):
    page = (repo_dir / 'docs/design.md').read_text(encoding='utf-8')
    named = re.search(r'^\| `apis` \| (.*) \| what a user calls \|$', page, re.MULTILINE)[1]
    assert set(re.findall(r'`(\w+)`', named)) <= set(avzoo.__all__)


def test_links_lead_to_files_and_headings(repo_dir):
    pages = [*repo_dir.glob('*.md'), *repo_dir.glob('docs/*.md'), *repo_dir.glob('configs/*/README.md')]
    broken = []
    for page in pages:
        for target in re.findall(r'\]\(([^)\s]+)\)', page.read_text(encoding='utf-8')):
            path, _, anchor = target.partition('#')
            file = (page.parent / path).resolve() if path else page
            if '://' in target:
                continue
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append((page.name, target))
    assert broken == []


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that a page has for its headings."""
    headings = re.findall(r'^#+ (.*)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading).strip().lower().replace(' ', '-') for heading in headings}
