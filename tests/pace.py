"""Saves time of the tests as a whole: what no test looks at is done once, and what takes long starts first."""

import gc
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.forked import keep_a_copy

# The files that take longest: started last, one of them would keep one process busy while the others wait.
LONGEST = (
    'hostile/test_hostile_inputs.py',
    'test_leaf_configs.py',
    'engine/test_curriculum.py',
    'docs/test_notebooks.py',
    'models/test_recomposition.py',
    'demo/test_page.py',
    'faults/test_every_event.py',
    'engine/test_optimizers.py',
    'speed/test_speed.py',
    'models/test_generative_methods.py',
    'extraction/test_extractors.py',
    'zoo/test_wheel_zoo.py',
    'utils/test_compat.py',
    'engine/test_fusion_cache.py',
    'engine/test_choose.py',
    'apis/test_adapt.py',
    'extraction/test_extract.py',
    'engine/test_fit_loop.py',
    'report/test_page.py',
    'models/test_feature_diffusion.py',
    'hostile/test_fuzz_weights.py',
    'apis/test_few_shot.py',
    'engine/test_phase_runner.py',
    'hostile/test_fuzz_data.py',
    'docs/test_site.py',
    'avdiff_release/test_export_checkpoint.py',
    'models/test_part_contracts.py',
    'tools/test_test_tool.py',
    'report/test_trained_draw.py',
    'engine/test_average_hook.py',
    'datasets/test_bombs.py',
    'utils/test_cache.py',
    'faults/test_host_faults.py',
    'engine/test_history.py',
    'models/test_cpu_kernels.py',
    'tools/test_train_tool.py',
)

_LEAST_FREE = 6 << 30  # Bytes; all tests together write 2 GB.


def pytest_configure(config: pytest.Config) -> None:
    keep_temporary_files_in_memory()
    gone = [name for name in LONGEST if not (Path(__file__).parent / name).is_file()]
    if gone:
        raise pytest.UsageError(f'tests/pace.py names files that are not there: {", ".join(gone)}')
    config.option.loadscopereorder = False  # Of xdist: to begin with the file of most tests.


def keep_temporary_files_in_memory() -> None:
    """Tests write and delete tens of thousands of small files; a disk can take milliseconds for each."""
    memory = Path('/dev/shm')
    if 'TMPDIR' in os.environ or not os.access(memory, os.W_OK | os.X_OK):
        return
    facts = os.statvfs(memory)
    if facts.f_bavail * facts.f_frsize >= _LEAST_FREE and not facts.f_flag & os.ST_NOEXEC:
        os.environ['TMPDIR'] = str(memory)
        tempfile.tempdir = None  # It is chosen anew.


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, 'workerinput'):  # One of several processes.
        ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_collectstart() -> None:
    """Collect no garbage until all tests are there: importing makes many objects and hardly any garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave the thousands of tests and all modules out of every later collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Before anything is trained, as no copy of this process could train after that."""
    if session.items and hasattr(os, 'fork'):
        keep_a_copy()


def remember_what_mmengine_asks_again() -> None:
    """Each run formats whole configs: the same text is formatted once."""
    from mmengine.config import config

    formatted: dict[tuple[str, str], Any] = {}
    format_code = config.FormatCode

    def remembered(text: str, **options: Any) -> Any:
        key = text, json.dumps(options, sort_keys=True)
        if key not in formatted:
            formatted[key] = format_code(text, **options)
        return formatted[key]

    config.FormatCode = remembered
