"""The documentation site: it builds without a warning, its links lead somewhere, and it asks no other host."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag

import pytest
import yaml

import avzoo
from avzoo.zoo.index import find_model
from tests.browser import chromium
from tests.conftest import REPO


class Addresses(HTMLParser):
    """Collect the links of a page, what it loads, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ('id', 'name') if values.get(key)}
        if tag == 'a' and values.get('href'):
            self.links.append(values['href'])
        elif tag == 'link' and values.get('href') and values.get('rel') not in ('canonical', 'prev', 'next'):
            self.loads.append(values['href'])
        elif tag in ('script', 'img', 'iframe', 'source') and values.get('src'):
            self.loads.append(values['src'])


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        """Say nothing."""


@cache
def read(page: Path) -> Addresses:
    found = Addresses()
    found.feed(page.read_text(encoding='utf-8'))
    return found


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> Path:
    for package in ('mkdocs', 'material', 'mkdocstrings_handlers.python'):
        pytest.importorskip(package, reason="the site: pip install 'avzoo[docs]'", exc_type=ImportError)
    folder = tmp_path_factory.mktemp('site')
    command = (sys.executable, '-m', 'mkdocs', 'build', '--strict', '-f', 'docs/site/mkdocs.yml', '-d', folder)
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_link_leads_to_a_file_and_an_anchor(site):
    broken, pages = [], sorted(site.rglob('*.html'))
    for page in pages:
        # The page for a missing address is served at any address, so its links are absolute.
        for link in (*read(page).links, *read(page).loads) if page.name != '404.html' else ():
            address, anchor = urldefrag(link)
            if re.match(r'\w+:', address):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            if not target.is_file() or (anchor and target.suffix == '.html' and anchor not in read(target).anchors):
                broken.append((page.relative_to(site).as_posix(), link))
    assert len(pages) > 40 and broken == []


def test_no_page_loads_anything_from_another_host(site):
    loaded = {address for page in site.rglob('*.html') for address in read(page).loads}
    assert loaded and not [address for address in loaded if re.match(r'(\w+:)?//', address)]
    styles = ' '.join(path.read_text(encoding='utf-8') for path in site.rglob('*.css'))
    assert not re.findall(r'(?:url\(|@import)\s*["\']?(?:https?:)?//', styles)


def test_every_page_of_the_repository_is_on_the_site(site):
    pages = {path.relative_to(site).with_suffix('').as_posix() for path in site.rglob('*.html')}
    assert {path.stem for path in REPO.glob('docs/*.md')} <= pages
    assert {f'methods/{path.parent.name}' for path in REPO.glob('configs/*/README.md')} <= pages
    assert {f'notebooks/{path.stem}' for path in REPO.glob('docs/notebooks/*.ipynb')} <= pages


def test_the_api_has_the_docstrings_of_public_names_and_of_parts(site):
    public = (site / 'api/index.html').read_text(encoding='utf-8')
    assert all(f'#{avzoo._LAZY[name]}.{name}"' in public for name in avzoo._LAZY)
    fusions = (site / 'api/models.fusions.html').read_text(encoding='utf-8')
    assert 'id="avzoo.models.fusions.masked_transformer.MaskedTransformer"' in fusions and ':class:' not in fusions


def test_search_finds_a_page_by_its_words(site):
    documents = json.loads((site / 'search/search_index.json').read_text(encoding='utf-8'))['docs']
    assert {'choosing.html', 'api/models.fusions.html'} <= {one['location'].partition('#')[0] for one in documents}


@pytest.fixture
def address(site) -> Iterator[str]:
    """Serve the site, as search needs it: a page that is opened as a file may start no worker."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_pages_open_without_an_error_and_fit_a_phone(address):
    with chromium() as browser:
        browser.errors()
        for page in ('index', 'design', 'api/models.fusions'):
            browser.shown_at(390)
            browser.open(f'{address}/{page}.html')
            assert browser.run('return document.querySelector("article").innerText.length') > 1000
            assert browser.run('return document.documentElement.scrollWidth') <= 390, page
        browser.shown_at(1280)
        browser.click('.md-search__input')
        browser.write('.md-search__input', 'bottleneck tokens')
        browser.wait(lambda: 'BottleneckFusion' in browser.text('.md-search-result__list'))
        assert browser.errors() == [] and browser.requests() - {'data:', 'blob:'} == {address}


def test_the_first_page_shows_the_numbers_of_the_metafile():
    run = json.loads((REPO / 'docs/site/first_run.json').read_text(encoding='utf-8'))
    readme = (REPO / 'README.md').read_text(encoding='utf-8')
    (name,) = set(re.findall(r'python tools/train.py configs/avdiff/(\w+)\.py --resume', readme))
    metrics = find_model(name).results[0]['Metrics']
    aggregate = run['aggregate'] | dict(CI95=run['aggregate']['ci95'])
    assert {key: round(aggregate[key], 2) for key in metrics if key != 'Seeds'} | dict(Seeds=[run['seed']]) == metrics


def test_it_says_how_to_cite_as_the_method_and_the_citation_file_do():
    page = (REPO / 'docs/index.md').read_text(encoding='utf-8')
    paper = re.search(r'```bibtex\n(.*?\n\}\n)', (REPO / 'configs/avdiff/README.md').read_text('utf-8'), re.DOTALL)[1]
    citation = yaml.safe_load((REPO / 'CITATION.cff').read_text(encoding='utf-8'))
    assert paper in page
    assert f'title={{{citation["title"]}}}' in page and f'version={{{citation["version"]}}}' in page
    assert citation['version'] == avzoo.__version__
