"""The output of a frozen fusion for each video, computed once for a whole phase."""

from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from operator import not_
from typing import ClassVar

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.hooks import FitPartsHook
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.classifiers.fits_parts import batches_of
from avzoo.models.contracts import reads_encoded
from avzoo.models.data_preprocessors.av_preprocessor import AVPreprocessor
from avzoo.models.layers.fit_once import digest_of
from avzoo.registry import HOOKS
from avzoo.utils.errors import ConfigError

_FRONT = ('encoders', 'embedding', 'fusion')


@dataclass
class Fused:
    """The output of the fusion for all videos of a data set.

    Attributes:
        x: (N, d) or (N, R, d).
        mask: Which readouts are valid, (N, R), if that varies.
        cut: Whether a batch has as many readouts as its longest video.
        videos: Positions of the videos in the store, (N,).
    """

    x: Tensor
    mask: Tensor | None
    cut: bool
    videos: np.ndarray

    @cached_property
    def _counts(self) -> np.ndarray:
        """Number of readouts of each video up to its last valid one, (N,); on the host, so that no batch waits."""
        assert self.mask is not None
        places = torch.arange(1, self.mask.shape[1] + 1, device=self.mask.device)
        return (self.mask * places).amax(1).cpu().numpy()

    def __call__(self, index: np.ndarray) -> dict[str, Tensor]:
        """Return the features of the videos at some positions, in the form of a batch."""
        rows = torch.from_numpy(index).to(self.x.device, non_blocking=True)
        if self.mask is None:
            return dict(fused=self.x[rows])
        x, mask = self.x[rows], self.mask[rows]
        count = int(self._counts[index].max()) if self.cut else mask.shape[1]
        return dict(fused=x[:, :count], readout_mask=mask[:, :count])


@HOOKS.register_module()
class FusionCacheHook(Hook):
    """Let the data sets of a phase serve the output of its frozen fusion for each video instead of sequences.

    The parts after the fusion are then trained, fitted and validated on it, with the same numbers and random draws.
    Data whose fused features are not constant, or too large to keep, are served as without the hook, and the log says
    why. Features of base videos also serve the next draw of the novel ones: they are kept until another phase starts.

    Args:
        mib: Maximum memory in MiB for the features of a phase; 0 keeps none.
    """

    # Those of the previous phase's training set, in this process, and what they depend on besides its videos.
    _last: ClassVar[Fused | None] = None
    _last_key: ClassVar[str] = ''

    def __init__(self, mib: float) -> None:
        self.mib = mib
        self._serves = False
        self._weights = ''  # Digest of the frozen weights, while features of them are served.

    @classmethod
    def forget(cls) -> None:
        """Free the features kept for another draw."""
        cls._last, cls._last_key = None, ''

    def before_train(self, runner: PhaseRunner) -> None:
        left, model, data = int(self.mib * 2**20), runner.plain_model, runner.train_dataloader.dataset
        if not left:
            return self.forget()
        reason = why_not(model, data) or _why_not_in(runner)
        key = '' if reason else _key(runner, data)
        if key != self._last_key:
            self.forget()  # Before anything is computed, so that both are never held at once.
        with runner.optim_wrapper.optim_context(runner.model):
            found = reason or _compute(model, data, left, self._last)
        fused = self._serve(runner, 'training', data, found)
        FusionCacheHook._last, FusionCacheHook._last_key = fused, key
        if runner.val_loop is not None:
            left, data = left - (fused.x.nbytes if fused is not None else 0), runner.val_loop.dataloader.dataset
            self._serve(runner, 'validation', data, why_not(model, data) or _compute(model, data, left))
        if self._serves:
            self._weights = digest_of(*_weights(model))

    def after_train_epoch(self, runner: PhaseRunner) -> None:
        # A user's hook may unfreeze parts or change weights. This hook comes before PhaseHook, which saves the epoch.
        model = runner.plain_model
        if self._serves and (why_not_of(model) or digest_of(*_weights(model)) != self._weights):
            raise ConfigError(
                'curriculum.full.freeze: a frozen part was unfrozen or changed while its kept features were used for '
                'training. Set curriculum.full.fusion_cache_mib=0.'
            )

    def _serve(self, runner: PhaseRunner, name: str, data: GFSLDataset, found: Fused | str) -> Fused | None:
        """Let a data set serve fused features and return them, or log why not."""
        if isinstance(found, str):
            runner.logger.info(f'Fused features of the {name} videos are computed for each batch: {found}')
            return None
        data.computed, self._serves = found, True
        runner.logger.info(f'Fused features of the {name} videos are kept: {found.x.nbytes / 2**20:.1f} MiB.')
        return found


def why_not(model: AVClassifier, data: GFSLDataset) -> str | None:
    """Return why the output of the fusion for a video of a data set is not constant or not enough, or ``None``."""
    if (type(model), type(model.data_preprocessor), type(data)) != (AVClassifier, AVPreprocessor, GFSLDataset):
        return 'the model, its preprocessor or the data set is not from avzoo.'
    if data.varies:
        return 'the windows of long videos are random.'
    return why_not_of(model)


def why_not_of(model: AVClassifier) -> str | None:
    """Return why the output of the fusion for the same sequences is not constant or not enough, or ``None``."""
    for name in _FRONT:
        part = getattr(model, name)
        if part is not None and (name not in model.frozen or any(p.requires_grad for p in part.parameters())):
            return f'{name} is not frozen.'
    if model.frozen_mode != 'eval':
        return "dropout and BatchNorm of frozen parts are active; frozen_mode='eval' fixes them."
    if reads_encoded(model.head):
        return f'{type(model.head).__name__} reads the output of the encoders, or does not set reads_encoded = False.'
    if model.fusion.num_readouts is None and _learns_statistics(model):
        return 'padded readouts enter the BatchNorm statistics after the fusion.'
    return None


def _learns_statistics(model: AVClassifier) -> bool:
    parts = [getattr(model, name) for name in ('projector', 'head') if name not in model.frozen]
    return any(isinstance(layer, _BatchNorm) for part in parts if part is not None for layer in part.modules())


def _why_not_in(runner: PhaseRunner) -> str | None:
    """Return why features in the precision of the training steps would not suffice, or ``None``."""
    fits = any(isinstance(hook, FitPartsHook) for hook in runner.hooks)
    if fits and type(runner.optim_wrapper) is not OptimWrapper:
        return 'parts are fitted in full precision but trained in mixed precision.'
    return None


def _compute(model: AVClassifier, data: GFSLDataset, most_bytes: int, last: Fused | None = None) -> Fused | str:
    """Compute the fused features of a data set batch by batch, as fitting does, or return why they are not kept."""
    found, batches = _Rows(len(data), most_bytes, data.device or 'cpu'), batches_of(data)
    if last is not None and len(last.videos) == len(data):  # Batches are the same, except for shots.
        known = [np.array_equal(last.videos[batch], data.videos[batch]) for batch in batches]
        for batch in compress(batches, known):
            found.put(batch, last.x[batch], None if last.mask is None else last.mask[batch])
        batches = list(compress(batches, map(not_, known)))
    device = model.gamma.device
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        before = _random_state(device)
        for batch, (x, context, _) in zip(batches, model.fused_batches(data, batches), strict=True):
            if not found.put(batch, x, context.get('readout_mask')):
                return f'they take more than the {most_bytes / 2**20:.0f} MiB left of fusion_cache_mib.'
        if not torch.equal(before, _random_state(device)):
            return 'a frozen part draws random numbers in evaluation mode.'
    assert found.x is not None  # A data set has videos.
    cut = data.window is None or data.window.long_only
    return Fused(found.x, found.mask, cut, data.videos)


def _random_state(device: torch.device) -> Tensor:
    states = [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == 'cuda' else [])]
    return torch.cat(states)


class _Rows:
    """Fused features of a number of videos, filled in step by step; with as many readouts as the longest video.

    Args:
        size: Number of videos N.
        most_bytes: Maximum size of the features.
        device: Where they are kept.
    """

    def __init__(self, size: int, most_bytes: int, device: str) -> None:
        self.size, self.most_bytes, self.device = size, most_bytes, device
        self.x: Tensor | None = None
        self.mask: Tensor | None = None

    def put(self, positions: np.ndarray, x: Tensor, mask: Tensor | None) -> bool:
        """Fill in the features of the videos at some positions; return whether those of all videos fit into memory."""
        if self.x is None or self.x.shape[1] < x.shape[1]:
            if self.size * x[0].nbytes > self.most_bytes:
                return False
            self.x = self._grown(self.x, x)
            self.mask = None if mask is None else self._grown(self.mask, mask)
        rows = torch.from_numpy(positions).to(self.device)
        self.x[rows, : x.shape[1]] = x.to(self.device)
        if self.mask is not None and mask is not None:
            self.mask[rows, : mask.shape[1]] = mask.to(self.device)
        return True

    def _grown(self, old: Tensor | None, like: Tensor) -> Tensor:
        new = torch.zeros(self.size, *like.shape[1:], dtype=like.dtype, device=self.device)
        if old is not None:
            new[:, : old.shape[1]] = old
        return new


def _key(runner: PhaseRunner, data: GFSLDataset) -> str:
    """Return a text that changes whenever the fused features of a video change."""
    assert isinstance(data.store, FeatureStore)  # See why_not.
    cfg, window = runner.cfg, data.window and vars(data.window)
    facts = (cfg.model, cfg.optim_wrapper, data.store.description, data.modalities, data.device, window)
    return digest_of(*facts, *_weights(runner.plain_model))


def _weights(model: AVClassifier) -> list[object]:
    """Return the weights, buffers and other state of the fusing parts."""
    front = ('data_preprocessor.', *(f'{part}.' for part in _FRONT))
    return [value for name, value in model.state_dict().items() if name.startswith(front)]
