"""The valid files that hostile ones are made of, and the imports that every input would repeat."""

import os

import pytest

from tests.hostile.material import Material, make_material
from tests.hostile.warm import warm_up


@pytest.fixture(scope='session')
def material(tmp_path_factory) -> Material:
    assert os.environ['OMP_NUM_THREADS'] == '1'  # A child would wait for the threads of its parent.
    warm_up()
    return make_material(tmp_path_factory.mktemp('material'))
