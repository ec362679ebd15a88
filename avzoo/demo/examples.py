"""The user's classes and their clips."""

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avzoo.demo.refusal import Refused
from avzoo.demo.seen import Look
from avzoo.demo.uploads import Limits


@dataclass(frozen=True)
class Clip:
    """A clip of a class.

    Attributes:
        id: Identifier for the page.
        name: The user's name for it; only shown.
        path: Its file.
        look: Its modalities and a picture.
    """

    id: str
    name: str
    path: Path
    look: Look


@dataclass
class ExampleClass:
    """A class and its clips."""

    id: str
    name: str
    clips: list[Clip] = field(default_factory=list)


class Examples:
    """The classes and clips of one run of the program; thread-safe.

    Args:
        limits: Largest numbers of classes and clips.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.RLock()
        self._classes: dict[str, ExampleClass] = {}
        self.version = 0

    def add_class(self, name: str) -> None:
        """Add a class without clips.

        Raises:
            Refused: If the name is empty or taken, or there are too many.
        """
        name = self.checked_name(name)
        with self._lock:
            if name in (one.name for one in self._classes.values()):
                raise Refused(422, f'There is already a class called {name}. Choose another name.')
            if len(self._classes) >= self._limits.classes:
                raise Refused(422, f'There are already {self._limits.classes} classes. Remove one first.')
            self._put(ExampleClass(secrets.token_hex(8), name))

    def check_room(self, class_id: str) -> None:
        """Refuse a clip if its class does not exist, or there are too many clips."""
        with self._lock:
            if class_id not in self._classes:
                raise Refused(404, 'This class was removed. Reload the page.')
            if sum(len(one.clips) for one in self._classes.values()) >= self._limits.clips:
                raise Refused(422, f'There are already {self._limits.clips} clips. Remove some first.')

    def add_clip(self, class_id: str, name: str, path: Path, look: Look) -> None:
        with self._lock:
            self.check_room(class_id)
            one = self._classes[class_id]
            one.clips.append(Clip(secrets.token_hex(8), name, path, look))
            self._put(one)

    def remove(self, wanted: str) -> list[Path]:
        """Remove a class or a clip; returns the files that are no longer needed."""
        with self._lock:
            if (whole := self._classes.pop(wanted, None)) is not None:
                self.version += 1
                return [clip.path for clip in whole.clips]
            for one in self._classes.values():
                if gone := [clip for clip in one.clips if clip.id == wanted]:
                    one.clips.remove(gone[0])
                    self._put(one)
                    return [gone[0].path]
        raise Refused(404, 'This has already been removed. Reload the page.')

    def labelled(self) -> list[tuple[Clip, str]]:
        """Return all clips with the names of their classes."""
        with self._lock:
            return [(clip, one.name) for one in self._classes.values() for clip in one.clips]

    def picture(self, clip_id: str) -> str:
        found = [clip.look.picture for clip, _ in self.labelled() if clip.id == clip_id]
        if not found:
            raise Refused(404, 'This clip was removed. Reload the page.')
        return found[0]

    def state(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                dict(id=one.id, name=one.name, clips=[dict(id=clip.id, name=clip.name) for clip in one.clips])
                for one in self._classes.values()
            ]

    def checked_name(self, name: object) -> str:
        """Return a name that can be shown; it is never a path.

        Raises:
            Refused: If it is empty or too long.
        """
        text = ' '.join(name.split()) if isinstance(name, str) else ''
        if not text or not text.isprintable() or len(text) > self._limits.name:
            raise Refused(422, f'A name must have 1 to {self._limits.name} characters. Choose another name.')
        return text

    def _put(self, one: ExampleClass) -> None:
        self._classes[one.id] = one
        self.version += 1
