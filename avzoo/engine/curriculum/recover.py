"""Continue a run whose checkpoints were damaged by a power cut or a full disk."""

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.checkpoints.checksums import zip_is_intact
from avzoo.checkpoints.meta import feature_set_of
from avzoo.checkpoints.training import load_checkpoint
from avzoo.datasets.feature_set import FeatureSet, compare_feature_sets
from avzoo.engine.curriculum.plan import Phase, start_file
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.hooks import best_epoch
from avzoo.engine.log import log_line, warn_once
from avzoo.engine.phase_runner import WITHOUT_OPTIMIZER
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import atomic_path


def forget_lost(cfg: Config, work_dir: Path, state: CurriculumState, phases: Sequence[Phase]) -> None:
    """Mark a finished phase as unfinished if other phases need its weights and they are damaged: it then runs again.

    Training is repeatable, so what the other phases and the tests decided stays valid. Usually nothing is trained, see
    :func:`checkpoint_to_resume`.

    Args:
        cfg: The config of the curriculum.
        work_dir: Its folder.
        state: What is finished.
        phases: The phases of this run.
    """
    lost: list[str] = []
    for phase in phases if dist.is_main_process() else ():
        children = [one for one in phases if one.parent == phase and one.name not in state.phases]
        to_test = phase.stage == 2 and phase.substage == 'full' and str(phase.draw) not in state.tests
        needed = phase.name in state.phases and (children or to_test)
        carried = {'last.pth'} if cfg.curriculum.full.get('carry_optimizer') else set()
        files = [work_dir / phase.name / name for name in sorted({start_file(cfg, phase)} | carried)]
        if needed and any(_read(path) is None for path in files):
            log_line(f'WARNING: {phase.name} runs again because its weights are lost.')
            lost.append(phase.name)
    for name in _as_main(lost):
        del state.phases[name]


def checkpoint_to_resume(folder: Path, monitor: str) -> Path | None:
    """Return the checkpoint that a phase resumes from; ``None`` if it starts over.

    That is ``last.pth``. If it is damaged, it becomes a copy of the earlier ``best.pth``. A damaged ``best.pth``
    becomes a copy of ``last.pth`` if that is from the same epoch; otherwise the phase starts over, and the old file is
    kept as ``last.pth.damaged``. The main process decides for all.

    Args:
        folder: The phase's folder.
        monitor: The metric that chooses the best epoch.
    """
    last = folder / 'last.pth'
    goes_on = dist.is_main_process() and last.is_file() and _mend(folder, monitor)
    return last if _as_main([goes_on])[0] else None


def _mend(folder: Path, monitor: str) -> bool:
    """Replace a damaged checkpoint with the other one if possible; return whether there is one to resume from."""
    last, best = folder / 'last.pth', folder / 'best.pth'
    content = _read(last)
    history = content['meta'].get('history') or [] if content else []
    source: Path | None = last
    if content is None:
        earlier = _read(best) if best.is_file() else None  # More epochs follow, so the optimizer is needed.
        source = best if earlier is not None and 'optimizer' in earlier else None
    elif any(monitor in entry for entry in history) and _read(best) is None:
        source = last if best_epoch(history, monitor) == len(history) else None
    else:
        return True
    if source is None:
        last.replace(last.with_name('last.pth.damaged'))
    else:
        _copy(source, best if source == last else last)
    log_line(f'{folder.name} resumes from {source.name}.' if source else f'{folder.name} starts over.')
    return source is not None


def _as_main(decided: list[Any]) -> list[Any]:
    """Return what the main process decided; the others wait for it."""
    shared = [decided]
    dist.broadcast_object_list(shared)
    return shared[0]


def named_checkpoint(path: Path, phase: Phase, seed: int, features: FeatureSet) -> Path:
    """Return the checkpoint that a user named, if a phase can resume from it.

    Raises:
        CheckpointError: If it is from another phase or seed, or not a training checkpoint.
        DataError: If it was trained on other features than those of the run's store.
    """
    content = load_checkpoint(path)
    of, its_seed = content['meta'].get('phase'), content['meta'].get('seed')
    if of != phase.name or its_seed != seed:
        raise CheckpointError(
            f'--resume {path}: this is a checkpoint of {of} with seed {its_seed}, but the run continues with '
            f'{phase.name} and seed {seed}. Omit the path to resume from the newest one.'
        )
    if 'optimizer' not in content:
        raise CheckpointError(f'--resume {path}: it {WITHOUT_OPTIMIZER}')
    trained = feature_set_of(content['meta'], path)
    warn_once(compare_feature_sets(trained, features, {**trained.texts, **features.texts}), about=path)
    return path


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as partial:
        shutil.copyfile(source, partial)


def _read(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint; ``None``, and a line in the log, where it is missing or damaged."""
    try:
        return load_checkpoint(path)
    except CheckpointError as error:
        if not _is_damaged(path):  # The machine is at fault, not the file: too little memory, or no permission.
            raise
        log_line(f'WARNING: {error}')
        return None


def _is_damaged(path: Path) -> bool:
    """Return whether a checkpoint is missing, empty, not a zip, or no longer has the content it was written with."""
    if not path.exists():
        return True
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return not data or not zipfile.is_zipfile(path) or zip_is_intact(data) is False
