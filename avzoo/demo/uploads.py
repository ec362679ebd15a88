"""Files sent by the page, under names chosen by the server."""

import io
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from avzoo.demo.refusal import Refused

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Limits:
    """What the page may send.

    Attributes:
        file_bytes: Size of one clip.
        total_bytes: Size of all clips together.
        clips: Number of clips.
        classes: Number of classes.
        name: Characters in a name.
    """

    file_bytes: int = 200_000_000
    total_bytes: int = 2_000_000_000
    clips: int = 400
    classes: int = 40
    name: int = 80


class Uploads:
    """A folder of uploaded files; their names are random, and no text from a request becomes part of a path.

    Args:
        folder: An existing folder.
        limits: Largest file size and total size.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self._lock = threading.Lock()
        self._sizes: dict[Path, int] = {}

    def receive(self, stream: io.BufferedIOBase, length: int) -> Path:
        """Write ``length`` bytes of a stream to a new file; it is removed if they do not all arrive.

        Raises:
            Refused: If the stream ends early, or the sum of the files is too large.
        """
        path = self.folder / secrets.token_hex(8)
        with self._lock:
            if sum(self._sizes.values()) + length > self.limits.total_bytes:
                most = self.limits.total_bytes / 1e6
                raise Refused(413, f'All clips together are larger than {most:,.0f} MB. Remove some.')
            self._sizes[path] = length
        try:
            with path.open('xb') as file:
                _copy(stream, file, length)
        except BaseException:
            self.remove(path)
            raise
        return path

    def remove(self, path: Path) -> None:
        """Delete a received file."""
        with self._lock:
            if self._sizes.pop(path, None) is not None:
                path.unlink(missing_ok=True)


def _copy(source: io.BufferedIOBase, target: io.BufferedIOBase, length: int) -> None:
    left = length
    while left:
        chunk = source.read(min(left, _CHUNK))
        if not chunk:
            raise Refused(400, 'The upload broke off. Send the clip again.')
        target.write(chunk)
        left -= len(chunk)
