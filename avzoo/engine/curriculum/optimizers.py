"""Drop the optimizer's state from the checkpoints of finished phases: it is two thirds of their size and not needed."""

from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from avzoo.checkpoints.training import load_checkpoint, save_checkpoint
from avzoo.engine.curriculum.plan import Phase, plan_phases
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.log import log_line
from avzoo.utils.errors import CheckpointError


def drop_optimizers(cfg: Config, work_dir: Path, state: CurriculumState, done: set[Path]) -> None:
    """Rewrite the checkpoints of finished phases without the optimizer's state, where it cannot be needed again.

    Each file is replaced atomically, so a kill leaves the old or the new one; the next command continues with the rest.

    Args:
        cfg: The config of the curriculum; with ``curriculum.keep_optimizer`` nothing is dropped.
        work_dir: Its folder.
        state: What is finished.
        done: The files examined before; those examined now are added.
    """
    if cfg.curriculum.get('keep_optimizer', False) or not is_main_process():
        return
    for phase in (Phase.from_name(name) for name in state.phases):
        if not _is_needed(cfg, phase, state):
            paths = {work_dir / phase.name / name for name in ('best.pth', 'last.pth')} - done
            for path in sorted(paths):
                _drop(path)
            done |= paths


def _is_needed(cfg: Config, phase: Phase, state: CurriculumState) -> bool:
    """Return whether a phase may still start from this one's optimizer, perhaps again because its weights were lost."""
    if phase.substage == 'full' or not cfg.curriculum.full.get('carry_optimizer'):
        return False
    heirs = [one for one in plan_phases(range(cfg.curriculum.num_draws), phase.stage) if one.parent == phase]
    return any(one.name not in state.phases or (one.stage == 2 and str(one.draw) not in state.tests) for one in heirs)


def _drop(path: Path) -> None:
    if not path.is_file():
        return
    try:
        content = load_checkpoint(path)
        if 'optimizer' in content:
            save_checkpoint(path, {key: value for key, value in content.items() if key != 'optimizer'})
    except (CheckpointError, OSError) as error:  # A finished phase does not fail because a file stays large.
        log_line(f'WARNING: {path} keeps the state of the optimizer ({error}).')
