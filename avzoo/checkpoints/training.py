"""Training checkpoints: written atomically, read without executing anything, loaded strictly."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from avzoo.checkpoints.checksums import seal_zip, zip_is_intact
from avzoo.checkpoints.meta import check_meta
from avzoo.checkpoints.safe_load import load_tensors
from avzoo.checkpoints.zoo_weights import is_extra_state, read_zoo_weights
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import atomic_path

TRAINING_FORMAT = 'avzoo-checkpoint'


def save_checkpoint(path: str | os.PathLike[str], checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint with its checksum, so that ``path`` is either the old file or the complete new one."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    with atomic_path(path) as partial:
        partial.write_bytes(seal_zip(buffer.getvalue()))


def load_checkpoint(path: str | os.PathLike[str], *, sha256: str | None = None) -> dict[str, Any]:
    """Read a checkpoint that avzoo wrote, of training or of the zoo, and verify the checksum that it carries.

    Only tensors and plain Python values are read; a file that would run code is refused.

    Args:
        path: The file.
        sha256: SHA-256 of the whole file, where it was computed and compared just now: it is not computed again.

    Raises:
        CheckpointError: If the file is missing, damaged, not a checkpoint of avzoo, or holds foreign objects.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        return read_zoo_weights(path, sha256=sha256)
    if not path.is_file():
        raise CheckpointError(f'There is no checkpoint {path}. Check the path, or train first with tools/train.py.')
    data = path.read_bytes()
    intact = True if sha256 else zip_is_intact(data)
    if intact is False:
        raise CheckpointError(
            f'{path} is damaged or cut short: its content does not match the checksum in it. '
            'Copy it again or train again.'
        )
    hint = 'Use a checkpoint that avzoo wrote: copy it again or train again.'
    checkpoint = load_tensors(io.BytesIO(data), str(path), hint)
    _check_content(checkpoint, path)
    if intact is None:
        raise CheckpointError(
            f'{path} carries no checksum: it is damaged, or was not written by save_checkpoint of this version. '
            'Copy it again or train again.'
        )
    return checkpoint


def load_weights(model: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Load a state dict strictly.

    Raises:
        CheckpointError: If keys are missing, left over, or differ in shape; names the first few of each.
    """
    own = {k: v for k, v in model.state_dict().items() if not is_extra_state(k)}
    given = {k: v for k, v in state.items() if not is_extra_state(k)}
    problems = []
    missing, extra = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    shapes = [
        f'{k} {tuple(given[k].shape)} where the model has {tuple(own[k].shape)}'
        for k in sorted(own.keys() & given.keys())
        if given[k].shape != own[k].shape
    ]
    for title, names in (('missing', missing), ('not in the model', extra), ('of another shape', shapes)):
        if names:
            more = f' and {len(names) - 3} more' if len(names) > 3 else ''
            problems.append(f'{len(names)} {title}: {", ".join(names[:3])}{more}')
    if problems:
        raise CheckpointError(
            f'{source} does not fit the model of this config; {"; ".join(problems)}. '
            'Use the config that the checkpoint was trained with.'
        )
    # Compared above; not strict, since zoo weights come without the `_extra_state` of a part's optimizers.
    model.load_state_dict(state, strict=False)


def _check_content(checkpoint: Any, path: Path) -> None:
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if not isinstance(meta, dict) or meta.get('format') != TRAINING_FORMAT:
        raise CheckpointError(
            f'{path} is not a checkpoint of avzoo. One of the released AV-DIFF code is imported by '
            'tools/model_converters/avdiff_official.py.'
        )
    state = checkpoint.get('state_dict')
    if not isinstance(state, dict) or not all(isinstance(k, str) and _is_weight(k, v) for k, v in state.items()):
        raise CheckpointError(f'{path} holds no state_dict of tensors; it is damaged. Copy it again or train again.')
    if 'gamma' in state and not (state['gamma'].numel() == 1 and state['gamma'].is_floating_point()):
        raise CheckpointError(f'{path}: its calibration, the weight gamma, is not one number. Use another checkpoint.')
    check_meta(meta, path)


def _is_weight(key: str, value: Any) -> bool:
    """Return whether an entry of a state dict is a dense tensor with its data, or a part's private state."""
    if is_extra_state(key):
        return True
    dense = isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_nested
    return dense and not value.is_meta and not value.is_quantized
