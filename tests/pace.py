"""Saves time of the tests as a whole: what no test looks at is done once, and what takes long starts first."""

import gc
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.forked import keep_a_copy

# The files that take longest: started last, one of them would keep one process busy while the others wait.
LONGEST = (
    'docs/test_notebooks.py',
    'hostile/test_hostile_inputs.py',
    'engine/test_curriculum.py',
    'tools/test_train_tool.py',
    'tools/test_test_tool.py',
    'reproduction/test_run.py',
    'test_leaf_configs.py',
    'extraction/test_extract.py',
    'engine/test_fusion_cache.py',
    'utils/test_compat.py',
    'demo/test_page.py',
    'models/test_recomposition.py',
    'engine/test_choose.py',
    'engine/test_optimizers.py',
    'apis/test_adapt.py',
    'zoo/test_wheel_zoo.py',
    'apis/test_speed.py',
    'engine/test_history.py',
    'engine/test_pictures.py',
    'engine/test_phase_runner.py',
    'models/test_generative_methods.py',
    'models/test_feature_diffusion.py',
    'engine/test_average_hook.py',
)


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # Of xdist: to begin with the file of most tests.


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, 'workerinput'):  # One of several processes.
        ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_collection_finish() -> None:
    """Leave the thousands of tests and all modules out of every later collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


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
