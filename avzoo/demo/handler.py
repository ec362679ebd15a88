"""Handle the page's requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from avzoo.demo.refusal import Refused, body_length, check_caller, check_host
from avzoo.demo.trial import Trial
from avzoo.demo.worker import in_a_sentence
from avzoo.utils.errors import AvzooError
from avzoo.utils.host_errors import host_error

PAGE = Path(__file__).parent / 'page'
_KINDS = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml'}
_HEADERS = {
    'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(self), microphone=(self), geolocation=()',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Cache-Control': 'no-store',
}
_MOST_JSON = 10_000
_MOST_DRAINED = 1 << 20


def page_files() -> dict[str, tuple[str, bytes]]:
    """Return the files of the page by their paths: media type and content. No other file is ever served."""
    found = {f'/{path.name}': (_KINDS[path.suffix], path.read_bytes()) for path in PAGE.iterdir() if path.is_file()}
    return {'/': found['/index.html'], **found}


@dataclass(frozen=True)
class Site:
    """What is served, and to whom.

    Attributes:
        trial: What the requests work on.
        files: The page, as returned by :func:`page_files`.
        hosts: Accepted host names with the port.
        token: Key that the page has to send.
    """

    trial: Trial
    files: dict[str, tuple[str, bytes]]
    hosts: frozenset[str]
    token: str


class DemoHandler(BaseHTTPRequestHandler):
    """Handle one connection.

    Args:
        connection: The connection, its client's address and the server, as passed by ``socketserver``.
        site: What is served.
    """

    protocol_version = 'HTTP/1.1'
    server_version, sys_version = 'avzoo', ''
    timeout = 30  # Seconds without a byte.

    def __init__(self, *connection: Any, site: Site) -> None:
        self.site = site
        super().__init__(*connection)  # Answers the requests.

    def do_GET(self) -> None:
        self._serve('GET')

    def do_POST(self) -> None:
        self._serve('POST')

    def do_DELETE(self) -> None:
        self._serve('DELETE')

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows only the address and internal errors."""

    def _serve(self, method: str) -> None:
        # The rest of a body would be read as the next request.
        self._unread = self.headers.get('Content-Length', '0') != '0' or 'Transfer-Encoding' in self.headers
        try:
            status, kind, content = self._answer(method)
        except (TimeoutError, ConnectionError):
            self.close_connection = True
            return
        except Refused as refused:
            status, kind, content = refused.status, *_json(dict(error=str(refused)))
        except Exception as error:
            known = isinstance(error, AvzooError)
            code = 422 if known else 507 if host_error(error) else 500
            status, kind, content = code, *_json(dict(error=in_a_sentence(error)))
        self._send(status, kind, content)

    def _answer(self, method: str) -> tuple[int, str, bytes]:
        check_host(self.headers, self.site.hosts)
        path = self.path.partition('?')[0]
        if method == 'GET' and path in self.site.files:
            return 200, *self.site.files[path]
        check_caller(self.headers, self.site.hosts, self.site.token)
        place, _, argument = path.removeprefix('/api/').partition('/')
        call = self._calls().get((method, place)) if path.startswith('/api/') else None
        if call is None:
            raise Refused(404, 'There is nothing at this address.')
        return 200, *_json(call(argument))

    def _calls(self) -> dict[tuple[str, str], Callable[[str], Any]]:
        """Return the function of each path; it gets the rest of the path, which is an identifier or empty."""
        trial = self.site.trial
        return {
            ('GET', 'state'): lambda _: trial.state(),
            ('GET', 'answer'): lambda _: trial.answer,
            ('GET', 'picture'): lambda clip: dict(picture=trial.examples.picture(clip)),
            ('POST', 'classes'): lambda _: trial.examples.add_class(self._value('name')),
            ('POST', 'clips'): self._take_clip,
            ('POST', 'teach'): lambda _: trial.teach(self._value('modalities')),
            ('POST', 'ask'): self._ask,
            ('POST', 'stop'): lambda _: trial.worker.stop(),
            ('POST', 'save'): lambda _: dict(folder=str(trial.save(self._value('title')))),
            ('POST', 'load'): self._load,
            ('DELETE', 'examples'): trial.remove,
        }

    def _take_clip(self, class_id: str) -> None:
        trial = self.site.trial
        trial.examples.check_room(class_id)
        trial.take_clip(class_id, self._name(), self._upload())

    def _ask(self, _: str) -> None:
        trial = self.site.trial
        trial.classifier()  # Refused before anything is read.
        trial.ask(self._name(), self._upload())

    def _load(self, _: str) -> None:
        trial = self.site.trial
        folder = trial.saved.path_of(self._value('id'))
        trial.load(folder, trial.saved.titles()[folder.name])

    def _name(self) -> str:
        return self.site.trial.examples.checked_name(unquote(self.headers.get('X-Clip-Name', 'clip')))

    def _upload(self) -> Path:
        trial = self.site.trial
        length = body_length(self.headers, trial.limits.file_bytes, 'The clip')
        path = trial.uploads.receive(self.rfile, length)
        self._unread = False
        return path

    def _value(self, key: str) -> Any:
        """Return a value of the JSON object that the body holds."""
        length = body_length(self.headers, _MOST_JSON, 'The request')
        text = self.rfile.read(length)
        self._unread = len(text) < length
        try:
            return json.loads(text)[key]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused(400, 'The request is malformed. Reload the page.') from None

    def _send(self, status: int, kind: str, content: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header('Content-Type', f'{kind}; charset=utf-8')
            self.send_header('Content-Length', str(len(content)))
            if self._unread:
                self.send_header('Connection', 'close')
            self.end_headers()
            self.wfile.write(content)
            if self._unread:
                self._drain()
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def _drain(self) -> None:
        """Read part of what the browser is still sending: only then does it read the answer."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.settimeout(0.5)
        left = _MOST_DRAINED
        while left > 0 and (chunk := self.rfile.read1(min(left, 1 << 16))):
            left -= len(chunk)


def _json(value: Any) -> tuple[str, bytes]:
    return 'application/json', json.dumps({} if value is None else value).encode()
