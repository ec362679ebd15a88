"""Text of unknown origin is shown, and does nothing else."""

import json
import sys
import unicodedata

import pytest

from avzoo.utils.printable import printable, printable_json, quoted

# What acts on a terminal, hides, reorders, or cannot be written; with what is shown of it.
HOSTILE = {
    'clear the screen': ('\x1b[2J\x1b[H', r'\x1b[2J\x1b[H'),
    'set the title': ('\x1b]0;pwned\x07', r'\x1b]0;pwned\x07'),
    'C1 control sequence': ('\x9b2J', r'\x9b2J'),
    'carriage return': ('bad\rgood', r'bad\rgood'),
    'backspace': ('bad\b\b\bgood', r'bad\x08\x08\x08good'),
    'line break': ('one\ntwo', r'one\ntwo'),
    'next line': ('one\x85two', r'one\x85two'),
    'line separator': ('one\u2028two\u2029three', r'one\u2028two\u2029three'),
    'NUL and DEL': ('a\0b\x7f', r'a\x00b\x7f'),
    'bidi override': ('exe.\u202egnp', r'exe.\u202egnp'),
    'bidi isolate': ('\u2066a\u2069', r'\u2066a\u2069'),
    'zero width': ('do\u200bg\u200d\ufeff', r'do\u200bg\u200d\ufeff'),
    'soft hyphen': ('do\xadg', r'do\xadg'),
    'tag characters': ('a\U000e0041', r'a\U000e0041'),
    'filler': ('a\u3164', r'a\u3164'),
    'lone surrogate': ('a\udc80\ud800', r'a\udc80\ud800'),
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_characters_that_act_or_hide_are_shown_as_escapes(kind):
    text, shown = HOSTILE[kind]
    assert printable(text) == shown
    assert printable(printable(text)) == shown
    assert printable(text).encode('utf-8')


@pytest.mark.parametrize(
    'text', ['dog bark', 'Pfützen platschen', 'щелчок', '犬の鳴き声', 'كلب', 'कुत्ता', '🐕', 'a|b\\c', '\xa0']
)
def test_names_of_any_script_stay_as_they_are(text):
    assert printable(text) == text


def test_no_control_of_unicode_gets_through():
    shown = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ('Cc', 'Cf', 'Cs', 'Zl')]
    assert len(shown) > 2000 and all(printable(c).isascii() and printable(c).isprintable() for c in shown)


def test_lines_of_the_program_are_kept_and_nothing_else():
    assert printable('a\n\tb\x1b[2J\r\n', lines=True) == 'a\n\tb\\x1b[2J\\r\n'


def test_other_values_are_shown_as_text():
    assert printable(3) == '3' and printable(['\x1b']) == "['\\x1b']" and printable(OSError('a\nb')) == r'a\nb'


@pytest.mark.parametrize('name', ['a\x1b[2J', 'a\x9b', 'a\u202eb', 'a\U000e0041', 'a\udc80', 'a\nb', '\x7f'])
def test_json_for_the_screen_has_escapes_and_the_same_content(name):
    text = printable_json({name: [name]})
    assert printable(text, lines=True) == text and json.loads(text) == {name: [name]}


def test_json_for_the_screen_keeps_letters():
    assert 'é 犬' in printable_json('é 犬')


def test_a_quoted_name_is_one_short_line():
    assert quoted('a\nb') == r"'a\nb'"
    assert quoted('x' * 5000, 10) == "'xxxxxxxxxx'..."
