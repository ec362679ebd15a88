"""Bring one file over http, going on where an earlier attempt broke off."""

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
    """A URL gave no complete file; says why in one line."""


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

    What is there already is kept if the server confirms that it still serves the same file, by the validator (ETag or
    date) of the first part, which stands beside it. A connection that breaks is opened again as long as each attempt
    brings something.

    Args:
        url: An http or https URL.
        partial: File to complete.
        size: Bytes of the whole file, where known.
        checked_later: A checksum will judge the whole file, so a part may be completed without such confirmation.
        report: Called with the bytes so far and in all.
        attempts: How often in a row to try without getting a single byte.

    Raises:
        TransferError: If the file is still incomplete in the end; the part stays for the next time.
    """
    fruitless, problem = 0, ''
    while fruitless < attempts:
        before = _size(partial)
        try:
            _attempt(url, partial, size, checked_later, report)
            return
        except _Hopeless as error:
            raise TransferError(str(error)) from error
        except (OSError, http.client.HTTPException, TransferError) as error:
            problem = str(error) or type(error).__name__
        fruitless = 0 if _size(partial) > before else fruitless + 1
    raise TransferError(problem)


def forget(partial: Path) -> None:
    """Remove a partial file and what was noted beside it."""
    partial.unlink(missing_ok=True)
    _note(partial).unlink(missing_ok=True)


class _Hopeless(TransferError):
    """Asking the same URL again would bring the same answer."""


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
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # Nothing beyond what is here, or another file: begin again.
            forget(partial)
            raise TransferError('the part on disk did not fit, starting again') from error
        kind = _Hopeless if error.code in (400, 401, 403, 404, 410) else TransferError
        raise kind(f'HTTP {error.code} {error.reason}') from error
    except urllib.error.URLError as error:
        raise TransferError(str(error.reason)) from error


def _receive(
    response: http.client.HTTPResponse, url: str, partial: Path, have: int, size: int | None, report: Report | None
) -> None:
    length = response.headers.get('Content-Length')
    total = have + int(length) if length and length.isdigit() else size
    if size is not None and total is not None and total != size:
        raise _Hopeless(f'the file there has {total} bytes, not {size}')
    if not have:
        _remember(partial, url, response.headers.get('ETag') or response.headers.get('Last-Modified'))
    done = have
    with open(partial, 'ab' if have else 'wb') as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            if total is not None and done > total:
                raise _Hopeless(f'more than the {total} bytes that were promised')
            if report:
                report(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:  # read() does not complain of a connection that ends early.
        raise TransferError(f'the connection ended after {done} of {total} bytes')


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _note(partial: Path) -> Path:
    return partial.with_name(f'{partial.name}.json')


def _remember(partial: Path, url: str, validator: str | None) -> None:
    # A weak ETag promises only a like content, not the same bytes.
    strong = validator if validator and not validator.startswith('W/') else None
    _note(partial).write_text(json.dumps(dict(url=url, validator=strong)), encoding='utf-8')


def _validator(partial: Path, url: str) -> str | None:
    try:
        note = json.loads(_note(partial).read_text(encoding='utf-8'))
        return note['validator'] if note['url'] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
