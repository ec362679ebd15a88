"""The folder that tools/train.py writes: its config, and the weights that answer for it."""

import os
from pathlib import Path
from typing import Any, Literal

from avzoo.utils.errors import CheckpointError, shortened
from avzoo.utils.launch_arguments import say
from avzoo.utils.regular_files import read_json, unreadable

RUN_CONFIG, _PROGRESS = 'config.py', 'curriculum.json'


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run, by the names of its files."""
    return all(os.path.isfile(folder / name) for name in (RUN_CONFIG, _PROGRESS))  # Of no name an error.


def run_of(config: Path) -> Path | None:
    """Return the folder of the run whose config a file is, or ``None``."""
    return config.parent if config.name == RUN_CONFIG and is_run(config.parent) else None


def weights_in(phase: Path) -> Path | None:
    """Return the weights in the folder of a phase, the best where they were kept, or ``None``."""
    return next((file for file in (phase / 'best.pth', phase / 'last.pth') if file.is_file()), None)


def run_weights(folder: Path, substage: Literal['base', 'full']) -> Path:
    """Return the weights of a finished phase of stage 2, and say which.

    Args:
        folder: That of a run.
        substage: ``full``: of the first draw. ``base``: what new classes are taught to; where none was trained, the
            first draw.

    Raises:
        CheckpointError: If none is finished, or the file that says so is damaged.
    """
    # The base sub-stage comes first, then draw by draw, the tenth after the ninth.
    names = sorted(_finished(folder / _PROGRESS), key=lambda name: (len(name), name))
    names = [name for name in names if name.startswith('stage2_' if substage == 'base' else 'stage2_full')]
    found = next(filter(None, (weights_in(folder / name) for name in names)), None)
    if found is None:
        raise CheckpointError(
            f'The run {folder} has no weights of a finished {substage} sub-stage of stage 2. Go on with it '
            '(tools/train.py --resume), or name a checkpoint.'
        )
    say(f'Of the run {folder}, {found.relative_to(folder)} is used.')
    return found


def _finished(progress: Path) -> dict[str, Any]:
    """Return the finished phases of a run, by name."""
    try:
        phases = read_json(progress)['phases']
        if not isinstance(phases, dict):
            raise ValueError('its phases are no dict')
    except OSError as error:
        raise unreadable(progress, error, CheckpointError) from error
    except (ValueError, KeyError, TypeError) as error:
        why = f'no {error}' if isinstance(error, KeyError) else shortened(error)
        raise CheckpointError(
            f'{progress}, which says what is finished of the run, is damaged ({why}). Restore it, or name a checkpoint '
            f'behind the run, e.g. {progress.parent}/stage2_full_draw0/last.pth.'
        ) from error
    return phases
