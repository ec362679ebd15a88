"""Fetch a file from the first place that has it, and use it only when it is the right one."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from avzoo.utils.cache import cache_home, is_offline
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_write_text, sha256_of
from avzoo.utils.lock import locked
from avzoo.zoo.http import Report, TransferError, forget, transfer


class DownloadError(AvzooError):
    """No place had the file, or what came was not the file."""


def fetch(
    name: str,
    places: Sequence[str],
    *,
    sha256: str | None = None,
    size: int | None = None,
    accept: Callable[[Path], bool] | None = None,
    progress: bool = True,
) -> Path:
    """Return a verified local copy of a file.

    A copy in the cache is taken if its checksum is right. Else the places are tried in turn: plain paths and
    ``file://`` are used where they lie, http goes to the cache through a temporary file. Every byte is checked against
    the SHA-256 before the file is handed out, on a cache hit too. Where none is published, that of the first file that
    ``accept`` takes is recorded, and later ones are held to it.

    Args:
        name: File name in the cache, e.g. ``avdiff_ucf_5shot.safetensors``; may have a folder in front.
        places: URLs or paths, tried in this order.
        sha256: Checksum of the whole file, if one is published.
        size: Bytes, if known.
        accept: Whether a file is of the right kind, e.g. ``zipfile.is_zipfile``; asked of files without a published
            checksum, whose server may answer with a page instead.
        progress: Show a progress bar on a terminal.

    Raises:
        DownloadError: If no place had it; names the file, its size and checksum, and where to put it by hand. Or if
            the copy in the cache is not the one whose checksum was recorded, or that record is damaged.
    """
    target = cache_home() / name
    wanted = _Wanted(sha256, None if sha256 else _recorded(places), size, accept)
    problems: list[str] = []
    if target.is_file() and _take_cached(target, wanted, problems):
        return _recording(target, places, wanted)
    for place in places:
        try:
            if (local := _local_path(place)) is not None:
                wanted.check(local)
                return local
            if is_offline():
                raise TransferError('AVZOO_OFFLINE=1 forbids the network')
            with locked(target):
                if target.is_file():  # Another process has brought it meanwhile.
                    wanted.check(target)
                else:
                    _download(place, target, wanted, progress)
            return _recording(target, places, wanted)
        except (TransferError, OSError, ValueError) as error:  # ValueError: urllib's, of what is no URL.
            problems.append(f'{place}: {error}')
    raise DownloadError(_failure_message(name, problems, wanted, target))


@dataclass(frozen=True)
class _Wanted:
    """What tells the right file from others.

    Attributes:
        published: Its published SHA-256.
        recorded: Without one, the SHA-256 that was recorded at the first download.
        size: Bytes.
        accept: See :func:`fetch`.
    """

    published: str | None
    recorded: str | None
    size: int | None
    accept: Callable[[Path], bool] | None

    @property
    def sha256(self) -> str | None:
        return self.published or self.recorded

    def check(self, path: Path) -> None:
        """Raise ``TransferError`` if a file is not the right one."""
        if not path.is_file():
            raise TransferError('there is no such file')
        if self.size is not None and path.stat().st_size != self.size:
            raise TransferError(f'it has {path.stat().st_size} bytes, not {self.size}')
        if self.sha256 is not None and (found := sha256_of(path)) != self.sha256:
            raise TransferError(
                f'refused: its SHA-256 is {found}, not {self.sha256}'
                + (
                    ''
                    if self.published
                    else (
                        ', which is not published but was recorded at the first download; if this file is the right '
                        f'one, delete that record from {_records()}'
                    )
                )
            )
        if self.published is None and self.accept is not None and not self.accept(path):
            raise TransferError('refused: its content is of another kind (a page of the server in its place?)')


def _take_cached(target: Path, wanted: _Wanted, problems: list[str]) -> bool:
    """Return whether the copy in the cache is the right one; a wrong one goes, if a published checksum proves it."""
    try:
        wanted.check(target)
        return True
    except TransferError as error:
        if wanted.published is None:  # It may be a good file that someone put there by hand.
            raise DownloadError(f'{target}: {error}. To download it again, remove the file.') from error
    with locked(target):
        try:
            wanted.check(target)  # Another process may have brought the right one meanwhile.
            return True
        except TransferError:
            problems.append(f'{target}: the copy in the cache was damaged and is gone')
            target.unlink(missing_ok=True)
            return False


def _download(url: str, target: Path, wanted: _Wanted, progress: bool) -> None:
    if urlsplit(url).scheme not in ('http', 'https'):
        raise TransferError('avzoo reads http, https, file:// and plain paths')
    partial = target.with_name(f'.{target.name}.partial')
    while True:
        resumed = partial.exists()
        with _progress_bar(target.name, progress) as report:
            transfer(url, partial, size=wanted.size, checked_later=wanted.sha256 is not None, report=report)
        try:
            wanted.check(partial)
            break
        except TransferError:
            forget(partial)  # Going on from it would never bring the right file.
            if not resumed:
                raise
    os.replace(partial, target)
    forget(partial)


def _local_path(place: str) -> Path | None:
    if place.startswith('file://'):
        return Path(unquote(urlsplit(place).path))
    return None if '://' in place else Path(place)


def _records() -> Path:
    return cache_home() / 'recorded_checksums.json'


def _read_records() -> dict[str, dict]:
    path = _records()
    try:
        records = json.loads(path.read_text(encoding='utf-8'))
        if not all(isinstance(record['sha256'], str) for record in records.values()):
            raise ValueError('a SHA-256 is no text')
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(
            f'{path}, the record of checksums that nobody publishes, is damaged ({error}). Mend it, or '
            'delete it: the next downloads are then recorded anew.'
        ) from error
    return records


def _recorded(places: Sequence[str]) -> str | None:
    """Return the checksum that was recorded at the first download of a file without a published one."""
    return _read_records().get(places[0], {}).get('sha256') if places else None


def _recording(target: Path, places: Sequence[str], wanted: _Wanted) -> Path:
    """Record the checksum of a file for which none is published, once; returns the file."""
    if wanted.sha256 is None and places:
        facts = dict(sha256=sha256_of(target), size=target.stat().st_size, file=str(target))
        with locked(_records()):
            records = _read_records()
            if records.setdefault(places[0], facts) is facts:
                atomic_write_text(_records(), json.dumps(records, indent=2) + '\n')
    return target


def _failure_message(name: str, problems: list[str], wanted: _Wanted, target: Path) -> str:
    checksum = f'SHA-256 {wanted.published or "not published"}'
    if wanted.published is None and wanted.recorded:
        checksum += f', {wanted.recorded} at the first download'
    facts = [f'{wanted.size:,} bytes' if wanted.size else 'size not published', checksum]
    tried = ''.join(f'\n  {problem}' for problem in problems) or '\n  no address is known'
    return (
        f'{Path(name).name} ({", ".join(facts)}) could not be had:{tried}\n'
        f'Get the file by other means and put it at {target}'
    )


@contextlib.contextmanager
def _progress_bar(title: str, wanted: bool) -> Iterator[Report | None]:
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    with Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
