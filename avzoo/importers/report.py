"""What the tools that import features print about the finished store and its splits."""

import os

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.splits import format_table


def describe_store(path: str | os.PathLike[str]) -> str:
    """Return a store's summary and the table of its splits."""
    store = FeatureStore(path)
    return f'{path}: {store}\n{format_table({k: store.split_sizes(k) for k in store.shots()})}'
