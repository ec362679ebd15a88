"""The process in whose forked copies the commands run, started once."""

import pytest

from tests.faults.harness import ForkServer


@pytest.fixture(scope='session')
def server():
    server = ForkServer()
    yield server
    server.close()
