"""Start and end times of clips in tables."""

import re

# Column of a table -> what its first line may call it
TIME_COLUMNS = {
    'start': ('start', 'start_time', 'start_seconds', 'start_sec', 'start_s', 'start_(s)', 'begin', 'onset'),
    'end': ('end', 'end_time', 'end_seconds', 'end_sec', 'end_s', 'end_(s)', 'stop', 'stop_(s)', 'offset'),
}
# Hours, or none, minutes, and seconds.
_CLOCK = re.compile(r'(?:(\d{1,3}):(?=\d\d:))?(\d{1,5}):([0-5]\d(?:\.\d*)?)', re.ASCII)


def seconds_of(text: str) -> float:
    """Return a number or a time of the clock in seconds; a comma inside a field is a decimal comma.

    Raises:
        ValueError: If it is neither.
    """
    text = text.replace(',', '.')
    if not (clock := _CLOCK.fullmatch(text)):
        return float(text)
    hours, minutes, seconds = clock.groups()
    if hours and int(minutes) > 59:
        raise ValueError(text)
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
