"""What the tools that import features print: a progress bar, and the finished store with its splits."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.splits import format_table


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr; yields a function of (done, total), whose first call makes the bar appear."""
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


def describe_store(path: str | os.PathLike[str]) -> str:
    """Return a store's summary and the table of its splits."""
    store = FeatureStore(path)
    return f'{path}: {store}\n{format_table({k: store.split_sizes(k) for k in store.shots()})}'
