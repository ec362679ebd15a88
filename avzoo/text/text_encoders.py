"""Vectors of class texts by a sentence encoder, or by the text tower of CLIP or CLAP, through ``transformers``."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avzoo.text.encoder_files import quiet_transformers, weight_files
from avzoo.utils.counts import number_of
from avzoo.utils.errors import DataError, first_line
from avzoo.utils.regular_files import read_json

_LOGGER = logging.getLogger(__name__)
_BATCH = 64
_ELSE = (
    'Compute the vectors with the software that the model was made for, and save them with numpy.savez(FILE, '
    'names=..., vectors=...); --class-embeddings reads that.'
)
# Models whose text tower gives the vector itself, by the model_type of config.json
_TOWERS = ('clip', 'clap')
# Modules of a sentence encoder that are computed here, after the transformer itself
_POOLING, _NORMALIZE = 'Pooling', 'Normalize'


class TextEncoder:
    """Turn texts into vectors.

    A sentence encoder is pooled and scaled as its ``modules.json`` says, a transformer without that file by the mean
    over its tokens. CLIP and CLAP give their projected vector.

    Args:
        folder: Files of the model in the layout of the hub: ``config.json``, weights, tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modules = _read_modules(folder / 'modules.json')
        odd = [name for name in self._modules if name not in ('Transformer', _POOLING, _NORMALIZE)]
        if odd:
            raise DataError(f'{folder / "modules.json"} asks for {odd[0]}, which is not supported. {_ELSE}')
        root = folder / self._modules.get('Transformer', '')
        self._pooling = self._read_pooling()
        self._settings = _read(root / 'sentence_bert_config.json', {})
        self._tokenizer, self._model = _load(root)
        config = self._model.config
        self._is_tower = config.model_type in _TOWERS
        positions = getattr(getattr(config, 'text_config', config), 'max_position_embeddings', None)
        limits = (self._settings.get('max_seq_length'), self._tokenizer.model_max_length, positions, 512)
        self._longest = int(min(limit for limit in limits if isinstance(limit, int | float) and limit > 0))

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of some texts, (N, d) float32."""
        self._check_tokens(texts)
        with torch.inference_mode():
            parts = [self._encode(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)]
        return torch.cat(parts).float().numpy()

    def _encode(self, texts: Sequence[str]) -> Tensor:
        batch = self._tokenizer(
            self._spelled(texts), padding=True, truncation=True, max_length=self._longest, return_tensors='pt'
        )
        if self._is_tower:
            keys = ('input_ids', 'attention_mask')
            found = self._model.get_text_features(**{key: batch[key] for key in keys})
            return getattr(found, 'pooler_output', found)  # A tensor before transformers 5.
        vectors = self._pool(self._model(**batch)[0], batch['attention_mask'])
        return nn.functional.normalize(vectors, dim=1) if _NORMALIZE in self._modules else vectors

    def _spelled(self, texts: Sequence[str]) -> list[str]:
        return [text.lower() for text in texts] if self._settings.get('do_lower_case') else list(texts)

    def _check_tokens(self, texts: Sequence[str]) -> None:
        """Refuse texts without a known token; warn of those that are cut."""
        rows = self._tokenizer(self._spelled(texts))['input_ids']
        cut = [text for text, row in zip(texts, rows, strict=True) if len(row) > self._longest]
        if cut:
            _LOGGER.warning(
                '%s cut after %d tokens, the first: %r',
                number_of(len(cut), 'text is', 'texts are'),
                self._longest,
                cut[0],
            )
        empty = {self._tokenizer.unk_token_id, *self._tokenizer.all_special_ids}
        lost = [text for text, row in zip(texts, rows, strict=True) if empty.issuperset(row)]
        if lost:
            raise DataError(
                f'{self._folder} knows no part of {len(lost)} of {len(texts)} texts: {", ".join(map(repr, lost))}. '
                'Describe these classes in words that it knows, in a column text of classes.csv (columns label,text).'
            )

    def _pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return one vector per text from those of its tokens (B, T, d)."""
        weights = mask[..., None].to(tokens.dtype)
        if self._pooling == 'cls':
            return tokens[:, 0]
        if self._pooling == 'max':
            return tokens.masked_fill(weights == 0, -torch.inf).amax(dim=1)
        return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)

    def _read_pooling(self) -> str:
        """Return how tokens are pooled: ``mean``, ``cls`` or ``max``."""
        if _POOLING not in self._modules:
            return 'mean'
        path = self._folder / self._modules[_POOLING] / 'config.json'
        content = _read(path, {})
        chosen = [key.removeprefix('pooling_mode_') for key, value in content.items() if value is True]
        known = {'mean_tokens': 'mean', 'cls_token': 'cls', 'max_tokens': 'max', 'mean': 'mean', 'cls': 'cls'}
        chosen = [key for key in chosen if key != 'include_prompt'] or [str(content.get('pooling_mode', ''))]
        if len(chosen) != 1 or chosen[0] not in known:
            raise DataError(f'{path} pools by {", ".join(chosen)}, which is not supported. {_ELSE}')
        return known[chosen[0]]


def _read_modules(path: Path) -> dict[str, str]:
    """Return the modules of a sentence encoder, {kind: folder}; none without that file."""
    entries = _read(path, [])
    try:
        return {entry['type'].rsplit('.')[-1]: str(entry['path']) for entry in entries}
    except (KeyError, TypeError, AttributeError):
        raise DataError(f'{path} is not a list of modules with type and path. Download the model again.') from None


def _read(path: Path, default: Any) -> Any:
    """Return a file of JSON, or ``default`` without that file; it must be of the same kind."""
    if not path.is_file():
        return default
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read as JSON: {error}. Download the model again.') from None
    if not isinstance(content, type(default)):
        raise DataError(f'{path} holds {type(content).__name__}, not {type(default).__name__}. Download it again.')
    return content


def _load(root: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the model of a folder."""
    is_safe = weight_files(root)[0].suffix == '.safetensors'
    transformers = quiet_transformers(str(root))
    # weights_only: a pickle of weights must not run code; trust_remote_code: nor may the model's own files.
    options = dict(local_files_only=True, trust_remote_code=False)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(root, **options)
        model, report = transformers.AutoModel.from_pretrained(
            root, use_safetensors=is_safe, weights_only=True, output_loading_info=True, **options
        )
    except Exception as error:  # The libraries below raise errors of a dozen kinds for a file that does not fit.
        raise DataError(f'{root} cannot be loaded as a text encoder: {first_line(error)} {_ELSE}') from None
    missing = sorted(key for key in report['missing_keys'] if 'pooler.' not in key)  # The pooler is not used.
    if missing or model.config.is_encoder_decoder:
        what = f'its weights lack {missing[0]} and {len(missing) - 1} more' if missing else 'it is an encoder-decoder'
        raise DataError(f'{root} cannot be used as a text encoder: {what}. {_ELSE}')
    return tokenizer, model.float().eval()
