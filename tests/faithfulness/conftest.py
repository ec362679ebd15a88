"""The golden values, as in tests/golden."""

from tests.golden.conftest import (  # noqa: F401
    batch,
    build,
    conversion,
    fixed_noise,
    golden,
    golden_dir,
    golden_store,
    recorder,
)
