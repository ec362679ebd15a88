"""Running commands side by side on this machine, each in its own process."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

_POLL = 0.2  # Seconds.
_PATIENCE = 20.0  # Seconds that processes have to end before they are killed.
# The usual cause of a signal.
_PERHAPS = {'SIGKILL': ', perhaps out of memory', 'SIGBUS': ', perhaps because a file that it read was truncated'}


@dataclass(frozen=True)
class Job:
    """A command, where its output goes, and the line that it reads from its standard input.

    The input stays open until this process ends, however it ends; without a line there is no input.
    """

    name: str
    command: Sequence[str]
    log: Path
    task: str = ''


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code, negative for a signal, and on which GPU it ran."""

    job: Job
    code: int
    seconds: float
    gpu: str | None

    @property
    def how(self) -> str:
        """The exit code, or the name of the signal that ended it."""
        if self.code >= 0:
            return f'exit code {self.code}'
        with suppress(ValueError):
            name = signal.Signals(-self.code).name
            return name + _PERHAPS.get(name, '')
        return f'signal {-self.code}'

    def __str__(self) -> str:
        how = 'done' if self.code == 0 else f'failed with {self.how}'
        return f'{self.job.name}: {how} after {self.seconds:,.0f} s, log {self.job.log}'


def run_side_by_side(
    jobs: Sequence[Job],
    *,
    at_once: int,
    gpus: Sequence[str] = (),
    on_start: Callable[[Job, str | None], object] = lambda job, gpu: None,
    on_end: Callable[[Ended], object] = lambda ended: None,
    on_line: Callable[[Job, str], object] | None = None,
) -> list[Ended]:
    """Run commands, a limited number at once; one that fails does not stop the others.

    Each process sees one GPU, and uses as many threads as its share of the cores, unless ``OMP_NUM_THREADS`` is set.
    All processes end when this function is left, e.g. by Ctrl-C.

    Args:
        jobs: What to run, in this order.
        at_once: Maximum number of processes.
        gpus: Ids of GPUs, as in ``CUDA_VISIBLE_DEVICES``; with fewer GPUs than processes, several share one. If None,
            processes see what this one sees.
        on_start: Called with each job and its GPU.
        on_end: Called with each job's end.
        on_line: Called with each line of a job's standard output, which then does not go to its log.

    Returns:
        How each ended, in the order of their ends.
    """
    at_once = min(at_once, len(jobs))  # Running jobs share all cores.
    places: list[str | None] = [gpus[i % len(gpus)] if gpus else None for i in range(at_once)]
    waiting, ended, said = list(jobs), list[Ended](), SimpleQueue[tuple[Job, str]]()
    with _processes() as running:
        while waiting or running:
            while waiting and places:
                running.append(_Process(waiting.pop(0), places.pop(0), at_once, said if on_line else None))
                on_start(running[-1].job, running[-1].gpu)
                running[-1].begin()
            time.sleep(_POLL)
            over = [one for one in running if one.is_over()]
            while on_line and not said.empty():
                on_line(*said.get())
            for one in over:
                running.remove(one)
                places.append(one.gpu)
                ended.append(one.ended())
                on_end(ended[-1])
    return ended


class _Process:
    """A running job.

    Args:
        job: The job.
        gpu: The only GPU that it sees; if ``None``, it sees what this process sees.
        at_once: How many processes share the cores.
        said: Called with the lines of its standard output, which otherwise go to its log.
    """

    def __init__(self, job: Job, gpu: str | None, at_once: int, said: SimpleQueue[tuple[Job, str]] | None) -> None:
        self.job, self.gpu, self._since = job, gpu, time.monotonic()
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with open(job.log, 'ab') as log:
            self.process = subprocess.Popen(
                job.command,
                stdin=subprocess.PIPE if job.task else subprocess.DEVNULL,
                stdout=log if said is None else subprocess.PIPE,
                stderr=log,
                env=_environment(gpu, at_once),
            )
        self._reader = threading.Thread(target=self._read, args=(said,), daemon=True)

    def begin(self) -> None:
        """Send it its task, and read its output."""
        self._reader.start()
        if self.process.stdin is not None:
            with suppress(OSError):  # It has already ended; its exit code will be seen.
                self.process.stdin.write(f'{self.job.task}\n'.encode())
                self.process.stdin.flush()

    def is_over(self) -> bool:
        """Return whether it has ended and all its output has been read."""
        if self.process.poll() is None:
            return False
        self._reader.join(_PATIENCE)  # Loader workers of a killed process hold its output for a moment longer.
        self.close()
        return True

    def ended(self) -> Ended:
        """Return how it ended."""
        return Ended(self.job, self.process.returncode, time.monotonic() - self._since, self.gpu)

    def close(self) -> None:
        """Close its standard input."""
        if self.process.stdin is not None:
            with suppress(OSError):  # As in `begin`.
                self.process.stdin.close()

    def _read(self, said: SimpleQueue[tuple[Job, str]] | None) -> None:
        if self.process.stdout is not None and said is not None:
            with self.process.stdout as output:
                for line in output:
                    if line.endswith(b'\n'):  # The last line of a killed process may be incomplete.
                        said.put((self.job, line.decode(errors='replace').rstrip('\r\n')))


def _environment(gpu: str | None, at_once: int) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    environment = {'OMP_NUM_THREADS': str(max(1, cores // at_once)), **os.environ}
    if gpu is not None:
        environment['CUDA_VISIBLE_DEVICES'] = gpu
    return environment


@contextmanager
def _processes() -> Iterator[list[_Process]]:
    """Keep track of processes, and end the remaining ones on exit."""
    running: list[_Process] = []
    try:
        yield running
    finally:
        _end(running)


def _end(running: Sequence[_Process]) -> None:
    """Ask processes to end; a second interruption or a timeout kills them."""
    for one in running:
        one.process.terminate()
    deadline = time.monotonic() + _PATIENCE
    try:
        for one in running:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for one in running:
            one.process.kill()
            one.process.wait()
            one.close()
