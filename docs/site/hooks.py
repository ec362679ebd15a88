"""What MkDocs does not do by itself: pages from outside of docs/, links that leave it, notebooks, API pages."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from flowchart import draw
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

# Files of the repository that are pages of the site, beside docs/*.md.
PAGES = {
    'README.md': 'overview.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
    **{
        f'configs/{path.parent.name}/README.md': f'methods/{path.parent.name}.md'
        for path in ROOT.glob('configs/*/README.md')
    },
    **{f'docs/notebooks/{path.name}': f'notebooks/{path.stem}.md' for path in ROOT.glob('docs/notebooks/*.ipynb')},
}
SOURCES = {uri: path for path, uri in PAGES.items()}
# Packages whose modules have a page in the API, in the order of the navigation.
PACKAGES = (
    'apis',
    'protocol',
    'registry',
    'datasets',
    'text',
    'importers',
    'extraction',
    'models',
    *(f'models/{path.parent.name}' for path in sorted(ROOT.glob('avzoo/models/*/__init__.py'))),
    'checkpoints',
    'evaluation',
    'zoo',
)
_CHART = re.compile(r'^```mermaid\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r'^(```.*?^```$)', re.MULTILINE | re.DOTALL)
_LINK = re.compile(r'(?<=\]\()(?!\w+:|#)([^)\s#]+)(?=[)#])')
# GitHub lets a list follow a paragraph at once, Python-Markdown wants an empty line.
_LIST_AFTER_TEXT = re.compile(r'^((?![-*|>#]|\d+\. | |<!--).+\n)(?=[-*] |1\. )', re.MULTILINE)
_ROLE = re.compile(r':(?:class|func|meth|mod|attr):(?=<code|`)')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the API to the navigation."""
    pages = [{'Public names': 'api/index.md'}]
    pages += [{f'avzoo.{name.replace("/", ".")}': f'api/{name.replace("/", ".")}.md'} for name in PACKAGES]
    config.nav.append({'API': pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that are not in docs/."""
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, content=read_page(path)))
    for path in linked_files():
        files.append(File.generated(config, site_uri(path), abs_src_path=str(ROOT / path)))
    for uri, text in api_pages():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into those of the site, flowcharts into pictures."""
    uri = page.file.src_uri
    if uri.startswith('api/'):
        return markdown
    source = SOURCES.get(uri, f'docs/{uri}')
    text = outside_code(markdown, lambda text: _LINK.sub(lambda link: site_link(link[1], source, uri), text))
    text = _CHART.sub(lambda chart: draw(chart[1]), text)
    return outside_code(text, lambda text: _LIST_AFTER_TEXT.sub(r'\1\n', text))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave the roles of Sphinx out of docstrings."""
    return _ROLE.sub('', html) if page.file.src_uri.startswith('api/') else html


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return a page in which everything but its blocks of code is changed."""
    parts = _FENCE.split(text)
    return ''.join(part if i % 2 else change(part) for i, part in enumerate(parts))


def linked_files() -> Iterator[str]:
    """Yield the files outside of docs/ to which pages link: configs, weights, the licence."""
    sources = [*PAGES, *(f'docs/{path.name}' for path in ROOT.glob('docs/*.md'))]
    targets = {
        normpath(join(dirname(source), link))
        for source in sources
        for part in _FENCE.split(read_page(source))[::2]
        for link in _LINK.findall(part)
    }
    yield from sorted(path for path in targets if site_uri(path).startswith('files/') and (ROOT / path).is_file())


def site_link(link: str, source: str, uri: str) -> str:
    """Return a link of a file of the repository as it is in the page ``uri``; one that leads nowhere stays."""
    path = normpath(join(dirname(source), link))
    return relpath(site_uri(path), dirname(uri) or '.') if (ROOT / path).is_file() else link


def site_uri(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path in PAGES or path.startswith('docs/'):
        return PAGES.get(path, path.removeprefix('docs/'))
    # Browsers show a text, and save a .py.
    return f'files/{path}' if path.endswith(('.safetensors', '.txt')) else f'files/{path}.txt'


def read_page(path: str) -> str:
    """Read a file as Markdown; of a notebook its texts and its code."""
    text = (ROOT / path).read_text(encoding='utf-8')
    if not path.endswith('.ipynb'):
        return text
    cells = [(cell['cell_type'], ''.join(cell['source'])) for cell in json.loads(text)['cells']]
    return '\n\n'.join(f'```python\n{text}\n```' if kind == 'code' else text for kind, text in cells) + '\n'


def api_pages() -> Iterator[tuple[str, str]]:
    """Yield the pages of the API: the public names, then each package with its modules."""
    import avzoo

    rows = [
        f'| [`{name}`][{module}.{name}] | `{module}` |'
        for name, module in sorted(avzoo._LAZY.items(), key=lambda one: one[0].lower())
    ]
    intro = '# Public names\n\n`import avzoo` offers these names; a module is imported when its name is first used.'
    yield 'api/index.md', '\n'.join([intro, '', '| name | module |', '|---|---|', *rows]) + '\n'
    for package in PACKAGES:
        name = f'avzoo.{package.replace("/", ".")}'
        folder = ROOT / 'avzoo' / package
        modules = [f'{name}.{path.stem}' for path in sorted(folder.glob('[a-z]*.py'))] if folder.is_dir() else [name]
        yield (
            f'api/{package.replace("/", ".")}.md',
            '\n\n'.join([f'# {name}', *(f'::: {one}' for one in modules)]) + '\n',
        )
