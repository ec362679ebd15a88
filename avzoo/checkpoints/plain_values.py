"""What a weight file holds besides its tensors: nested dicts and lists of limited size."""

from typing import Any

from avzoo.utils.errors import CheckpointError

_MAX_DEPTH = 100
_MAX_COST = 64 << 20  # Characters; a value counts as 32.


def check_nesting(content: Any, source: str) -> None:
    """Refuse values that are nested too deeply, contain themselves, or would be far larger than the file when copied.

    A pickle may hold one list a thousand times, and that list another one: walking through them would never end.

    Raises:
        CheckpointError: If there are such values.
    """
    cost, stack = 0, [(content, 0)]
    while stack:
        value, depth = stack.pop()
        cost += 32 + (len(value) if isinstance(value, str) else 0)
        if depth > _MAX_DEPTH or cost > _MAX_COST:
            raise CheckpointError(
                f'{source} is damaged or was changed: it holds values that are nested too deeply or endlessly. '
                'Copy it again or train again.'
            )
        if isinstance(value, dict):
            stack += [(item, depth + 1) for pair in value.items() for item in pair]
        elif isinstance(value, list | tuple | set):
            stack += [(item, depth + 1) for item in value]
