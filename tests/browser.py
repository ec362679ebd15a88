"""A headless Chromium for tests of pages; they are skipped where there is none."""

import base64
import io
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_ARGUMENTS = (
    '--headless=new',
    '--no-sandbox',
    '--hide-scrollbars',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
)


@contextmanager
def chromium() -> Iterator['Browser']:
    """Start a browser, and end it; skips where Chromium, its driver or selenium is missing."""
    webdriver = pytest.importorskip('selenium.webdriver')
    program = next((path for name in ('chromium', 'google-chrome', 'chrome') if (path := shutil.which(name))), None)
    driver = shutil.which('chromedriver')
    if program is None or driver is None:
        pytest.skip('no chromium and chromedriver here')
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', dict(browser='ALL', performance='ALL'))
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield Browser(session)
    finally:
        session.quit()


class Browser:
    """A page in Chromium; parts of it are named by CSS selectors.

    Args:
        driver: A session of selenium.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.get(address)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page."""
        return self.driver.execute_script(script, *arguments)

    def text(self, css: str) -> str:
        return self.run('return document.querySelector(arguments[0])?.innerText ?? ""', css)

    def click(self, css: str) -> None:
        self._find(css).click()

    def write(self, css: str, text: str) -> None:
        """Type into a field; into a file field the paths of files, one a line."""
        self._find(css).send_keys(text)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        self._actions().send_keys(key).perform()

    def point_at(self, css: str) -> None:
        """Move the pointer over a part of the page."""
        self.run('document.querySelector(arguments[0]).scrollIntoView({block: "center"})', css)
        self._actions().move_to_element(self._find(css)).perform()

    def wait(self, holds: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait until something holds; returns what it gives."""
        until = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < until, f'message: {self.text("#message p")!r}'
            time.sleep(0.1)
        return found

    def shown_at(self, width: int, height: int = 800, *, dark: bool = False, media: str = '') -> None:
        """Give the page a size, and light or dark colours; ``print`` as ``media`` shows what is printed."""
        size = dict(width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._devtools('Emulation.setDeviceMetricsOverride', **size)
        scheme = dict(name='prefers-color-scheme', value='dark' if dark else 'light')
        self._devtools('Emulation.setEmulatedMedia', media=media, features=[scheme])

    def screenshot(self, path: Path, width: int, height: int | None = None, *, dark: bool = False) -> None:
        """Write a picture of the page, whole or its top, in 256 colours: it is kept in the repository."""
        from PIL import Image  # Comes with matplotlib.

        self.shown_at(width, height or 800, dark=dark)
        time.sleep(0.6)  # Bars move to their length.
        png = self._devtools('Page.captureScreenshot', format='png', captureBeyondViewport=height is None)['data']
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB').quantize(256, Image.Quantize.MAXCOVERAGE).save(
            path, optimize=True
        )

    def errors(self) -> list[str]:
        """Return what the console has shown since the last call, but for notes."""
        entries = self.driver.get_log('browser')
        return [entry['message'] for entry in entries if entry['level'] not in ('INFO', 'DEBUG')]

    def requests(self) -> set[str]:
        """Return where the page has sent requests since the last call."""
        events = (json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance'))
        sent = [event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent']
        return {re.match(r'(data|blob):|\w+://[^/]*', url)[0] for url in sent}

    def _find(self, css: str) -> Any:
        return self.driver.find_element('css selector', css)

    def _actions(self) -> Any:
        from selenium.webdriver import ActionChains  # Known to be there: a session runs.

        return ActionChains(self.driver)

    def _devtools(self, command: str, **parameters: object) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)
