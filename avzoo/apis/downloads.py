"""Fetch a file from the first place that has it, and use it only when it is the right one."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from avzoo.apis.home import cache_home, is_offline
from avzoo.apis.transfer import Report, TransferError, forget, transfer
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_write_text, sha256_of


class DownloadError(AvzooError):
    """No place had the file, or what came was not the file."""


def fetch(name: str, places: Sequence[str], *, sha256: str | None = None, size: int | None = None,
          progress: bool = True) -> Path:
    """Return a verified local copy of a file.

    A copy in the cache is taken if its checksum is right. Else the places are tried in turn: plain paths and
    ``file://`` are used where they lie, http goes to the cache through a temporary file. Every byte is checked against
    the SHA-256 before the file is handed out, on a cache hit too. Where none is published, that of the first download
    is recorded, and later ones are held to it.

    Args:
        name: File name in the cache, e.g. ``avdiff_ucf_5shot.safetensors``; may have a folder in front.
        places: URLs or paths, tried in this order.
        sha256: Checksum of the whole file, if one is published.
        size: Bytes, if known.
        progress: Show a progress bar on a terminal.

    Raises:
        DownloadError: If no place had it; names the file, its size and checksum, and where to put it by hand.
    """
    target = cache_home() / name
    expected = sha256 or _recorded(places)
    problems = []
    if target.is_file():
        if expected is None or sha256_of(target) == expected:
            return _recording(target, places, sha256)
        problems.append(f'{target}: the copy in the cache was damaged and is gone')
        target.unlink()
    for place in places:
        try:
            if (local := _local_path(place)) is not None:
                _check(local, expected, size)
                return local
            if is_offline():
                raise TransferError('AVZOO_OFFLINE=1 forbids the network')
            with _locked(target):
                if not target.is_file():  # Another process may have brought it meanwhile.
                    _download(place, target, expected, size, progress)
            return _recording(target, places, sha256)
        except (TransferError, OSError) as error:
            problems.append(f'{place}: {error}')
    raise DownloadError(_lament(name, problems, expected, size, target))


def _download(url: str, target: Path, expected: str | None, size: int | None, progress: bool) -> None:
    if urlsplit(url).scheme not in ('http', 'https'):
        raise TransferError('avzoo reads http, https, file:// and plain paths')
    partial = target.with_name(f'.{target.name}.partial')
    while True:
        resumed = partial.exists()
        with _progress_bar(target.name, progress) as report:
            transfer(url, partial, size=size, checked_later=expected is not None, report=report)
        try:
            _check(partial, expected, size)
            break
        except TransferError:
            forget(partial)  # Going on from it would never bring the right file.
            if not resumed:
                raise
    os.replace(partial, target)
    forget(partial)


def _check(path: Path, expected: str | None, size: int | None) -> None:
    if not path.is_file():
        raise TransferError('there is no such file')
    if size is not None and path.stat().st_size != size:
        raise TransferError(f'it has {path.stat().st_size} bytes, not {size}')
    if expected is not None and (found := sha256_of(path)) != expected:
        raise TransferError(f'refused: its SHA-256 is {found}, not {expected}')


def _local_path(place: str) -> Path | None:
    if place.startswith('file://'):
        return Path(unquote(urlsplit(place).path))
    return None if '://' in place else Path(place)


def _records() -> Path:
    return cache_home() / 'recorded_checksums.json'


def _recorded(places: Sequence[str]) -> str | None:
    """Return the checksum that was recorded at the first download of a file without a published one."""
    try:
        return json.loads(_records().read_text(encoding='utf-8'))[places[0]]['sha256']
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _recording(target: Path, places: Sequence[str], published: str | None) -> Path:
    """Record the checksum of a file for which none is published, once; returns the file."""
    if published is None and places and _recorded(places) is None:
        try:
            records = json.loads(_records().read_text(encoding='utf-8'))
        except (OSError, ValueError):
            records = {}
        records[places[0]] = dict(sha256=sha256_of(target), size=target.stat().st_size, file=str(target))
        atomic_write_text(_records(), json.dumps(records, indent=2) + '\n')
    return target


def _lament(name: str, problems: list[str], sha256: str | None, size: int | None, target: Path) -> str:
    facts = [f'{size:,} bytes' if size else 'size not published', f'SHA-256 {sha256 or "not published"}']
    tried = ''.join(f'\n  {problem}' for problem in problems) or '\n  no address is known'
    return (f'{Path(name).name} ({", ".join(facts)}) could not be had:{tried}\n'
            f'Get the file by other means and put it at {target}')


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Let one process at a time bring a file; where the system has no such locks, hope for the best."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = target.with_name(f'.{target.name}.lock')
    while True:
        with open(path, 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                continue  # The process before removed this very file.
            try:
                yield
            finally:
                path.unlink()
            return


@contextlib.contextmanager
def _progress_bar(title: str, wanted: bool) -> Iterator[Report | None]:
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    with Progress(TextColumn('{task.description}'), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                  TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
