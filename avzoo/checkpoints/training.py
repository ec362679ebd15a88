"""Training checkpoints: written atomically, read without executing anything, loaded strictly."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from avzoo.checkpoints.checksums import zip_ending, zip_is_intact
from avzoo.checkpoints.meta import check_meta
from avzoo.checkpoints.pickle_scan import check_pickle
from avzoo.checkpoints.plain_values import check_nesting
from avzoo.checkpoints.safe_load import load_tensors
from avzoo.checkpoints.sized_file import read_zip
from avzoo.checkpoints.states import check_fit, check_state
from avzoo.checkpoints.zoo_weights import read_zoo_weights
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import atomic_path

TRAINING_FORMAT = 'avzoo-checkpoint'


def save_checkpoint(path: str | os.PathLike[str], checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint with its checksum; ``path`` is always either the old file or the complete new one."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    data = buffer.getbuffer()
    with atomic_path(path) as partial, partial.open('wb') as file:
        file.write(data[:-2])
        file.write(zip_ending(data))


def load_checkpoint(path: str | os.PathLike[str], *, sha256: str | None = None) -> dict[str, Any]:
    """Read a checkpoint written by avzoo, from training or from the zoo, and verify the checksum stored in it.

    Only tensors and plain Python values are read; a file that would run code is refused.

    Args:
        path: The file.
        sha256: SHA-256 of the whole file if it has just been verified: it is not computed again.

    Raises:
        CheckpointError: If the file is missing, damaged, not a checkpoint of avzoo, or holds foreign objects.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        return read_zoo_weights(path, sha256=sha256)
    if not path.exists():
        raise CheckpointError(f'There is no checkpoint {path}. Check the path, or train first with tools/train.py.')
    data = read_zip(path)
    intact = True if sha256 else zip_is_intact(data)
    if intact is False:
        raise CheckpointError(
            f'{path} is damaged or cut short: its content does not match the checksum in it. '
            'Copy it again or train again.'
        )
    check_pickle(data, str(path))
    hint = 'Use a checkpoint that avzoo wrote: copy it again or train again.'
    checkpoint = load_tensors(io.BytesIO(data), str(path), hint)
    _check_content(checkpoint, path)
    if intact is None:
        raise CheckpointError(
            f"{path} has no checksum: it is damaged, or was not written by this version's save_checkpoint. "
            'Copy it again or train again.'
        )
    return checkpoint


def load_weights(model: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Load a state dict strictly.

    Raises:
        CheckpointError: If keys are missing, unexpected, or differ in shape or dtype; names the first few of each.
    """
    check_fit(model, state, source)
    # Compared above; not strict, since zoo weights lack the `_extra_state` of a part's optimizers.
    model.load_state_dict(state, strict=False)


def _check_content(checkpoint: Any, path: Path) -> None:
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if not isinstance(meta, dict) or meta.get('format') != TRAINING_FORMAT:
        raise CheckpointError(
            f'{path} is not an avzoo checkpoint. Import checkpoints of the released AV-DIFF code with '
            'tools/model_converters/avdiff_official.py.'
        )
    check_nesting(checkpoint, str(path))
    check_state(checkpoint.get('state_dict'), path)
    check_meta(meta, path)
