"""Fixtures that many tests share."""

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def repo_dir() -> Path:
    return REPO


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """The folder of reference data beside the checkout; tests that want it are skipped where it is absent."""
    path = REPO.parent / 'shared'
    if not path.is_dir():
        pytest.skip('no reference data beside the checkout')
    return path
