"""Counted nouns for messages."""


def number_of(count: int, one: str, many: str = '') -> str:
    """Return a count with its noun in the singular or plural.

    Args:
        count: The count.
        one: The noun, with a verb if it has to agree.
        many: The plural; by default with an s.

    Examples:
        >>> number_of(1, 'video'), number_of(0, 'class', 'classes'), number_of(2, 'clip has', 'clips have')
        ('1 video', '0 classes', '2 clips have')
    """
    return f'{count} {one if count == 1 else many or f"{one}s"}'
