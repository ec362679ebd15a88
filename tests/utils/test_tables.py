"""Tables in text and in Markdown."""

import html
import re

import pytest

from avzoo.utils.tables import Markdown, markdown_table, text_table, two_decimals

HEADER = ('name', 'B', 'videos')
ROWS = [('mine', '7.50', 12), ('a longer one', '-', 3)]


def test_columns_of_text_are_aligned():
    assert text_table(HEADER, ROWS).splitlines() == [
        'name             B  videos',
        '------------  ----  ------',
        'mine          7.50      12',
        'a longer one     -       3',
    ]


def test_a_table_without_rows_is_its_header():
    assert text_table(HEADER, []).splitlines() == ['name  B  videos', '----  -  ------']
    assert markdown_table(HEADER, []).splitlines() == ['| name | B | videos |', '| --- | ---: | ---: |']


def test_no_line_of_text_ends_in_blanks():
    assert text_table(('a', 'b'), [('x', '')]).splitlines() == ['a  b', '-  -', 'x']


def test_markdown_says_on_which_side_numbers_stand():
    assert markdown_table(HEADER, ROWS[:1]).splitlines()[1:] == ['| --- | ---: | ---: |', '| mine | 7.50 | 12 |']
    assert markdown_table(HEADER, ROWS, align_right=False).splitlines()[1] == '| --- | --- | --- |'


def test_a_cell_breaks_neither_row_nor_column():
    assert markdown_table(('a', 'b'), [('x|y', 'two\nlines')]).splitlines()[2:] == [r'| x\|y | two\\nlines |']
    assert text_table(('a', 'b'), [('x|y', 'two\nlines')]).splitlines()[2:] == [r'x|y  two\nlines']


def test_a_name_can_neither_forge_a_row_nor_reach_the_terminal():
    name = 'dog |\n| forged | 99.99 |\x1b[2J\u202e'
    (row,) = markdown_table(('class', 'recall'), [(name, '1.00')]).split('\n')[2:]
    assert row.isprintable() and row.replace(r'\|', '').count('|') == 3
    (row,) = text_table(('class', 'recall'), [(name, '1.00')]).split('\n')[2:]
    assert row.isprintable() and row.endswith('1.00')


def test_a_backslash_before_a_pipe_does_not_undo_its_escape():
    assert markdown_table(('a',), [('x\\|y',)]).splitlines()[2:] == [r'| x\\\|y |']


def test_a_cell_of_markdown_begins_no_tag():
    assert '<' not in markdown_table(('a',), [('<img src=x onerror=alert(1)>',)])


@pytest.mark.parametrize('name', ['[x](javascript:y)', '![x](https://example.org/y.png)', '`x`', '&lt;b&gt;'])
def test_a_foreign_name_acts_in_no_cell_of_markdown(name):
    (row,) = markdown_table(('a',), [(name,)]).splitlines()[2:]
    assert not re.search(r'(?<!\\)[\[\]!`]', row) and '&lt;' not in row
    assert html.unescape(re.sub(r'\\(.)', r'\1', row)) == f'| {name} |'


def test_links_of_our_own_work():
    row = markdown_table(('a',), [(Markdown('[x](y.md) `a|b` <b>'),)]).splitlines()[2]
    assert row == r'| [x](y.md) `a\|b` &lt;b> |'


@pytest.mark.parametrize(('value', 'text'), [(1.005, '1.00'), (2, '2.00'), (None, '-'), (float('nan'), '-')])
def test_unknown_numbers_are_dashes(value, text):
    assert two_decimals(value) == text
