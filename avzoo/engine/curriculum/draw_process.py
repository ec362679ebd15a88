"""The process of one draw. It writes only to the folder of its phase; the process waiting for it holds the lock."""

from pathlib import Path
from typing import Any

import torch
from mmengine.utils import import_modules_from_strings

from avzoo.config.plain import PlainConfig
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.progress import Progress
from avzoo.engine.curriculum.store_watch import StoreWatch
from avzoo.engine.curriculum.train_phase import run_phase
from avzoo.engine.task_process import serve
from avzoo.registry import import_parts
from avzoo.utils.errors import ConfigError


def main(messages: int) -> None:
    """Train a draw; see :func:`serve`."""
    serve(messages, train_draw)


def train_draw(task: dict[str, Any]) -> dict:
    """Train the phase of a task, see :func:`train_draws`; returns what it decided."""
    if task['gpus'] and not torch.cuda.is_available():
        raise ConfigError('--gpus: the GPU of this draw cannot be used. nvidia-smi -L lists those that can.')
    run, cfg = (PlainConfig(task[name], cfg_text=task['text'], filename=task['filename']) for name in ('run', 'cfg'))
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    import_parts()
    StoreWatch(cfg.data_root, Path(cfg.work_dir), cfg.num_shots).check(task['store_sha256'], keep=False)
    phases = [Phase.from_name(name) for name in task['phases']]
    progress = Progress(cfg, phases, task['outcomes'], jobs=task['jobs'])
    return run_phase(run, cfg, Phase.from_name(task['phase']), progress, task['chosen'])
