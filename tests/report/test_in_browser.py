"""The pages in Chromium: what a person sees and can do."""

import os

import pytest

from avzoo.report.report import write_report
from tests.browser import chromium
from tests.conftest import REPO
from tests.report.conftest import write_run

# `AVZOO_SCREENSHOTS=1` renews the pictures in docs/images.
SCREENSHOTS = os.environ.get('AVZOO_SCREENSHOTS')
IMAGES = REPO / 'docs/images'


@pytest.fixture(scope='module')
def browser():
    with chromium() as session:
        yield session


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
    browser.shown_at(width)
    browser.open(pages[name])
    assert browser.errors() == []
    assert browser.requests() <= {'file://', 'data:'}
    assert browser.run('return document.documentElement.scrollWidth') <= width
    heights = 'return [...document.querySelectorAll("figure svg")].map(e => e.getBoundingClientRect().height)'
    assert min(browser.run(heights)) > (40 if width > 500 else 100)
    cut = 'return [...document.querySelectorAll("td")].filter(e => e.scrollWidth > e.clientWidth + 1).length'
    assert browser.run(cut) == 0
    if SCREENSHOTS:
        browser.screenshot(IMAGES / f'{name}_{width}.png', width, 1400 if width > 500 else 1100)


def test_a_click_on_a_heading_sorts_and_another_turns_the_order(browser, pages):
    browser.open(pages['comparison'])
    column = 'return [...document.querySelector("tbody").rows].map(row => Number(row.cells[3].dataset.value))'
    before = browser.run(column)
    browser.click('th:nth-child(4) button')
    assert browser.run(column) == sorted(before, reverse=True)
    browser.click('th:nth-child(4) button')
    assert browser.run(column) == sorted(before)
    assert browser.errors() == []


def test_the_pointer_over_a_dot_shows_its_numbers(browser, pages):
    browser.shown_at(1280)
    browser.open(pages['comparison'])
    assert browser.text('#tip') == ''
    browser.point_at('[id^="base_novel-"] use')
    assert 'B ' in browser.text('#tip')
    assert 'draw' in browser.text('#tip')


def test_a_page_prints_whole(browser, pages):
    browser.open(pages['report'])
    browser.shown_at(1280, media='print')
    cut = 'return [...document.querySelectorAll(".table")].filter(e => e.scrollHeight > e.clientHeight + 1).length'
    assert browser.run(cut) == 0
    browser.shown_at(1280)
