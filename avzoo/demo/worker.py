"""Run one long job at a time, alongside the server."""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from avzoo.demo.refusal import Refused
from avzoo.utils.errors import AvzooError
from avzoo.utils.host_errors import host_error

Explain = Callable[[str], str]


class Cancelled(Exception):
    """The job was stopped by the user."""


class Job:
    """The state of a job while it runs and afterwards.

    Args:
        kind: Its name.
        total: Number of clips.
    """

    def __init__(self, kind: str, total: int) -> None:
        self.kind, self.total = kind, total
        self.number = self.done = 0
        self.running, self.stopping = True, False
        self.error: str | None = None

    def step(self, done: int) -> None:
        """Report how many clips are done; a job that should stop ends here."""
        if self.stopping:
            raise Cancelled
        self.done = done

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ('number', 'kind', 'total', 'done', 'running', 'error')}


class CountedPaths(Sequence[Path]):
    """Paths that report the progress of iterating over them.

    Args:
        paths: The paths.
        job: Job to report to.
    """

    def __init__(self, paths: Sequence[Path], job: Job) -> None:
        self._paths, self._job = list(paths), job

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return self._paths[index]

    def __iter__(self) -> Iterator[Path]:
        for i, path in enumerate(self._paths):
            self._job.step(i)
            yield path
        self._job.step(len(self._paths))


class Worker:
    """Run jobs in a thread, one at a time, so that the server stays responsive."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self.job is not None and self.job.running

    def start(self, job: Job, work: Callable[[Job], None], explain: Explain) -> None:
        """Begin a job.

        Args:
            job: Describes it.
            work: Does it; what it raises is kept as the job's error.
            explain: Turns the text of an error into the page's wording.

        Raises:
            Refused: If another job is running.
        """
        with self._lock:
            if self.busy:
                raise Refused(409, 'Another job is running. Wait until it ends, or stop it.')
            job.number = 1 if self.job is None else self.job.number + 1
            self.job = job
            # A daemon: Ctrl-C ends the program even while a network computes.
            self._thread = threading.Thread(target=_run, args=(job, work, explain), daemon=True)
            self._thread.start()

    def stop(self, wait: float = 0.0) -> None:
        """Ask the job to end before its next clip, and wait up to ``wait`` seconds."""
        if self.job is not None:
            self.job.stopping = True
        if wait and self._thread is not None:
            self._thread.join(wait)


def _run(job: Job, work: Callable[[Job], None], explain: Explain) -> None:
    try:
        work(job)
    except Cancelled:
        job.error = 'Stopped.'
    except Exception as error:
        job.error = explain(in_a_sentence(error))
    finally:
        job.running = False


def in_a_sentence(error: Exception) -> str:
    """Return an error as the user should read it; the traceback of an internal error goes to the terminal."""
    if (text := host_error(error)) is not None:
        return text
    if isinstance(error, AvzooError):
        return ' '.join(error.lines)
    traceback.print_exception(error)
    return f'This is a bug in avzoo ({type(error).__name__}). See the terminal for details, and please report it.'
