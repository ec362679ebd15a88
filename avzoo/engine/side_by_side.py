"""Running commands side by side on this machine, each in its own process."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from avzoo.utils.errors import ConfigError

_POLL = 0.2  # Seconds.
_PATIENCE = 20.0  # Seconds that processes have to end before they are killed.


@dataclass(frozen=True)
class Job:
    """A command, and where its output goes."""

    name: str
    command: Sequence[str]
    log: Path


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code, negative for a signal, and on which GPU it ran."""

    job: Job
    code: int
    seconds: float
    gpu: str | None

    def __str__(self) -> str:
        how = 'done' if self.code == 0 else f'failed with exit code {self.code}'
        return f'{self.job.name}: {how} after {self.seconds:,.0f} s, log {self.job.log}'


def run_side_by_side(
    jobs: Sequence[Job],
    *,
    at_once: int,
    gpus: Sequence[str] = (),
    on_start: Callable[[Job, str | None], object] = lambda job, gpu: None,
    on_end: Callable[[Ended], object] = lambda ended: None,
) -> list[Ended]:
    """Run commands, at most so many at once; one that fails does not stop the others.

    Each process sees one GPU, and as many threads as its share of the cores, unless ``OMP_NUM_THREADS`` is set. All
    processes end when this function is left, by Ctrl-C, say.

    Args:
        jobs: What to run, in this order.
        at_once: How many processes.
        gpus: Ids of GPUs, as in ``CUDA_VISIBLE_DEVICES``; with fewer than processes, several share one. None leaves
            the processes what this one sees.
        on_start: Called with each job and its GPU.
        on_end: Called with each job's end.

    Returns:
        How each ended, in the order of their ends.
    """
    at_once = min(at_once, len(jobs))  # What runs has the cores to itself.
    places: list[str | None] = [gpus[i % len(gpus)] if gpus else None for i in range(at_once)]
    waiting, ended = list(jobs), list[Ended]()
    with _processes() as running:
        while waiting or running:
            while waiting and places:
                job, gpu = waiting.pop(0), places.pop(0)
                running[_start(job, gpu, at_once)] = job, gpu, time.monotonic()
                on_start(job, gpu)
            time.sleep(_POLL)
            for process in [one for one in running if one.poll() is not None]:
                job, gpu, begin = running.pop(process)
                places.append(gpu)
                ended.append(Ended(job, process.returncode, time.monotonic() - begin, gpu))
                on_end(ended[-1])
    return ended


def gpu_ids(text: str) -> list[str]:
    """Read ids of GPUs: ``0-7``, ``0,2`` or both, or names such as ``GPU-8f2a``.

    Raises:
        ConfigError: If a range is not one, or an id comes twice.
    """
    ids: list[str] = []
    for part in map(str.strip, text.split(',')):
        numbers = re.fullmatch('([0-9]{1,3})(?:-([0-9]{1,3}))?', part)
        found = [part] if part.startswith(('GPU-', 'MIG-')) else []
        if numbers:
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            found = [str(number) for number in range(first, last + 1)]
        if not found:
            raise ConfigError(f"--gpus takes ids such as 0-7 or 0,2, got '{text}'.")
        ids += found
    if len(set(ids)) < len(ids):
        raise ConfigError(f'--gpus {text}: an id comes twice. With more --jobs than GPUs, several share one.')
    return ids


def check_gpus(ids: Sequence[str]) -> None:
    """Refuse numbers of GPUs that this process may not use: a run without its GPU would train on the CPU.

    Raises:
        ConfigError: Names the first.
    """
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    known = [one.strip() for one in visible.split(',') if one.strip()] if visible else []
    if visible is None:
        import torch  # The tool starts quickly without it.

        known = [str(number) for number in range(torch.cuda.device_count())]
    for one in ids:
        if one.isdecimal() and one not in known and all(map(str.isdecimal, known)):
            here = ', '.join(known) or 'none'
            raise ConfigError(f'--gpus: there is no GPU {one} here; there are: {here}. Leave --gpus out for a CPU.')


_Running = dict[subprocess.Popen, tuple[Job, str | None, float]]


@contextmanager
def _processes() -> Iterator[_Running]:
    """Hold processes, and end those that are left."""
    running: _Running = {}
    try:
        yield running
    finally:
        _end(list(running))


def _end(processes: Sequence[subprocess.Popen]) -> None:
    """Ask processes to end; a second interruption kills them, as time does."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _PATIENCE
    try:
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(job: Job, gpu: str | None, at_once: int) -> subprocess.Popen:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    environment = {'OMP_NUM_THREADS': str(max(1, cores // at_once)), **os.environ}
    if gpu is not None:
        environment['CUDA_VISIBLE_DEVICES'] = gpu
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, 'ab') as log:
        return subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
