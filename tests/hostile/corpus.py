"""The parts of the corpus: named inputs, each with the call that reads it and what must come of it."""

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.hostile.material import Material

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
REFUSED, ACCEPTED = 'refused', 'accepted'
EITHER = f'{REFUSED} or {ACCEPTED}'  # Where both do no harm.


@dataclass(frozen=True)
class Call:
    """A call of a tool, or of a function.

    Args:
        tool: Path of the tool below ``tools/``, without its suffix; or a function without arguments.
        argv: The tool's arguments.
    """

    tool: str | Callable[[], Any]
    argv: Sequence[Any] = ()

    def main(self, argv: Sequence[str] | None) -> int | None:
        """Run it as a tool would be."""
        if isinstance(self.tool, str):
            return load_tool(self.tool).main(argv)
        self.tool()
        return 0


Make = Callable[[Path, Material], Call]


@dataclass(frozen=True)
class Input:
    """A hostile input.

    Args:
        reader: What reads it.
        name: What it is.
        make: Writes it into a folder, and returns the call that reads it.
        expected: ``refused``, ``accepted``, or ``EITHER``.
        alone: Whether it needs a process of its own, since it changes more than files.
    """

    reader: str
    name: str
    make: Make
    expected: str
    alone: bool = False


class Part:
    """The inputs of one reader.

    Args:
        reader: Its name.
        alone: Whether each input needs a process of its own.
    """

    def __init__(self, reader: str, *, alone: bool = False) -> None:
        self.reader, self.alone = reader, alone
        self.inputs: list[Input] = []

    def add(self, name: str, make: Make, expected: str = REFUSED) -> None:
        """Add an input."""
        self.inputs.append(Input(self.reader, name, make, expected, self.alone))

    def each(
        self, make: Callable[..., Call], values: dict[str, Any], expected: str = REFUSED, prefix: str = ''
    ) -> None:
        """Add an input for each named value, which ``make`` takes as its last argument."""
        for name, value in values.items():
            self.add(prefix + name, lambda folder, material, value=value: make(folder, material, value), expected)


@functools.cache
def load_tool(name: str) -> ModuleType:
    """Import a tool by its path."""
    path = TOOLS / f'{name}.py'
    sys.path.insert(0, str(path.parent))  # As for a script; tools in tools/misc import each other.
    try:
        spec = importlib.util.spec_from_file_location(f'hostile_{path.stem}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module
