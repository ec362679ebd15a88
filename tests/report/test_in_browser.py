"""The pages in Chromium: what a person sees and can do."""

import os
from pathlib import Path

import pytest

from avzoo.report.report import write_report
from tests.browser import open_browser
from tests.report.conftest import write_run

# `AVZOO_SCREENSHOTS=docs/images` writes the pictures that the docs show.
SCREENSHOTS = os.environ.get('AVZOO_SCREENSHOTS')


@pytest.fixture(scope='module')
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope='module')
def pages(tmp_path_factory) -> dict[str, str]:
    """One run, and three of them compared; or real ones, `AVZOO_RUNS=a:b:c`, for the pictures of the docs."""
    folder = tmp_path_factory.mktemp('pages')
    real = os.environ.get('AVZOO_RUNS')
    runs = (
        real.split(':')
        if real
        else [write_run(folder / f'r{i}', method=f'Method {i}', skill=i + 1.0) for i in range(3)]
    )
    report, comparison = write_report(runs[:1], folder / 'report.html'), write_report(runs, folder / 'comparison.html')
    return dict(report=report.as_uri(), comparison=comparison.as_uri())


@pytest.mark.parametrize('width', [1280, 390])
@pytest.mark.parametrize('name', ['report', 'comparison'])
def test_a_page_opens_without_an_error_or_a_request_and_fits_the_window(browser, pages, name, width):
    browser.show(pages[name], width)
    assert browser.problems() == []
    assert {url for url in browser.requests() if not url.startswith('data:')} == {pages[name]}
    assert browser.run('return document.documentElement.scrollWidth') <= width
    sizes = browser.run(
        'return [...document.querySelectorAll("figure svg")].map(e => e.getBoundingClientRect().height)'
    )
    assert sizes
    assert min(sizes) > 40
    if SCREENSHOTS:
        browser.screenshot(Path(SCREENSHOTS) / f'{name}_{width}.png', height=1400 if width > 500 else 1100)


def test_a_click_on_a_heading_sorts_and_another_turns_the_order(browser, pages):
    browser.show(pages['comparison'], 1280)
    column = 'return [...document.querySelector("tbody").rows].map(row => Number(row.cells[3].dataset.value))'
    click = 'document.querySelector("thead").rows[0].cells[3].querySelector("button").click()'
    before = browser.run(column)
    browser.run(click)
    assert browser.run(column) == sorted(before, reverse=True)
    browser.run(click)
    assert browser.run(column) == sorted(before)
    assert browser.problems() == []


def test_the_pointer_over_a_dot_shows_its_numbers(browser, pages):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    browser.show(pages['comparison'], 1280)
    dot = browser.driver.find_elements(By.CSS_SELECTOR, '[id^="base_novel-"] use')[0]
    browser.run('arguments[0].scrollIntoView({block: "center"})', dot)
    ActionChains(browser.driver).move_to_element(dot).perform()
    tip = browser.run('const tip = document.getElementById("tip"); return tip.hidden ? "" : tip.textContent')
    assert 'B ' in tip
    assert 'draw' in tip


def test_a_page_prints_whole(browser, pages):
    browser.show(pages['report'], 1280)
    browser.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media='print'))
    try:
        cut = browser.run(
            'return [...document.querySelectorAll(".table")].filter(e => e.scrollHeight > e.clientHeight + 1).length'
        )
    finally:
        browser.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media=''))
    assert cut == 0
