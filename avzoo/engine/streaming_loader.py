"""A loader that copies the next batches to the device while the model computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from avzoo.datasets.gfsl_dataset import GFSLDataset

_BATCHES = 4  # At once: one in use, three on their way, each read by its own thread to keep the disk busy.


class StreamingLoader(DataLoader):
    """Yield the batches of a data set with ``resident=False`` as the plain loader does, but prepare them in advance.

    Threads gather batches, while NumPy lets the main thread run, and launch their copies on a separate CUDA stream.
    Indices and random numbers are drawn only in the main thread, where exceptions are raised too. The threads end with
    the epoch, or when its iterator is dropped.
    """

    dataset: GFSLDataset
    batch_sampler: Iterable[list[int]]

    def __iter__(self) -> Iterator[dict]:  # type: ignore[override]  # A generator; there are no workers to manage.
        plain = super().__iter__()  # Draws a random number, which must precede those of the batches.
        device = self.dataset.streams_to
        if device is None or self.dataset.computed is not None:  # FusionCacheHook keeps features on the device.
            return plain
        return self._batches(_Copies(device))

    def _batches(self, copies: '_Copies') -> Iterator[dict]:
        coming: deque[Future] = deque()
        pool = ThreadPoolExecutor(_BATCHES, thread_name_prefix='batch', initializer=copies.begin_thread)
        try:
            for indices in self.batch_sampler:
                coming.append(pool.submit(copies.make, partial(self._batch, indices), copies.end_of_use()))
                if len(coming) == _BATCHES:
                    yield copies.hand_over(*coming.popleft().result())
            while coming:
                yield copies.hand_over(*coming.popleft().result())
        finally:
            pool.shutdown(cancel_futures=True)

    def _batch(self, indices: list[int]) -> dict:
        gathered: Any = self.dataset.__getitems__(indices)  # A list of samples for other data sets.
        return self.collate_fn(gathered)


def whole_batch(batch: Any) -> Any:
    """Return a batch gathered by the data set: there is nothing to collate."""
    return batch


class _Copies:
    """Copies of batches to a device: on a stream for a GPU; on a CPU there is nothing to wait for.

    Args:
        device: Where batches go.
    """

    def __init__(self, device: torch.device) -> None:
        self.stream = _stream_of(device) if device.type == 'cuda' else None

    def begin_thread(self) -> None:
        """Let a thread use only this stream, for its memory too, so that it never touches the model's stream."""
        if self.stream is not None:
            torch.cuda.set_stream(self.stream)  # Sets the device, too: the first may be another process's.

    def end_of_use(self) -> Any:
        """Return an event after everything launched so far, including the step of the last batch."""
        if self.stream is None:
            return None
        event = torch.cuda.Event(blocking=True)  # Threads that wait for it sleep.
        event.record(torch.cuda.current_stream(self.stream.device))
        return event

    def make(self, gather: Callable[[], dict], used: Any) -> tuple[dict, Any]:
        """Make a batch in a thread once an earlier one has been used; return it with the event after its copies.

        Without that wait, steps would be launched far ahead of the GPU, and each would hold a batch there.
        """
        if self.stream is None:
            return gather(), None
        used.synchronize()
        return gather(), self.stream.record_event()

    def hand_over(self, batch: dict, ready: Any) -> dict:
        """Let the computing stream wait for a batch, and keep the batch's memory until it has used it."""
        if self.stream is not None:
            current = torch.cuda.current_stream(self.stream.device)
            current.wait_event(ready)
            for tensor in _tensors(batch):
                if tensor.is_cuda:
                    tensor.record_stream(current)
        return batch


@cache
def _stream_of(device: torch.device) -> torch.cuda.Stream:
    """Return the stream for copies to a GPU: one for all epochs, since torch keeps freed memory separate per stream.

    Its priority differs from that of the streams on which graphs are captured: torch hands out 32 streams per priority
    in turn, so it could otherwise be one of those, and copies would become part of a graph.
    """
    return torch.cuda.Stream(device, priority=-1)


def _tensors(batch: dict) -> Iterator[Tensor]:
    for value in batch.values():
        if isinstance(value, dict):
            yield from _tensors(value)
        elif isinstance(value, Tensor):
            yield value
