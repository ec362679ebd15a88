"""Count what a process does to the files of a folder, and kill it at one of these events."""

import builtins
import io
import os
import shutil
import signal
import sys

from avzoo.utils import atomic_folder

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_NAMED = {'os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.chmod', 'os.link', 'os.symlink', 'os.truncate'}
_AT = {'os.remove': 1, 'os.rmdir': 1, 'os.mkdir': 2}  # Where these events have the folder that a name is relative to.


class Events:
    """The changes of files below a folder, in this process: opened for writing, written, flushed, renamed, removed, ...

    Args:
        root: The folder.
        die_at: Number (from 1) of the event before which the process is killed; of a write, half is written before.
        by: The signal; or a folder, which is removed instead.
    """

    def __init__(self, root: str, die_at: int | None = None, by: int | str = signal.SIGKILL) -> None:
        self.root, self.die_at, self.by, self.seen = os.path.realpath(root), die_at, by, []

    def watch(self) -> None:
        """Begin. It cannot be undone: call it in a forked process."""
        real_open, real_fsync, real_exchange, events = io.open, os.fsync, atomic_folder.exchange, self

        class File(io.FileIO):
            def write(self, data):
                events.happen('write', self.name, lambda: super(File, self).write(memoryview(data)[: len(data) // 2]))
                return super().write(data)

        def watched_open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, **more):
            if not set(mode) & set('wax+') or not isinstance(file, str | os.PathLike) or buffering == 0:
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, **more)
            raw = File(file, mode.replace('b', '').replace('t', ''), **more)
            buffered = (io.BufferedRandom if '+' in mode else io.BufferedWriter)(raw)
            if 'b' in mode:
                return buffered
            text = io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
            text.mode = mode
            return text

        def watched_fsync(descriptor):
            self.happen('fsync', descriptor)
            real_fsync(descriptor)

        def watched_exchange(one, other):
            self.happen('exchange', one)
            return real_exchange(one, other)

        io.open = builtins.open = watched_open
        os.fsync, atomic_folder.exchange = watched_fsync, watched_exchange
        sys.addaudithook(self._hear)

    def happen(self, what: str, name, half=None) -> None:
        """Note an event if it is below the folder, and die if it is the one."""
        path = self._path(name)
        short = path.removeprefix(self.root + os.sep)
        # mmengine reads a config by way of such temporary files, of whose names nobody else knows.
        if short == path or short.startswith('tmp/tmp'):
            return
        self.seen.append(f'{what} {short}')
        if len(self.seen) == self.die_at:
            if half is not None:
                half()
            os.kill(os.getpid(), self.by) if isinstance(self.by, int) else shutil.rmtree(self.by)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == 'open' and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self.happen('open', arguments[0])
        elif event in _NAMED:
            folder, name = arguments[_AT[event]] if event in _AT else -1, arguments[0]
            below = '' if folder in (-1, None) else self._path(folder)
            # An open file has no folder; `os.ftruncate` is heard as `os.truncate`.
            place = name if isinstance(name, int) else os.path.join(below, os.fsdecode(name))
            self.happen(event.removeprefix('os.'), place)

    @staticmethod
    def _path(name) -> str:
        if isinstance(name, int):
            return os.readlink(f'/proc/self/fd/{name}')
        return os.path.abspath(os.fsdecode(name))
