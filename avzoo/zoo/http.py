"""Download one file over http, resuming an earlier attempt."""

import errno
import http.client
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from avzoo.utils.regular_files import read_kept
from avzoo.zoo.watch import Watch

_CHUNK = 1 << 18
_LEAST_SPEED = 1 << 10  # Bytes per second; a modem of 1995 was three times as fast.
_WORTHWHILE = 1 << 16  # New bytes that count as progress of an attempt.
_MOST_BYTES = 100 << 30  # For a file whose size is neither published nor announced.
_RESERVE = 256 << 20  # Bytes of disk space that such a file leaves free.
_TIMEOUT = 30.0
_USER_AGENT = 'avzoo'

Report = Callable[[int, int | None], None]


class TransferError(Exception):
    """A URL did not deliver the whole file; the message says why in one line."""


def transfer(
    url: str,
    partial: Path,
    *,
    size: int | None = None,
    checked_later: bool = False,
    report: Report | None = None,
    attempts: int = 3,
    patience: float = 30.0,
    most: int = _MOST_BYTES,
) -> None:
    """Complete ``partial`` from ``url``.

    Existing bytes are kept if the server confirms that it still serves the same file, by the validator (ETag or date)
    that came with the first bytes and is stored in a file next to them. A broken connection is reopened as long as
    attempts bring new bytes. Connections that deliver less than 1 KiB per second are closed. Nothing is received for
    which the disk has no room.

    Args:
        url: An http or https URL.
        partial: File to complete.
        size: Bytes of the whole file, if known.
        checked_later: The caller checks the SHA-256 of the whole file, so it may be completed without confirmation.
        report: Called with the bytes so far, and the total if known.
        attempts: Number of consecutive attempts with hardly any new bytes after which to give up.
        patience: Number of seconds over which the speed is measured.
        most: Maximum bytes of a file whose size is not known.

    Raises:
        TransferError: If the file is still incomplete; what has arrived is kept for the next call.
    """
    fruitless, problem = 0, ''
    while fruitless < attempts:
        before = _size(partial)
        try:
            with Watch(patience, int(_LEAST_SPEED * patience)) as watch:
                _attempt(url, partial, size, checked_later, _Receiver(watch, report, most))
            return
        except _PermanentError as error:
            raise TransferError(str(error)) from error
        except (OSError, http.client.HTTPException, TransferError) as error:
            problem = str(error) or type(error).__name__
            if watch.hung_up:
                problem = f'the server sent less than {_LEAST_SPEED:,} bytes per second'
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                break
        fruitless = 0 if _size(partial) - before >= _WORTHWHILE else fruitless + 1
    raise TransferError(problem)


def forget(partial: Path) -> None:
    """Remove a partial file and the note next to it."""
    partial.unlink(missing_ok=True)
    _note(partial).unlink(missing_ok=True)


class _PermanentError(TransferError):
    """The same URL would return the same answer again."""


@dataclass(frozen=True)
class _Receiver:
    """Receives the bytes, up to a maximum, and reports them.

    Attributes:
        watch: Closes the connection if they arrive too slowly.
        report: See :func:`transfer`.
        most: See :func:`transfer`.
    """

    watch: Watch
    report: Report | None
    most: int

    def receive(self, response: http.client.HTTPResponse, file: IO[bytes], done: int, total: int | None) -> int:
        """Append what arrives to the ``done`` existing bytes; return the new number of bytes."""
        limit = self.most if total is None else total
        while chunk := response.read1(_CHUNK):  # `read` would wait for a whole chunk.
            self.watch.received(len(chunk))
            done += len(chunk)
            if done > limit:
                raise _Unfit(f'more than the {limit:,} bytes that {"fit" if total is None else "were announced"}')
            file.write(chunk)
            if self.report:
                self.report(done, total)
        return done


class _Unfit(_PermanentError):
    """What has been received is of no use to a later call either."""


def _attempt(url: str, partial: Path, size: int | None, checked_later: bool, receiver: _Receiver) -> None:
    have, validator = _size(partial), _validator(partial, url)
    if (have and validator is None and not checked_later) or (size is not None and have > size):
        forget(partial)
        have = 0
    if size is not None and have == size:
        return
    headers = {'User-Agent': _USER_AGENT, 'Accept-Encoding': 'identity'}
    if have:
        headers |= {'Range': f'bytes={have}-'} | ({'If-Range': validator} if validator else {})
    with _open(urllib.request.Request(url, headers=headers), partial, receiver.watch) as response:
        _check_answer(response, have)
        try:
            _receive(response, url, partial, have if response.status == 206 else 0, size, receiver)
        except _Unfit:
            forget(partial)
            raise


def _check_answer(response: http.client.HTTPResponse, have: int) -> None:
    """Refuse an answer that is neither the whole file nor the requested part."""
    if response.status not in (200, 206) or (response.status == 206 and not have):
        raise _PermanentError(f'the server answered with status {response.status} instead of the whole file')
    if response.status == 206 and not str(response.headers.get('Content-Range', '')).startswith(f'bytes {have}-'):
        raise TransferError('the server answered with a different range than requested')
    encoding = response.headers.get('Content-Encoding') or 'identity'
    if encoding != 'identity':
        raise _PermanentError(f'the server answered in the encoding {encoding}, which was not requested')


def _open(request: urllib.request.Request, partial: Path, watch: Watch) -> http.client.HTTPResponse:
    try:
        return _http_opener(watch).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # The remote file is no longer than the local part: start again.
            forget(partial)
            raise TransferError('the partial file on disk does not match') from error
        kind = _PermanentError if error.code in (400, 401, 403, 404, 410) else TransferError
        raise kind(f'HTTP {error.code} {error.reason}') from error
    except urllib.error.URLError as error:
        raise TransferError(str(error.reason)) from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, except from an encrypted connection to an unencrypted one."""

    def redirect_request(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers, newurl
    ) -> urllib.request.Request | None:
        if req.type == 'https' and not newurl.lower().startswith('https:'):
            raise _PermanentError(f'redirected from https to {newurl}, which was not followed')
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _http_opener(watch: Watch) -> urllib.request.OpenerDirector:
    """Return an opener for http and https only: the default one also follows redirects to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        *watch.handlers(),
        urllib.request.ProxyHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _receive(
    response: http.client.HTTPResponse, url: str, partial: Path, have: int, size: int | None, receiver: _Receiver
) -> None:
    total = size if response.length is None else have + response.length
    if size is not None and total is not None and total != size:
        raise _PermanentError(f'the remote file has {total} bytes, not {size}')
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - have > free:
        raise _PermanentError(f'{total - have:,} bytes are to come, but {partial.parent} has room for only {free:,}')
    receiver = replace(receiver, most=min(receiver.most, max(have + free - _RESERVE, 0)))
    if not have:
        _remember(partial, url, response.headers.get('ETag') or response.headers.get('Last-Modified'))
    with open(partial, 'ab' if have else 'wb') as file:
        done = receiver.receive(response, file, have, total)
        file.flush()
        os.fsync(file.fileno())
    if receiver.watch.hung_up or (total is None and not done):  # To http.client, either may look like a regular end.
        raise TransferError('the server sent nothing')
    if total is not None and done < total:  # Reading raises nothing if the connection ends early.
        raise TransferError(f'the connection ended after {done} of {total} bytes')


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _note(partial: Path) -> Path:
    return partial.with_name(f'{partial.name}.json')


def _remember(partial: Path, url: str, validator: str | None) -> None:
    # A weak ETag means equivalent content, not the same bytes.
    strong = validator if validator and not validator.startswith('W/') else None
    _note(partial).write_text(json.dumps(dict(url=url, validator=strong)), encoding='utf-8')


def _validator(partial: Path, url: str) -> str | None:
    note = read_kept(_note(partial))
    return note.get('validator') if note.get('url') == url else None
