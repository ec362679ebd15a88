"""Extract clips in this process or in several."""

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from avzoo.extraction.build import build_extractor, check_device
from avzoo.extraction.clips import Clip
from avzoo.extraction.extract import Failure, Settings, Stamps, extract_all, extract_clip, stamps_of
from avzoo.extraction.extractor import Extractor
from avzoo.extraction.shared_networks import SharedNetworks, serving
from avzoo.utils.errors import AvzooError

Specs = Mapping[str, tuple[str, Mapping[str, Any]]]

# The state of a pool process; its networks are built when they are first needed.
_worker: dict[str, Any] = {}


class Workers:
    """Extractors, and the processes that use them.

    One job runs in this process. Several jobs run in as many single-threaded processes. On a CPU, each has its own
    networks, and this process has none; on other devices, only this process has networks, and the others decode for it.

    Args:
        specs: Spec and options of each modality's extractor.
        settings: How clips are read.
        jobs: Number of processes.
        device: Device for the networks.
        shared: Whether only this process has networks; by default unless the device is a CPU.

    Examples:
        >>> with Workers(specs, Settings(), jobs=2) as workers:
        ...     out = open_folder('features', workers.stamps(), Settings())
        ...     failures = workers.extract(find_clips('videos'), out)
    """

    def __init__(
        self, specs: Specs, settings: Settings, *, jobs: int = 1, device: str = 'cpu', shared: bool | None = None
    ) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._pool: ProcessPoolExecutor | None = None
        self._extractors: dict[str, Extractor] | None = None
        check_device(device)
        if shared is None:
            shared = torch.device(device).type != 'cpu'
        if jobs == 1 or shared:
            self._extractors = build_all(specs, device)
        if jobs > 1:
            # Not forked: threads of torch, and CUDA, do not survive that.
            context = multiprocessing.get_context('spawn')
            source: Specs | SharedNetworks = specs
            if self._extractors is not None:
                source = self._stack.enter_context(serving(self._extractors, jobs, context))
            self._pool = ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(source, settings, device))

    def __enter__(self) -> 'Workers':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def stamps(self) -> Stamps:
        """Return what determines the features, and the package versions.

        Raises:
            AvzooError: If an extractor cannot be built.
        """
        if self._extractors is not None:
            return stamps_of(self._extractors)
        return self._result_of(self._require_pool().submit(_stamps))

    def extract(
        self, clips: list[Clip], out: Path, on_progress: Callable[[int, int], None] | None = None
    ) -> list[Failure]:
        """Extract the clips; returns the failures.

        Args:
            clips: The clips.
            out: The folder that :func:`~avzoo.extraction.extract.open_folder` made.
            on_progress: Called with (clips done, all clips).
        """
        if self._pool is None:
            return extract_all(clips, out, self._extractors or {}, self._settings, on_progress)
        failures = []
        waiting = [self._pool.submit(_extract, clip, out) for clip in clips]
        for done, future in enumerate(as_completed(waiting), 1):
            failure = self._result_of(future)
            if failure is not None:
                failures.append(failure)
            if on_progress is not None:
                on_progress(done, len(clips))
        return failures

    def _require_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            raise RuntimeError('there are no processes')
        return self._pool

    def _result_of(self, future: Any) -> Any:
        try:
            return future.result()
        except BrokenProcessPool:
            raise AvzooError(
                'a process of --jobs was killed, perhaps for lack of memory. Finished clips are kept: '
                'repeat the command with fewer --jobs.'
            ) from None


def build_all(specs: Specs, device: str = 'cpu') -> dict[str, Extractor]:
    """Build the extractor of each modality."""
    return {modality: build_extractor(spec, modality, options, device) for modality, (spec, options) in specs.items()}


def _start(source: Specs | SharedNetworks, settings: Settings, device: str) -> None:
    torch.set_num_threads(1)
    _worker.update(source=source, settings=settings, device=device)


def _extractors() -> dict[str, Extractor]:
    # Not when the process starts: an error there would only break the pool.
    if 'extractors' not in _worker:
        source = _worker['source']
        is_shared = isinstance(source, SharedNetworks)
        _worker['extractors'] = source.connected() if is_shared else build_all(source, _worker['device'])
    return _worker['extractors']


def _stamps() -> Stamps:
    return stamps_of(_extractors())


def _extract(clip: Clip, out: Path) -> Failure | None:
    return extract_clip(clip, out, _extractors(), _worker['settings'])
