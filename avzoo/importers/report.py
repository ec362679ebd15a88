"""What the tools that import features show: progress on the way, the store and its splits at the end."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.splits import format_table


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr; yields a function of (done, total) that moves it."""
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def describe_store(path: str | os.PathLike[str]) -> str:
    """Return a store's summary and the table of its splits."""
    store = FeatureStore(path)
    return f'{path}: {store}\n{format_table({k: store.split_sizes(k) for k in store.shots()})}'
