"""Progress of a tool: items done, items per second, time left."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, ProgressColumn, Task
from rich.text import Text

from avzoo.utils.tables import clock

_Item = TypeVar('_Item')
_EVERY = 30.0  # Seconds between two lines where there is no terminal.


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on stderr; yields a function of (done, total), whose first call makes it appear.

    It is a bar on a terminal; otherwise, as in the log of a cluster, a line now and then.

    Args:
        what: Name of the items, e.g. ``clips``.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console, what)
        return
    with Progress(
        *Progress.get_default_columns()[:3],
        MofNCompleteColumn(),
        _Speed(what),
        Progress.get_default_columns()[3],
        console=console,
        redirect_stdout=False,  # rich would print on stderr what a tool prints on stdout.
    ) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


def counted(items: Sequence[_Item], report: Callable[[int, int], None] | None) -> Iterator[_Item]:
    """Yield items, and call ``report``, if given, with (done, total) before each and at the end."""
    for done, item in enumerate(items):
        if report is not None:
            report(done, len(items))
        yield item
    if report is not None:
        report(len(items), len(items))


class _Speed(ProgressColumn):
    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        return Text(f'{task.speed:.2f} {self._what}/s' if task.speed else '')


class _Lines:
    def __init__(self, console: Console, what: str) -> None:
        self._console, self._what = console, what
        self._begin = self._last = monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = monotonic()
        if now - self._last >= _EVERY:
            self._last = now
            self._console.out(speed_line(self._what, done, total, now - self._begin), highlight=False)


def speed_line(what: str, done: int, total: int, seconds: float) -> str:
    """Return ``120 of 900 clips, 1.90 clips/s, 0:06:50 left``."""
    speed = done / max(seconds, 1e-3)
    left = (total - done) / speed if done else 0.0
    return f'{done} of {total} {what}, {speed:.2f} {what}/s, {clock(left)} left'
