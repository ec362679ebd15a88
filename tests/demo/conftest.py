import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from avzoo.demo.saved import SavedClassifiers
from avzoo.demo.server import DemoServer
from avzoo.demo.trial import Trial
from avzoo.demo.uploads import Limits

SMALL = Limits(file_bytes=2_000_000, total_bytes=3_000_000, clips=3, classes=3, name=40)


@contextmanager
def served(folder: Path, limits: Limits) -> Iterator[DemoServer]:
    """A running server whose files lie in a folder."""
    clips = folder / 'clips'
    clips.mkdir()
    with DemoServer(Trial(clips, SavedClassifiers(folder / 'classifiers'), limits), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.site.trial.worker.stop(30)
            server.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path) -> Iterator[DemoServer]:
    with served(tmp_path, SMALL) as running:
        yield running


@pytest.fixture(scope='module')
def roomy_server(tmp_path_factory) -> Iterator[DemoServer]:
    with served(tmp_path_factory.mktemp('demo'), Limits()) as running:
        yield running
