"""A config reaches another process as it is."""

import math

import pytest

from avzoo.config.as_data import as_plain
from avzoo.config.as_json import from_json, to_json
from avzoo.config.load import load_config
from tests.conftest import AVDIFF, CONFIGS


@pytest.mark.parametrize(
    'value',
    [
        {'b': (1, [2, (3,)]), 'a': {}},
        [],
        (),
        {1: None, (2, 'x'): True},
        {'dict': [1]},
        {'tuple': 1},
        'é\n',
        0.1,
        1e-300,
    ],
)
def test_plain_values_come_back_with_their_types_and_their_order(value):
    assert repr(from_json(to_json(value))) == repr(value) and '\n' not in to_json(value)


def test_numbers_that_are_not_finite_come_back():
    found = from_json(to_json([math.inf, -math.inf, math.nan]))
    assert found[:2] == [math.inf, -math.inf] and math.isnan(found[2])


def test_a_config_comes_back_with_its_types_and_its_order():
    values = as_plain(load_config(CONFIGS / AVDIFF))
    assert repr(from_json(to_json(values))) == repr(values)
