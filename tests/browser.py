"""A headless Chromium for tests of pages; skipped where there is none."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def open_browser() -> Iterator['Browser']:
    """Start Chromium and end it; skips where Chromium, its driver or selenium is missing."""
    webdriver = pytest.importorskip('selenium.webdriver')
    programs = [shutil.which(name) for name in ('chromium', 'chromedriver')]
    if not all(programs):
        pytest.skip('no chromium and chromedriver here')
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--hide-scrollbars'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """A page in Chromium."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def show(self, address: str, width: int, height: int = 900) -> None:
        """Open a page in a window of that size."""
        size = dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
        self.driver.get(address)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return its result."""
        return self.driver.execute_script(script, *arguments)

    def screenshot(self, path: Path, height: int) -> None:
        """Save the top of the page, so many pixels high."""
        width = self.run('return innerWidth')
        size = dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))

    def problems(self) -> list[str]:
        """Return what the page wrote to the console since the last call."""
        return [entry['message'] for entry in self.driver.get_log('browser')]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        events = [json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')]
        return [e['params']['request']['url'] for e in events if e['method'] == 'Network.requestWillBeSent']
