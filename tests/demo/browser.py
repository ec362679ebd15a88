"""Chromium without a window, by the WebDriver protocol: nothing but the standard library is needed."""

import base64
import io
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next((path for name in ('chromium', 'google-chrome', 'chrome') if (path := shutil.which(name))), None)
DRIVER = shutil.which('chromedriver')
_ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # The protocol's name for a reference to an element.
_ARGUMENTS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--hide-scrollbars',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
)


class Browser:
    """A session of Chromium.

    Args:
        address: Of the session at the driver.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def open(self, address: str) -> None:
        self._call('POST', 'url', url=address)

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of a function in the page."""
        return self._call('POST', 'execute/sync', script=script, args=arguments)

    def text(self, css: str) -> str:
        return self.run('return document.querySelector(arguments[0])?.innerText ?? ""', css)

    def click(self, css: str) -> None:
        self._call('POST', f'element/{self._find(css)}/click')

    def write(self, css: str, text: str) -> None:
        """Type into a field; into a file field the paths of files, one a line."""
        self._call('POST', f'element/{self._find(css)}/value', text=text)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        keys = [dict(type=kind, value=key) for kind in ('keyDown', 'keyUp')]
        self._call('POST', 'actions', actions=[dict(type='key', id='keyboard', actions=keys)])

    def devtools(self, command: str, **parameters: object) -> Any:
        return self._call('POST', 'goog/cdp/execute', cmd=command, params=parameters)

    def wait(self, holds: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait until something holds; returns what it gives."""
        until = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < until, f'message: {self.text("#message p")!r}'
            time.sleep(0.1)
        return found

    def shown_at(self, width: int, *, dark: bool = False) -> None:
        """Give the page a width, and light or dark colours."""
        self.devtools('Emulation.setDeviceMetricsOverride', width=width, height=800, deviceScaleFactor=1, mobile=False)
        scheme = dict(name='prefers-color-scheme', value='dark' if dark else 'light')
        self.devtools('Emulation.setEmulatedMedia', features=[scheme])

    def screenshot(self, path: Path, width: int, *, dark: bool = False) -> None:
        """Write a picture of the whole page, in 256 colours: it is kept in the repository."""
        from PIL import Image  # Comes with the extra that reads videos, as the tests that use this do.

        self.shown_at(width, dark=dark)
        time.sleep(0.6)  # Bars move to their length.
        png = self.devtools('Page.captureScreenshot', format='png', captureBeyondViewport=True)['data']
        Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB').quantize(256, Image.Quantize.MAXCOVERAGE).save(
            path, optimize=True
        )

    def errors(self) -> list[str]:
        """Return what the console has shown since the last call, but for notes."""
        entries = self._call('POST', 'se/log', type='browser')
        return [entry['message'] for entry in entries if entry['level'] not in ('INFO', 'DEBUG')]

    def requests(self) -> set[str]:
        """Return where the page has sent requests since the last call."""
        events = (json.loads(entry['message'])['message'] for entry in self._call('POST', 'se/log', type='performance'))
        sent = [event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent']
        return {re.match(r'(data|blob):|\w+://[^/]*', url)[0] for url in sent}

    def close(self) -> None:
        _request('DELETE', self._address)

    def _find(self, css: str) -> str:
        return self._call('POST', 'element', using='css selector', value=css)[_ELEMENT]

    def _call(self, method: str, place: str, **body: object) -> Any:
        return _request(method, f'{self._address}/{place}', body)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, and end it."""
    with subprocess.Popen([DRIVER, '--port=0'], stdout=subprocess.PIPE, text=True) as driver:
        try:
            port = next(found[1] for line in driver.stdout if (found := re.search(r'on port (\d+)\.', line)))
            options = dict(binary=CHROMIUM, args=_ARGUMENTS)
            wanted = {'goog:chromeOptions': options, 'goog:loggingPrefs': dict(browser='ALL', performance='ALL')}
            address = f'http://127.0.0.1:{port}/session'
            session = _request('POST', address, dict(capabilities=dict(alwaysMatch=wanted)))
            browser = Browser(f'{address}/{session["sessionId"]}')
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()


def _request(method: str, address: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {'Content-Type': 'application/json'}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)['value']
