"""Run calls in forked children with limits, and say what they did."""

import json
import os
import resource
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.child import CANARY, SECONDS, Job, be_the_child
from tests.hostile.verdict import problems_of_text

MEGABYTES = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes:
        kind: ``accepted`` or ``refused``.
        faults: What must never happen, in words; empty for a call without fault.
        text: What it printed.
        seconds: How long it took.
    """

    kind: str
    faults: list[str] = field(default_factory=list)
    text: str = ''
    seconds: float = 0.0


def run_alone(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str], folder: Path) -> Outcome:
    """Run ``main(argv)`` as a command-line tool in a child of this process.

    The child's current folder, home, cache and temporary folder lie in ``folder / 'work'``.

    Args:
        main: The tool's main function.
        argv: Its arguments.
        folder: A folder; what is outside of it must not be written.
    """
    return run_all([Job(main, argv, folder)])[0]


def run_all(jobs: Sequence[Job]) -> list[Outcome]:
    """Run calls one after the other in a child; after one that dies or is stopped, the next ones get a new child."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(jobs):
        rest = jobs[len(outcomes) :]
        reports, taken = _run_in_child(rest)
        if taken > MEGABYTES and len(rest) > 1 and all(report.get('code') != -1 for report in reports):
            return outcomes + [run_all([job])[0] for job in rest]  # One of them took it between two looks.
        if taken > MEGABYTES and reports[-1]['code'] != -1:
            reports[-1]['faults'].append(f'took {taken:.0f} MB')
        outcomes += [_judge(job.folder, report) for job, report in zip(rest, reports, strict=False)]
    return outcomes


def _run_in_child(jobs: Sequence[Job]) -> tuple[list[dict[str, Any]], float]:
    """Return the reports of the calls up to the first that did not end by itself, and the megabytes taken."""
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # Of threads: the child starts none and waits for none.
        warnings.simplefilter('ignore')
        child = os.fork()
    if child == 0:
        be_the_child(jobs, writer)
    os.close(writer)
    try:
        return _Watch(child, len(jobs)).listen(reader)
    finally:
        os.close(reader)


class _Watch:
    """Reads a child's reports, and kills it when a call exceeds the limits."""

    def __init__(self, child: int, count: int) -> None:
        self.child, self.count = child, count
        self.reports: list[dict[str, Any]] = []
        self.before, self.began = _resident_megabytes(child), time.monotonic()

    def listen(self, pipe: int) -> tuple[list[dict[str, Any]], float]:
        text = b''
        while len(self.reports) < self.count:
            if select.select([pipe], [], [], 0.005)[0]:
                part = os.read(pipe, 1 << 16)
                if not part:
                    return self._end('')
                *lines, text = (text + part).split(b'\n')
                for line in lines:
                    self._take(json.loads(line))
            elif problem := self._problem():
                os.kill(self.child, signal.SIGKILL)
                return self._end(problem)
        return self._end('')

    def _take(self, report: dict[str, Any]) -> None:
        now = time.monotonic()
        self.reports.append(report | dict(seconds=now - self.began))
        self.began = now

    def _problem(self) -> str:
        if _resident_megabytes(self.child) - self.before > MEGABYTES:
            return f'took more than {MEGABYTES} MB'
        # A child that is busy is stopped by the limit on computing: other processes may slow it down.
        waits = time.monotonic() - self.began > 2 * SECONDS and _state(self.child) != 'R'
        return f'waited for {2 * SECONDS} s' if waits else ''

    def _end(self, problem: str) -> tuple[list[dict[str, Any]], float]:
        """Reap the child; where reports are missing, it was stopped or died."""
        _, status, usage = os.wait4(self.child, 0)
        if len(self.reports) < self.count:
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            died = f'took more than {SECONDS} s' if number == signal.SIGPROF else f'died of signal {number}'
            self._take(dict(code=-1, faults=[problem or died]))
        return self.reports, usage.ru_maxrss / 1024 - self.before


def _resident_megabytes(process: int) -> float:
    try:
        with open(f'/proc/{process}/statm') as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    except (OSError, IndexError):
        return 0.0


def _state(process: int) -> str:
    try:
        with open(f'/proc/{process}/stat') as file:
            return file.read().rpartition(') ')[2][:1]
    except OSError:
        return ''


def _judge(folder: Path, report: dict[str, Any]) -> Outcome:
    out, err = (
        path.read_text('utf-8', 'replace') if path.exists() else '' for path in (folder / 'stdout', folder / 'stderr')
    )
    faults = list(dict.fromkeys(report['faults']))
    if (folder / 'work' / CANARY).exists():
        faults.append('ran foreign code')
    if report['code'] not in (0, 2, -1) and not faults:
        faults.append(f'exit code {report["code"]}')
    if report['code'] in (0, 2):
        faults += problems_of_text(out, err, refused=report['code'] == 2)
    return Outcome('accepted' if report['code'] == 0 else 'refused', faults, out + err, report['seconds'])
