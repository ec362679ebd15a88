"""One process runs the networks, on a GPU for example; others decode, and send it their batches."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from threading import Lock, Thread
from typing import Any

import numpy as np

from avzoo.extraction.extractor import Compute, Extractor


class SharedNetworks:
    """What a decoding process gets: extractors without their networks, and pipes to these networks.

    It can only be sent to processes when they start.

    Args:
        extractors: Extractors whose networks stay where they are.
        ends: One end of a pipe for each process.
        free: Queue from which each process gets an index of ``ends``.
    """

    def __init__(self, extractors: Mapping[str, Extractor], ends: list[Connection], free: Any) -> None:
        self._extractors = {modality: copy.copy(extractor) for modality, extractor in extractors.items()}
        self._networks = [modality for modality, extractor in extractors.items() if extractor.compute is not None]
        for extractor in self._extractors.values():
            extractor.compute = None
        self._ends, self._free = ends, free

    def connected(self) -> dict[str, Extractor]:
        """Return extractors that use the networks of the other process. A process calls this once."""
        connection = self._ends[self._free.get()]
        for modality in self._networks:
            self._extractors[modality].compute = _Remote(modality, connection)
        return self._extractors


class _Remote:
    """A network in another process, as a function of arrays."""

    def __init__(self, modality: str, connection: Connection) -> None:
        self._modality, self._connection = modality, connection

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self._connection.send((self._modality, batch))
        found = self._connection.recv()
        if isinstance(found, Exception):
            raise found
        return found


@contextmanager
def serving(extractors: Mapping[str, Extractor], processes: int, context: SpawnContext) -> Iterator[SharedNetworks]:
    """Compute batches for other processes, one batch at a time, until the context ends.

    Args:
        extractors: Extractors whose networks are shared.
        processes: Number of client processes.
        context: Start method of these processes.
    """
    free = context.SimpleQueue()
    pipes = [context.Pipe() for _ in range(processes)]
    networks = {modality: e.compute for modality, e in extractors.items() if e.compute is not None}
    one_at_a_time = Lock()
    threads = []
    for i, (here, _) in enumerate(pipes):
        free.put(i)
        threads.append(Thread(target=_serve, args=(here, networks, one_at_a_time), daemon=True))
        threads[-1].start()
    try:
        yield SharedNetworks(extractors, [there for _, there in pipes], free)
    finally:
        for _, there in pipes:
            there.close()  # The last copy: the processes have ended. It wakes the thread at the other end.
        for thread in threads:
            thread.join()


def _serve(connection: Connection, networks: Mapping[str, Compute], one_at_a_time: Lock) -> None:
    with connection:
        while True:
            try:
                modality, batch = connection.recv()
            except (EOFError, OSError):
                return
            try:
                with one_at_a_time:
                    answer: Any = networks[modality](batch)
            except Exception as error:  # It is raised in the process that sent the batch.
                answer = error
            try:
                connection.send(answer)
            except OSError:
                return
