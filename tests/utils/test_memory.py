"""The free memory."""

import os
import sys

import pytest

from avzoo.utils.memory import available_memory


@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere it is not known')
def test_some_but_not_more_than_all_memory_is_available():
    assert 1 << 20 < available_memory() <= os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
