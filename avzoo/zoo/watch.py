"""Close connections that deliver too slowly; a socket timeout would restart with each byte."""

import http.client
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from types import TracebackType
from typing import Any


class Watch:
    """Watch the connections of one download, including headers and redirects.

    Args:
        seconds: Interval between checks.
        least: Bytes that must have arrived since the last check.

    Attributes:
        hung_up: Whether the server was too slow.
    """

    def __init__(self, seconds: float, least: int) -> None:
        self.seconds, self.least, self.hung_up = seconds, least, False
        self._received, self._sockets, self._over = 0, list[socket.socket](), threading.Event()

    def __enter__(self) -> 'Watch':
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._over.set()

    def received(self, count: int) -> None:
        """Count bytes that have arrived."""
        self._received += count

    def handlers(self) -> list[urllib.request.BaseHandler]:
        """Return the handlers that open watched connections, for a urllib opener."""
        return [_HttpHandler(self), _HttpsHandler(self)]

    def watched(self, kind: type[http.client.HTTPConnection]) -> Any:
        """Return a class of connections like ``kind`` that are watched."""
        sockets = self._sockets

        class Watched(kind):  # type: ignore[valid-type, misc]
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return Watched

    def _look(self) -> None:
        seen, connected = 0, False
        while not self._over.wait(self.seconds):
            # Connecting has its own time limit; a connection is judged by its first whole interval.
            if connected and self._received - seen < self.least:
                self.hung_up = True
                for one in self._sockets:
                    with suppress(OSError):  # Not the method of an SSL socket, which another thread is reading.
                        socket.socket.shutdown(one, socket.SHUT_RDWR)
                return
            seen, connected = self._received, bool(self._sockets)


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._watch.watched(http.client.HTTPConnection), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        connection = self._watch.watched(http.client.HTTPSConnection)
        return self.do_open(connection, req, context=ssl.create_default_context())
