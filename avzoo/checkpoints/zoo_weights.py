"""Published weights: one safetensors file, which cannot hold code, and the same facts as readable JSON beside it."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import atomic_write_text, sha256_of

FORMAT = 'avzoo-weights'
_HALF_ERROR = 1e-3  # Rounding that is still accepted, about that of values below 4.
_META = 'avzoo'  # Key of the facts in the header of the safetensors file.


def write_published(
    path: str | Path, state_dict: dict[str, torch.Tensor], meta: dict[str, Any], *, half: bool = False
) -> Path:
    """Write ``path`` and, with the suffix ``.json``, its facts with size and SHA-256.

    Args:
        path: File ending in ``.safetensors``.
        state_dict: The weights. What is no tensor (``_extra_state``) is left out.
        meta: Plain values: config, classes, base_mask, data_info, gamma, ...
        half: Store matrices in half precision; reading gives single precision again.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = dict(meta, format=FORMAT)
    tensors = {
        key: _stored(value.detach().cpu(), half)
        for key, value in state_dict.items()
        if isinstance(value, torch.Tensor) and not is_extra_state(key)
    }
    partial = path.with_name(f'.{path.name}.partial')
    try:
        save_file(tensors, partial, metadata={'format': 'pt', _META: json.dumps(meta, sort_keys=True)})
        facts = dict(meta, file=path.name, size=partial.stat().st_size, sha256=sha256_of(partial))
        partial.chmod(0o666 & ~_umask())  # safetensors makes files that only their owner reads.
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    atomic_write_text(_json_of(path), json.dumps(facts, indent=2, ensure_ascii=False) + '\n')
    return path


def read_published(path: str | Path) -> dict[str, Any]:
    """Read published weights; returns ``dict(meta=..., state_dict=...)`` like a training checkpoint.

    Raises:
        CheckpointError: If the file is missing, damaged, not one of avzoo, or not the one that its JSON describes.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'There are no weights {path}. Check the path.')
    facts = _facts_beside(path)
    try:
        with safe_open(path, 'pt') as file:
            header = file.metadata() or {}
            state = {key: _single(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118, it is no dict
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f'{path} is no readable safetensors file (damaged, cut short, or something else under '
            f'that name): {error}. Fetch it again.'
        ) from error
    try:
        meta = json.loads(header[_META])
        if meta['format'] != FORMAT:
            raise ValueError(f'format {meta["format"]!r}')
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f'{path} holds weights, but not of a model of avzoo ({error}). '
            'tools/model_converters/ turns checkpoints into published weights.'
        ) from error
    if contradicted := [key for key in meta if key in facts and _plain(facts[key]) != _plain(meta[key])]:
        raise CheckpointError(
            f'{_json_of(path)} says another {contradicted[0]} than {path.name} itself: one of them '
            'was changed by hand. Fetch both again, or delete the JSON.'
        )
    return dict(meta=meta, state_dict=state)


def is_extra_state(key: str) -> bool:
    """Return whether an entry of a state dict is a part's private state, such as its optimizer's, and no weight."""
    return key.split('.')[-1] == '_extra_state'


def _stored(tensor: torch.Tensor, half: bool) -> torch.Tensor:
    if half and tensor.dtype == torch.float32 and tensor.dim() > 1:
        rounded = tensor.half()
        # Large values stay as they are: the frequencies of a Fourier embedding would be off by whole radians.
        if (rounded.float() - tensor).abs().max() < _HALF_ERROR:
            tensor = rounded
    return tensor.contiguous().clone()  # Tensors that share memory are refused by safetensors.


def _single(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _facts_beside(path: Path) -> dict[str, Any]:
    """Return the JSON that lies beside the file, after holding the file to its SHA-256; empty if there is none."""
    json_path = _json_of(path)
    try:
        facts = json.loads(json_path.read_text(encoding='utf-8'))
        expected = facts['sha256']
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f'{json_path} does not describe the weights beside it ({type(error).__name__}: {error}): '
            'it is damaged or of another kind. Fetch it again, or delete it.'
        ) from error
    if sha256_of(path) != expected:
        raise CheckpointError(
            f'{path} is not the file that {json_path.name} beside it describes '
            '(another SHA-256): it is damaged or was replaced. Fetch it again.'
        )
    return facts


def _json_of(path: Path) -> Path:
    return path.with_suffix('.json')


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # As text, NaN equals NaN.
