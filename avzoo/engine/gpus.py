"""The GPUs that a command specifies for the processes that it starts."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

from avzoo.utils.errors import ConfigError

# It imports nothing from the folder in which it is started.
_COUNT = 'import sys; sys.path = [one for one in sys.path if one]; import torch; print(torch.cuda.device_count())'


def gpu_ids(text: str) -> list[str]:
    """Read ids of GPUs: ``0-7``, ``0,2`` or both, or names such as ``GPU-8f2a``.

    Raises:
        ConfigError: If a range is invalid or an id is repeated.
    """
    ids: list[str] = []
    for part in map(str.strip, text.split(',')):
        numbers = re.fullmatch('([0-9]{1,3})(?:-([0-9]{1,3}))?', part)
        found = [part] if part.startswith(('GPU-', 'MIG-')) else []
        if numbers:
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            found = [str(number) for number in range(first, last + 1)]
        if not found:
            raise ConfigError(f"--gpus accepts ids such as 0-7 or 0,2, got '{text}'.")
        ids += found
    if len(set(ids)) < len(ids):
        raise ConfigError(f'--gpus {text}: an id is repeated. With more --jobs than GPUs, several jobs share one.')
    return ids


def check_gpus(ids: Sequence[str]) -> None:
    """Refuse GPUs that a run could not use: without its GPU it would train on the CPU.

    Numbers are compared with those that this process may use. A name may be abbreviated, so a process started with it
    reports whether it sees a GPU.

    Raises:
        ConfigError: Names the first that is not there.
    """
    if not ids:
        return
    import torch  # Here, so that the tool starts quickly.

    visible, count = os.environ.get('CUDA_VISIBLE_DEVICES'), torch.cuda.device_count()
    known = list(map(str, range(count)))
    if visible and count:  # Otherwise none of them works.
        known = [one.strip() for one in visible.split(',') if one.strip()]
    for one in ids:
        if not known or (one.isdecimal() and one not in known and all(map(str.isdecimal, known))):
            here = ', '.join(known) or 'none'
            raise ConfigError(f'--gpus: there is no GPU {one} here; available: {here}. Omit --gpus to use the CPU.')
    named = tuple(one for one in ids if not one.isdecimal())
    for one, count in zip(named, _counts_seen_with(named), strict=True):
        if not count:
            raise ConfigError(f'--gpus: there is no GPU {one} here. nvidia-smi -L lists their names.')


@cache
def _counts_seen_with(names: tuple[str, ...]) -> list[int]:
    """Return for each name how many GPUs a process sees that is started with it."""
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', _COUNT],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | dict(CUDA_VISIBLE_DEVICES=name),
        )
        for name in names
    ]
    return [int(process.communicate()[0] or 0) for process in processes]
