"""Wait for the other processes of a run: not silently, and not forever."""

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed as dist

from avzoo.utils.errors import AvzooError, ConfigError, first_line
from avzoo.utils.printable import printable

_PATIENCE = 300.0  # Seconds: on several nodes the imports alone may take a minute or two.
_QUIET = 5.0  # Seconds of silent waiting.


def roll_call(rank: int, size: int, *, patience: float = _PATIENCE, quiet: float = _QUIET) -> dist.Store:
    """Meet the other processes at ``MASTER_ADDR:MASTER_PORT``, and return the store that they share.

    Args:
        rank: Rank of this process.
        size: Number of processes.
        patience: Seconds to wait for all of them.
        quiet: Seconds after which a line says what is being waited for.

    Raises:
        ConfigError: If some do not arrive in time, two have the same rank, the port is in use, or no machine has that
            name.
    """
    place = f'{printable(os.environ["MASTER_ADDR"])}:{os.environ["MASTER_PORT"]}'
    try:
        _check_name(os.environ['MASTER_ADDR'])
        with _said_after(quiet, f'Process {rank} of {size} waits for the others at {place} for up to {patience:g} s.'):
            if rank:
                _await_listener(os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']), patience)
            return _meet(rank, size, timedelta(seconds=patience))
    except (RuntimeError, OSError, ValueError) as error:  # The first covers those of torch.distributed.
        raise ConfigError(
            f'process {rank} of {size} did not meet the others at {place}: {printable(first_line(error))} Start all '
            f'{size} processes with the same MASTER_ADDR and a MASTER_PORT that is free there, each with its own RANK '
            f'from 0 to {size - 1}; for a single process, omit --launcher.'
        ) from error


@contextmanager
def lost_process_reported(cure: str) -> Iterator[None]:
    """Report the loss of another process of the run in one line.

    Args:
        cure: How to continue.

    Raises:
        AvzooError: If a connection broke, or another process did not answer in time.
    """
    try:
        yield
    except RuntimeError as error:
        if not dist.is_initialized() or not _is_of_connection(error):
            raise
        # Without the source location in gloo at its start, and the advice at its end.
        reason = printable(re.sub(r'^\[\S*\] ', '', str(error).splitlines()[0]).split('. ')[0])
        raise AvzooError(
            f'the connection to another process of this run was lost ({reason}): that process has ended or is not '
            f'responding. See its output. {cure}'
        ) from error


def _check_name(host: str) -> None:
    """Refuse an unknown host name at once: waiting would not help, and torch would wait for minutes."""
    try:
        socket.getaddrinfo(host, None)
    except (socket.gaierror, UnicodeError) as error:
        if getattr(error, 'errno', None) != socket.EAI_AGAIN:
            raise ConnectionError('no machine with that name is known.') from error


def _await_listener(host: str, port: int, patience: float) -> None:
    """Wait until process 0 listens: torch would print a long stack trace for each attempt."""
    end = time.monotonic() + patience
    while True:
        try:
            socket.create_connection((host, port), timeout=max(end - time.monotonic(), 0.1)).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise ConnectionError(f'no process is listening there ({error.strerror or error}).') from error
        time.sleep(0.2)


def _meet(rank: int, size: int, patience: timedelta) -> dist.Store:
    store, *_ = next(dist.rendezvous('env://', rank, size, timeout=patience))
    if store.add(f'avzoo/present/{rank}', 1) > 1:
        raise ValueError(f'another process also has rank {rank}.')
    try:
        store.wait([f'avzoo/present/{i}' for i in range(size)], patience)
    except RuntimeError as error:
        missing = [str(i) for i in range(size) if not store.check([f'avzoo/present/{i}'])]
        raise ValueError(f'no process arrived with rank {", ".join(missing)}.') from error
    store.set_timeout(dist.constants.default_pg_timeout)
    return store


@contextmanager
def _said_after(seconds: float, text: str) -> Iterator[None]:
    timer = threading.Timer(seconds, print, [text], dict(file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _is_of_connection(error: RuntimeError) -> bool:
    text = str(error)
    signs = ('gloo', 'NCCL', 'Connection closed', 'Connection reset', 'Broken pipe')
    return isinstance(error, dist.DistError) or any(sign in text for sign in signs)
