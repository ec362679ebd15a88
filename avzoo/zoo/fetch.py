"""Fetch a file from the first address that has it, and verify that it is the right one."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from avzoo.utils.cache import cache_home, is_offline
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_write_text, move, sha256_of
from avzoo.utils.lock import locked, sweep_lock
from avzoo.utils.paths import stays_inside
from avzoo.utils.printable import printable, quoted
from avzoo.utils.regular_files import read_json
from avzoo.zoo.http import Report, TransferError, forget, transfer


class DownloadError(AvzooError):
    """A file could not be downloaded, or the downloaded one was not the right one."""


def fetch(
    name: str,
    addresses: Sequence[str],
    *,
    sha256: str | None = None,
    size: int | None = None,
    accept: Callable[[Path], bool] | None = None,
    progress: bool = True,
) -> Path:
    """Return a verified local copy of a file.

    A copy in the cache is used if its checksum matches. Otherwise the addresses are tried in turn: paths and
    ``file://`` addresses are used in place; http downloads go to the cache through a temporary file. The SHA-256 of the
    whole file is checked every time, even on a cache hit. If none is published, that of the first file accepted by
    ``accept`` is recorded, and later files must match it.

    Args:
        name: File name in the cache, e.g. ``checkpoints/avdiff_ucf_5shot.safetensors``.
        addresses: URLs or paths, tried in this order.
        sha256: Checksum of the whole file, if one is published.
        size: Bytes, if known.
        accept: Returns whether a file is of the right kind, e.g. ``zipfile.is_zipfile``. It is called for files without
            a published checksum: their server may have sent a web page instead.
        progress: Show a progress bar on a terminal.

    Raises:
        DownloadError: If no address had it (names the file, its size and checksum, and where to put it manually), if
            the copy in the cache is not the one whose checksum was recorded, or if that record is damaged.
    """
    target = _place_in_cache(name)
    wanted = _Wanted(sha256, None if sha256 else _recorded(addresses), size, accept)
    problems: list[str] = []
    if target.is_file() and _take_cached(target, wanted, problems):
        for held in (target, _records()):  # Remains of a killed process.
            sweep_lock(held)
        forget(_partial(target))
        return _recording(target, addresses, wanted)
    for address in addresses:
        try:
            if (local := _local_path(address)) is not None:
                wanted.check(local)
                return local
            if is_offline():
                raise TransferError('AVZOO_OFFLINE=1 forbids network access')
            with locked(target):
                if target.is_file():  # Another process downloaded it meanwhile.
                    wanted.check(target)
                else:
                    _download(address, target, wanted, progress)
            return _recording(target, addresses, wanted)
        except (TransferError, OSError, ValueError) as error:  # ValueError: urllib's, for a malformed URL.
            problems.append(printable(f'{address}: {error}'))
    raise _failure(name, problems, wanted, target)


def _place_in_cache(name: str) -> Path:
    if not (stays_inside(name) and name.isprintable()):
        raise DownloadError(f'{quoted(name)} cannot be a file in the cache: nothing was downloaded. Fix the name.')
    return cache_home() / name


@dataclass(frozen=True)
class _Wanted:
    """How the right file is recognised.

    Attributes:
        published: Its published SHA-256.
        recorded: If none is published, the SHA-256 that was recorded at the first download.
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
            raise TransferError(f'refused: its SHA-256 is {found}, not {self.sha256}{self._origin()}')
        if self.published is None and self.accept is not None and not self.accept(path):
            raise TransferError('refused: it is another kind of file (perhaps a web page instead)')

    def _origin(self) -> str:
        if self.published:
            return ''
        return (
            ', which is not published but was recorded at the first download; if this file is the right one, delete '
            f'the record from {_records()}'
        )


def _take_cached(target: Path, wanted: _Wanted, problems: list[str]) -> bool:
    """Return whether the copy in the cache is the right one; remove it if a published checksum proves it wrong."""
    try:
        wanted.check(target)
        return True
    except TransferError as error:
        if wanted.published is None:  # The user may have put a good file there.
            raise DownloadError(f'{target}: {error}. To download it again, remove the file.') from error
    with locked(target):
        try:
            wanted.check(target)  # Another process may have downloaded it again.
            return True
        except TransferError:
            problems.append(f'{target}: the copy in the cache was damaged and has been removed')
            target.unlink(missing_ok=True)
            return False


def _download(url: str, target: Path, wanted: _Wanted, progress: bool) -> None:
    if urlsplit(url).scheme not in ('http', 'https'):
        raise TransferError('avzoo reads only http, https, file:// and plain paths')
    partial = _partial(target)
    while True:
        resumed = partial.exists()
        with _progress_bar(target.name, progress) as report:
            transfer(url, partial, size=wanted.size, checked_later=wanted.sha256 is not None, report=report)
        try:
            wanted.check(partial)
            break
        except TransferError:
            forget(partial)  # Resuming it can never yield the right file.
            if not resumed:
                raise
    move(partial, target)
    forget(partial)


def _partial(target: Path) -> Path:
    return target.with_name(f'.{target.name}.partial')


def _local_path(address: str) -> Path | None:
    if address.startswith('file://'):
        return Path(unquote(urlsplit(address).path))
    return None if '://' in address else Path(address)


def _records() -> Path:
    return cache_home() / 'recorded_checksums.json'


def _read_records() -> dict[str, dict]:
    path = _records()
    try:
        records = read_json(path)
        if not all(isinstance(record['sha256'], str) for record in records.values()):
            raise ValueError('a SHA-256 is not text')
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(
            f'{path}, the record of unpublished checksums, is damaged ({error}). Repair it, or delete it: '
            'the next downloads are then recorded again.'
        ) from error
    return records


def _recorded(addresses: Sequence[str]) -> str | None:
    """Return the checksum that was recorded at the first download of a file without a published one."""
    return _read_records().get(addresses[0], {}).get('sha256') if addresses else None


def _recording(target: Path, addresses: Sequence[str], wanted: _Wanted) -> Path:
    """Record the checksum of a file for which none is published, once; return the file."""
    if wanted.sha256 is None and addresses:
        facts = dict(sha256=sha256_of(target), size=target.stat().st_size, file=str(target))
        with locked(_records()):
            records = _read_records()
            if records.setdefault(addresses[0], facts) is facts:
                atomic_write_text(_records(), json.dumps(records, indent=2) + '\n')
    return target


def _failure(name: str, problems: list[str], wanted: _Wanted, target: Path) -> DownloadError:
    checksum = f'SHA-256 {wanted.published or "not published"}'
    if wanted.published is None and wanted.recorded:
        checksum += f', {wanted.recorded} at the first download'
    facts = [f'{wanted.size:,} bytes' if wanted.size else 'size not published', checksum]
    cure = f'Get the file some other way and put it at {target}'
    return DownloadError(
        f'{Path(name).name} ({", ".join(facts)}) could not be downloaded:',
        details=[*(problems or ['no address is known']), cure],
    )


@contextlib.contextmanager
def _progress_bar(title: str, wanted: bool) -> Iterator[Report | None]:
    if not wanted:
        yield None
        return
    # Only if a bar is shown: most files come from the cache.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    with Progress(
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
