"""docs/robustness.md states the numbers of the corpus, and names files that exist."""

import re

import pytest

from tests.hostile.inputs import INPUTS
from tests.hostile.page import numbers_on_page, point_counts, reader_rows


@pytest.fixture(scope='module')
def page(repo_dir):
    return (repo_dir / 'docs/robustness.md').read_text(encoding='utf-8')


def test_the_page_counts_the_inputs_of_each_reader(page):
    rows = list(reader_rows())
    totals = ('all', *(sum(row[i] for row in rows) for i in range(1, 5)))
    assert numbers_on_page(page)[0] == [*rows, totals]
    assert f'makes {len(INPUTS):,} inputs for {len(rows)} readers' in page


def test_the_page_counts_the_inputs_of_each_point(page):
    assert numbers_on_page(page)[1] == point_counts()


def test_the_page_has_all_sixteen_points_in_order(page):
    assert [int(number) for number in re.findall(r'^\| (\d+)\. ', page, re.M)] == list(range(1, 17))


def test_the_tests_that_the_page_names_exist(page, repo_dir):
    paths = [path for path in re.findall(r'`(tests/[^` ]+)`', page) if '*' not in path]
    assert paths and [path for path in paths if not (repo_dir / path).exists()] == []
