"""How far an extraction is: clips done, clips per second, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, ProgressColumn, Task
from rich.text import Text

_EVERY = 30.0  # Seconds between two lines where there is no terminal.


@contextmanager
def progress_of_clips() -> Iterator[Callable[[int, int], None]]:
    """Show on stderr how far the work is; yields a function of (clips done, clips in all).

    On a terminal it is a bar; otherwise, as in the log of a cluster, a line now and then.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Progress(
        *Progress.get_default_columns()[:3],
        MofNCompleteColumn(),
        _Speed(),
        Progress.get_default_columns()[3],
        console=console,
    ) as progress:
        task = progress.add_task('clips', total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f'{task.speed:.2f} clips/s' if task.speed else '')


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = self._last = monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = monotonic()
        if now - self._last >= _EVERY or done == total:
            self._last = now
            self._console.out(speed_line(done, total, now - self._begin), highlight=False)


def speed_line(done: int, total: int, seconds: float) -> str:
    """Return ``120 of 900 clips, 1.90 clips/s, 0:06:50 left``."""
    speed = done / max(seconds, 1e-3)
    left = round((total - done) / speed) if done else 0
    return f'{done} of {total} clips, {speed:.2f} clips/s, {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left'
