"""The golden values, as in tests/golden."""

from tests.golden.conftest import batch, build, conversion, fixed_noise, golden, golden_dir, golden_store  # noqa: F401
