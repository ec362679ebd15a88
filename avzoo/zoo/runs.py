"""The folder that tools/train.py writes: its config, and the weights that answer for it."""

from pathlib import Path
from typing import Literal

from avzoo.utils.errors import CheckpointError
from avzoo.utils.launch_arguments import say
from avzoo.utils.regular_files import read_kept

RUN_CONFIG, _PROGRESS = 'config.py', 'curriculum.json'


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run, by the names of its files."""
    return all((folder / name).is_file() for name in (RUN_CONFIG, _PROGRESS))


def run_weights(folder: Path, substage: Literal['base', 'full']) -> Path:
    """Return the weights of a finished phase of stage 2, and say which.

    Args:
        folder: That of a run.
        substage: ``full``: of the first draw. ``base``: what new classes are taught to; where none was trained, the
            first draw.

    Raises:
        CheckpointError: If none is finished.
    """
    phases = read_kept(folder / _PROGRESS).get('phases')
    names = sorted(phases) if isinstance(phases, dict) else []  # The base sub-stage comes first, then draw by draw.
    names = [name for name in names if name.startswith('stage2_' if substage == 'base' else 'stage2_full')]
    files = [folder / name / file for name in names for file in ('best.pth', 'last.pth')]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise CheckpointError(
            f'The run {folder} has finished no {substage} sub-stage of stage 2. Go on with it (tools/train.py '
            '--resume), or name a checkpoint.'
        )
    say(f'Of the run {folder}, {found.relative_to(folder)} is used.')
    return found
