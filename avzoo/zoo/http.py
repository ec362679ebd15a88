"""Download one file over http, resuming what an earlier attempt left."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_USER_AGENT = 'avzoo'

Report = Callable[[int, int | None], None]


class TransferError(Exception):
    """A URL did not give the whole file; the message says why in one line."""


def transfer(
    url: str,
    partial: Path,
    *,
    size: int | None = None,
    checked_later: bool = False,
    report: Report | None = None,
    attempts: int = 3,
) -> None:
    """Complete ``partial`` from ``url``.

    Bytes that are there already are kept if the server confirms that it still serves the same file. It does so by the
    validator (ETag or date) that came with the first bytes and is noted in a file beside them. A connection that breaks
    is opened again, as long as each attempt brings new bytes.

    Args:
        url: An http or https URL.
        partial: File to complete.
        size: Bytes of the whole file, where known.
        checked_later: The caller checks the SHA-256 of the whole file, so it may be completed without confirmation.
        report: Called with the bytes so far, and in all where known.
        attempts: Number of attempts in a row without a single new byte after which it gives up.

    Raises:
        TransferError: If the file is incomplete in the end; what there is of it stays for the next call.
    """
    fruitless, problem = 0, ''
    while fruitless < attempts:
        before = _size(partial)
        try:
            _attempt(url, partial, size, checked_later, report)
            return
        except _PermanentError as error:
            raise TransferError(str(error)) from error
        except (OSError, http.client.HTTPException, TransferError) as error:
            problem = str(error) or type(error).__name__
        fruitless = 0 if _size(partial) > before else fruitless + 1
    raise TransferError(problem)


def forget(partial: Path) -> None:
    """Remove a partial file and the note beside it."""
    partial.unlink(missing_ok=True)
    _note(partial).unlink(missing_ok=True)


class _PermanentError(TransferError):
    """The same URL would give the same answer again."""


def _attempt(url: str, partial: Path, size: int | None, checked_later: bool, report: Report | None) -> None:
    have, validator = _size(partial), _validator(partial, url)
    if have and validator is None and not checked_later:
        forget(partial)
        have = 0
    if size is not None and have == size:
        return
    headers = {'User-Agent': _USER_AGENT, 'Accept-Encoding': 'identity'}
    if have:
        headers |= {'Range': f'bytes={have}-'} | ({'If-Range': validator} if validator else {})
    with _open(urllib.request.Request(url, headers=headers), partial) as response:
        if response.status != 206 or not have:
            have = 0
        elif not str(response.headers.get('Content-Range', '')).startswith(f'bytes {have}-'):
            raise TransferError('the server answered with another range than was asked for')
        _receive(response, url, partial, have, size, report)


def _open(request: urllib.request.Request, partial: Path) -> http.client.HTTPResponse:
    try:
        return _http_opener().open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # The file there is not longer than the part here: start again.
            forget(partial)
            raise TransferError('the partial file on disk does not fit') from error
        kind = _PermanentError if error.code in (400, 401, 403, 404, 410) else TransferError
        raise kind(f'HTTP {error.code} {error.reason}') from error
    except urllib.error.URLError as error:
        raise TransferError(str(error.reason)) from error


def _http_opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only: the default one also follows redirects to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _receive(
    response: http.client.HTTPResponse, url: str, partial: Path, have: int, size: int | None, report: Report | None
) -> None:
    length = response.headers.get('Content-Length')
    total = have + int(length) if length and length.isdigit() else size
    if size is not None and total is not None and total != size:
        raise _PermanentError(f'the file there has {total} bytes, not {size}')
    if not have:
        _remember(partial, url, response.headers.get('ETag') or response.headers.get('Last-Modified'))
    done = have
    with open(partial, 'ab' if have else 'wb') as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            if total is not None and done > total:
                raise _PermanentError(f'more than the {total} bytes that were announced')
            if report:
                report(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:  # read() raises nothing if the connection ends early.
        raise TransferError(f'the connection ended after {done} of {total} bytes')


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _note(partial: Path) -> Path:
    return partial.with_name(f'{partial.name}.json')


def _remember(partial: Path, url: str, validator: str | None) -> None:
    # A weak ETag stands for equivalent content, not for the same bytes.
    strong = validator if validator and not validator.startswith('W/') else None
    _note(partial).write_text(json.dumps(dict(url=url, validator=strong)), encoding='utf-8')


def _validator(partial: Path, url: str) -> str | None:
    try:
        note = json.loads(_note(partial).read_text(encoding='utf-8'))
        return note['validator'] if note['url'] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
