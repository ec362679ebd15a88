"""Zoo weights: one safetensors file, which cannot hold code, and its metadata as readable JSON next to it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from avzoo.checkpoints.checksums import EMPTY_FIELD, safetensors_is_intact, seal_safetensors
from avzoo.checkpoints.meta import check_meta
from avzoo.checkpoints.plain_values import check_nesting
from avzoo.checkpoints.sized_file import read_safetensors
from avzoo.checkpoints.states import check_state, is_extra_state
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import atomic_path
from avzoo.utils.regular_files import read_json

WEIGHTS_FORMAT = 'avzoo-weights'
_HALF_ERROR = 1e-3  # The largest accepted rounding error, about that of values below 4.
_META = 'avzoo'  # Key of the metadata in the header of the safetensors file.


def write_zoo_weights(
    path: str | os.PathLike[str], state_dict: dict[str, Any], meta: dict[str, Any], *, half: bool = False
) -> Path:
    """Write ``path`` and, with the suffix ``.json``, its metadata with size and SHA-256.

    Args:
        path: File ending in ``.safetensors``.
        state_dict: The weights. Entries that are not tensors (``_extra_state``) are left out.
        meta: Plain values: config, classes, base_mask, data_info, gamma, ...
        half: Store matrices in half precision; they are read back in single precision.
    """
    path = Path(path)
    meta = dict(meta, format=WEIGHTS_FORMAT)
    tensors = {
        key: _stored(value.detach().cpu(), half)
        for key, value in state_dict.items()
        if isinstance(value, torch.Tensor) and not is_extra_state(key)
    }
    header = {'format': 'pt', _META: json.dumps(meta, sort_keys=True), **EMPTY_FIELD}
    data = seal_safetensors(safetensors.torch.save(tensors, metadata=header))
    facts = dict(meta, file=path.name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    with atomic_path(_json_of(path)) as side_file:
        side_file.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
        with atomic_path(path) as partial:
            partial.write_bytes(data)
            # Between the two renames the weights are valid by their own checksum, and no older JSON contradicts them.
            _json_of(path).unlink(missing_ok=True)
    return path


def read_zoo_weights(path: str | os.PathLike[str], *, sha256: str | None = None) -> dict[str, Any]:
    """Read zoo weights; returns ``dict(meta=..., state_dict=...)`` like a training checkpoint.

    The file must be the one that its JSON describes; without a JSON, the checksum in its header must match.

    Args:
        path: The file.
        sha256: SHA-256 of the whole file if it has just been verified: it is not computed again.

    Raises:
        CheckpointError: If the file is missing, damaged, not from avzoo, or not the one that its JSON describes.
    """
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f'There is no weight file {path}. Check the path.')
    (data, header), facts = read_safetensors(path), _facts_beside(path)
    if facts:
        _compare_with_facts(sha256 or hashlib.sha256(data).hexdigest(), facts, path)
    intact = True if sha256 or facts else safetensors_is_intact(data)
    if intact is False:
        raise CheckpointError(
            f'{path} is damaged or cut short: its content does not match the checksum in its header. Fetch it again.'
        )
    try:
        state = {key: _single(value) for key, value in safetensors.torch.load(data).items()}
    except SafetensorError as error:
        raise CheckpointError(
            f'{path} is not a readable safetensors file (damaged, cut short, or something else under '
            f'that name): {error}. Fetch it again.'
        ) from error
    meta = _meta(header, path)
    check_state(state, path)
    check_nesting(meta, str(path))
    check_meta(meta, path)
    if intact is None:
        raise CheckpointError(
            f'{path} has no checksum and there is no {_json_of(path).name} next to it, so damage would go '
            'unnoticed. Fetch both again.'
        )
    if contradicted := [key for key in meta if key in facts and _plain(facts[key]) != _plain(meta[key])]:
        raise CheckpointError(
            f'{_json_of(path)} and {path.name} differ in {contradicted[0]}: one of them '
            'was changed by hand. Fetch both again, or delete the JSON.'
        )
    return dict(meta=meta, state_dict=state)


def _stored(tensor: torch.Tensor, half: bool) -> torch.Tensor:
    if half and tensor.dtype == torch.float32 and tensor.dim() > 1:
        rounded = tensor.half()
        # Large values are kept as they are: the frequencies of a Fourier embedding would be off by whole radians.
        if (rounded.float() - tensor).abs().max() < _HALF_ERROR:
            tensor = rounded
    return tensor.contiguous().clone()  # safetensors refuses tensors that share memory.


def _single(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _meta(header: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the metadata in the header of a file that safetensors could read."""
    try:
        meta = json.loads(header['__metadata__'][_META])
        if meta['format'] != WEIGHTS_FORMAT:
            raise ValueError(f'format {meta["format"]!r}')
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f'{path} holds weights, but not those of an avzoo model ({error}). '
            'tools/model_converters/ turns checkpoints into zoo weights.'
        ) from error
    return meta


def _facts_beside(path: Path) -> dict[str, Any]:
    """Return the content of the JSON next to the file; empty if there is none."""
    json_path = _json_of(path)
    try:
        facts = read_json(json_path)
        facts['sha256']
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f'{json_path} does not describe the weights next to it ({type(error).__name__}: {error}): '
            'it is damaged or another kind of file. Fetch it again, or delete it.'
        ) from error
    return facts


def _compare_with_facts(sha256: str, facts: dict[str, Any], path: Path) -> None:
    if sha256 != facts['sha256']:
        raise CheckpointError(
            f'{path} is not the file that {_json_of(path).name} describes '
            '(different SHA-256): it is damaged or was replaced. Fetch it again.'
        )


def _json_of(path: Path) -> Path:
    return path.with_suffix('.json')


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # As text, NaN equals NaN.
