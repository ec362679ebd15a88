"""Names that are one name in two spellings."""

import pytest

from avzoo.utils.spelling import spelling_key, spellings

ONE_NAME = {
    'case': ('HandStandPushups', 'HandstandPushups'),
    'accents': ('caf\u00e9', 'cafe\u0301'),
    'zero width': ('dog\u200b', 'dog'),
    'byte order mark': ('\ufeffdog', 'dog'),
    'soft hyphen': ('bark\u00ading', 'barking'),
    'two blanks': ('dog  barking', 'dog barking'),
    'no-break space': ('dog\u00a0barking', 'dog barking'),
    'no blank': ('BlowDryHair', 'Blow Dry Hair'),
    'underscore': ('blow_dry_hair', 'blow dry hair'),
    'wide letters': ('\uff24og', 'Dog'),
    'sharp s': ('stra\u00dfe', 'STRASSE'),
}
TWO_NAMES = {
    'words': ('dog', 'dogs'),
    'numbers apart': ('1 2', '12'),
    'signs': ('c++', 'c'),
    'other letters': ('caf\u00e9', 'cafe'),
}


@pytest.mark.parametrize('kind', ONE_NAME)
def test_two_spellings_are_one_name(kind):
    one, other = ONE_NAME[kind]
    assert one != other and spelling_key(one) == spelling_key(other)
    assert spellings([one, 'unlike', other, one]) == [(one, other)]


@pytest.mark.parametrize('kind', TWO_NAMES)
def test_two_names_stay_two(kind):
    assert spellings(TWO_NAMES[kind]) == []
