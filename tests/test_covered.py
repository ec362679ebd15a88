"""Every argument of what is registered without being a module of a model has a test."""

import pytest

from tests.covered import COVERED, ITSELF, is_a_test, own_arguments
from tests.models.part_runs import REGISTRIES

THINGS = [(kind, name) for kind, names in COVERED.items() for name in names]


@pytest.mark.parametrize(('kind', 'name'), THINGS)
def test_every_argument_names_a_test(kind, name):
    assert set(COVERED[kind][name]) == (own_arguments(REGISTRIES[kind].get(name)) or {ITSELF})


@pytest.mark.parametrize('test_id', sorted({t for k, n in THINGS for t in COVERED[k][n].values()}))
def test_the_named_test_exists(test_id):
    assert is_a_test(test_id)


def test_a_name_that_is_no_test_is_found_out():
    assert not is_a_test('tests/test_covered.py::test_nothing') and not is_a_test('tests/none.py::test_nothing')
