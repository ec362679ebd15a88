"""How much memory may be used."""

import pytest

from avzoo.utils import memory

HOST = {'/proc/meminfo': 'MemTotal: 99 kB\nMemAvailable:    8000 kB\n'}
V2 = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current')
V1 = ('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory/memory.usage_in_bytes')


@pytest.mark.parametrize(
    ('files', 'free'),
    [
        ({}, None),
        (HOST, 8000 << 10),
        (HOST | {V2[0]: 'max\n', V2[1]: '5\n'}, 8000 << 10),
        (HOST | {V2[0]: '1000000\n', V2[1]: '400000\n'}, 600000),
        (HOST | {V1[0]: '1000000\n', V1[1]: '1400000\n'}, 0),
        (HOST | {V1[0]: '9223372036854771712\n', V1[1]: '5\n'}, 8000 << 10),
    ],
)
def test_the_limit_of_a_container_counts(monkeypatch, files, free):
    monkeypatch.setattr(memory, '_text', lambda path: files.get(path, ''))
    assert memory.available_memory() == free
