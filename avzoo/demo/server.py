"""The server of the page: on this computer only, for this run only."""

import errno
import os
import secrets
import shutil
import socketserver
import sys
import tempfile
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from avzoo.demo.handler import DemoHandler, Site, page_files
from avzoo.demo.saved import SavedClassifiers
from avzoo.demo.trial import Trial
from avzoo.demo.uploads import Limits
from avzoo.utils.cli import show
from avzoo.utils.errors import ConfigError
from avzoo.utils.files import make_folder

_LOOPBACK = '127.0.0.1'
_WAIT = 2.0  # Seconds for a job to end.


class DemoServer(ThreadingHTTPServer):
    """Serve the page and its requests on the loopback address.

    Args:
        trial: What the requests work on.
        port: Port, or 0 for a free one.

    Raises:
        ConfigError: If the port is in use.
    """

    daemon_threads = True
    allow_reuse_address = os.name == 'posix'  # On Windows it would share the port with another program.

    def __init__(self, trial: Trial, port: int) -> None:
        try:
            super().__init__((_LOOPBACK, port), BaseHTTPRequestHandler)  # See finish_request.
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise ConfigError(
                f'--port {port} is in use or reserved. Choose another one, or 0 for a free one.'
            ) from None
        hosts = frozenset(f'{name}:{self.server_port}' for name in (_LOOPBACK, 'localhost'))
        self.site = Site(trial, page_files(), hosts, secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """The address to open; the part after ``#`` is not sent, but the page puts it in a header."""
        return f'http://{_LOOPBACK}:{self.server_port}/#{self.site.token}'

    def server_bind(self) -> None:
        """Bind without the parent's name-server lookup of the address."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        DemoHandler(request, client_address, self, site=self.site)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def serve_demo(
    folder: str | os.PathLike[str],
    *,
    port: int = 0,
    classifier: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    browser: bool = True,
) -> None:
    """Serve the page until the process is interrupted.

    Args:
        folder: Folder to write to: clips, which are deleted at the end, and saved classifiers.
        port: Port on this computer, or 0 for a free one.
        classifier: Folder of a classifier to start with.
        limits: Limits on what the page may send.
        browser: Whether to open the page in a browser.
    """
    folder = Path(folder)
    make_folder(folder)
    clips = Path(tempfile.mkdtemp(prefix='clips-', dir=folder))
    try:
        trial = Trial(clips, SavedClassifiers(folder / 'classifiers'), limits or Limits())
        if classifier is not None:
            trial.load(Path(classifier), Path(classifier).name)
        with DemoServer(trial, port) as server:
            show(f'Open {server.address}\nStop with Ctrl-C. Saved classifiers: {trial.saved.folder}')
            if browser:
                webbrowser.open(server.address)
            try:
                server.serve_forever(poll_interval=0.2)
            finally:
                trial.worker.stop(_WAIT)
    finally:
        shutil.rmtree(clips, ignore_errors=True)
