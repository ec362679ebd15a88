"""Refuse requests that the page's server must not serve."""

import hmac
from collections.abc import Collection
from email.message import Message

from avzoo.utils.errors import AvzooError

TOKEN_HEADER = 'X-Avzoo-Token'


class Refused(AvzooError):
    """A request that is not served.

    Args:
        status: HTTP status.
        message: One sentence, with the cure.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_host(headers: Message, hosts: Collection[str]) -> None:
    """Refuse a request that was sent to another host name.

    A foreign page can point its own name at 127.0.0.1 (DNS rebinding); the browser then sends that name.
    """
    if (headers.get_all('Host') or []) not in [[host] for host in hosts]:
        raise Refused(403, 'This is not the address shown in the terminal. Open that one.')


def check_caller(headers: Message, hosts: Collection[str], token: str) -> None:
    """Refuse requests that do not come from the page served by this run of the program."""
    origin = headers.get('Origin')
    if origin is not None and origin.removeprefix('http://') not in hosts:
        raise Refused(403, 'The request comes from another page.')
    if headers.get('Sec-Fetch-Site', 'same-origin') not in ('same-origin', 'none'):
        raise Refused(403, 'The request comes from another page.')
    if not hmac.compare_digest(headers.get(TOKEN_HEADER, '').encode(), token.encode()):
        raise Refused(401, 'This page is from an earlier run of the program. Open the address shown in the terminal.')


def body_length(headers: Message, most: int, what: str) -> int:
    """Return the length of a request's body.

    Raises:
        Refused: If it is missing, or above ``most`` bytes.
    """
    text = headers.get('Content-Length', '')
    if 'Transfer-Encoding' in headers or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(411, f'The length of {what[0].lower()}{what[1:]} is missing.')
    if int(text) > most:
        raise Refused(413, f'{what} is larger than {most / 1e6:,.0f} MB. Cut it, or start with a larger --max-mb.')
    return int(text)
