"""A reader of configs, and the tiny zoo."""

import pytest

from avzoo.config.load import load_config
from tests.zoo_fixtures import home, make_zoo, pretrained_zoo, published, tiny_info  # noqa: F401


@pytest.fixture
def read(repo_dir):
    """A function that reads AV-DIFF's config with options."""
    return lambda *options: load_config(repo_dir / 'configs' / 'avdiff' / 'avdiff_ucf_5shot.py', options)
