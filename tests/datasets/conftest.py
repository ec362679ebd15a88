"""Fixtures of the tests of stores."""

import pytest

from tests.datasets.small_store import write


@pytest.fixture
def root(tmp_path):
    """The folder of a fresh store of seven videos."""
    write(tmp_path / 'store')
    return tmp_path / 'store'
