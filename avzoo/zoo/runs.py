"""The folder that tools/train.py writes: its config, and the weights that represent it."""

import os
from pathlib import Path
from typing import Any, Literal

from avzoo.utils.errors import CheckpointError, shortened
from avzoo.utils.launch_arguments import say
from avzoo.utils.regular_files import read_json, unreadable

RUN_CONFIG, _PROGRESS = 'config.py', 'curriculum.json'


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run, judging by the names of its files."""
    return all(os.path.isfile(folder / name) for name in (RUN_CONFIG, _PROGRESS))  # Never raises, whatever the name.


def run_of(config: Path) -> Path | None:
    """Return the folder of the run to which a config file belongs, or ``None``."""
    return config.parent if config.name == RUN_CONFIG and is_run(config.parent) else None


def weights_in(phase: Path) -> Path | None:
    """Return the weights in the folder of a phase, the best ones if kept, or ``None``."""
    return next((file for file in (phase / 'best.pth', phase / 'last.pth') if file.is_file()), None)


def run_weights(folder: Path, substage: Literal['base', 'full']) -> Path:
    """Return the weights of a finished phase of stage 2, and report which.

    Args:
        folder: The folder of a run.
        substage: ``full``: those of the first draw. ``base``: those to which new classes are added; if none was
            trained, those of the first draw.

    Raises:
        CheckpointError: If none is finished, or the progress file is damaged.
    """
    # The base sub-stage comes first, then draw by draw, the tenth after the ninth.
    names = sorted(_finished(folder / _PROGRESS), key=lambda name: (len(name), name))
    names = [name for name in names if name.startswith('stage2_' if substage == 'base' else 'stage2_full')]
    found = next(filter(None, (weights_in(folder / name) for name in names)), None)
    if found is None:
        raise CheckpointError(
            f'The run {folder} has no weights of a finished {substage} sub-stage of stage 2. Continue it '
            '(tools/train.py --resume), or specify a checkpoint.'
        )
    say(f'Using {found.relative_to(folder)} of the run {folder}.')
    return found


def _finished(progress: Path) -> dict[str, Any]:
    """Return the finished phases of a run, by name."""
    try:
        phases = read_json(progress)['phases']
        if not isinstance(phases, dict):
            raise ValueError('its phases are not a dict')
    except OSError as error:
        raise unreadable(progress, error, CheckpointError) from error
    except (ValueError, KeyError, TypeError) as error:
        why = f'no {error}' if isinstance(error, KeyError) else shortened(error)
        raise CheckpointError(
            f'{progress}, which records the finished phases of the run, is damaged ({why}). Restore it, or add a '
            f'checkpoint after its folder, e.g. {progress.parent}/stage2_full_draw0/last.pth.'
        ) from error
    return phases
