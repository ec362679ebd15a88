"""Let a process clean up, as after Ctrl-C, when it is asked to end."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Sent by `kill`, a batch system or a container, and by a terminal that is closed.
_SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """The process was asked to end.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f'stopped by {signal.Signals(number).name}')
        self.exit_code = 128 + number


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Raise :class:`Stopped` when the process is asked to end; an ignored signal, as with nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may set signal handlers.
        return
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # A forked loader worker, which has nothing to clean up.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for other in handled:  # Cleaning up must not be interrupted.
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    handled = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
