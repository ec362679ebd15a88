"""What a frozen fusion gives for each video, computed once for a whole phase."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import compress
from operator import not_
from typing import ClassVar

import numpy as np
import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.classifiers.fits_parts import batches_of
from avzoo.models.data_preprocessors.av_preprocessor import AVPreprocessor
from avzoo.registry import HOOKS

_FRONT = ('encoders', 'embedding', 'fusion')


@dataclass
class Fused:
    """What the fusion gives for all videos of a data set.

    Attributes:
        x: (N, d) or (N, R, d).
        mask: Which readouts count, (N, R), where that varies.
        cut: Whether a batch has as many readouts as its longest video.
        videos: Positions of the videos in the store, (N,).
        key: What the features depend on beside them.
    """

    x: Tensor
    mask: Tensor | None
    cut: bool
    videos: np.ndarray
    key: str

    def __call__(self, index: np.ndarray) -> dict[str, Tensor]:
        """Return the features of the videos at some positions as a batch holds them."""
        rows = torch.from_numpy(index).to(self.x.device, non_blocking=True)
        if self.mask is None:
            return dict(fused=self.x[rows])
        x, mask = self.x[rows], self.mask[rows]
        count = int(mask.sum(1).max()) if self.cut else mask.shape[1]
        return dict(fused=x[:, :count], readout_mask=mask[:, :count])


@HOOKS.register_module()
class FusionCacheHook(Hook):
    """Let the data sets of a phase serve what its frozen fusion gives for each video, in place of sequences.

    The parts behind the fusion then train, are fitted and are validated on it, with the same numbers and random draws.
    Data whose fused features are not constant, or too many to be kept, are served as without the hook, and the log
    says why. What is computed of base videos serves the next draw of the novel ones, too.

    Args:
        mib: Most MiB of memory for the features of a phase; 0 keeps none.
    """

    _last: ClassVar[Fused | None] = None  # Of the training set of the phase before, in this process.

    def __init__(self, mib: float) -> None:
        self.mib = mib

    def before_train(self, runner: PhaseRunner) -> None:
        left = int(self.mib * 2**20)
        if not left:
            return
        wrapper = runner.optim_wrapper
        data = runner.train_dataloader.dataset
        left -= self._serve(runner, 'training', data, left, wrapper.optim_context(runner.model))
        if runner.val_loop is not None and not getattr(runner.val_loop, 'fp16', False):
            self._serve(runner, 'validation', runner.val_loop.dataloader.dataset, left, nullcontext())

    def _serve(
        self, runner: PhaseRunner, name: str, data: GFSLDataset, most_bytes: int, precision: AbstractContextManager
    ) -> int:
        """Let a data set serve fused features; returns their size in bytes, 0 if they are not kept."""
        reason = why_not(runner.plain_model, data)
        if reason is None:
            with precision:
                data.computed = fused = _compute(runner, data, most_bytes, self._last)
            if name == 'training':
                FusionCacheHook._last = fused
            if fused is not None:
                runner.logger.info(f'Fused features of the {name} videos are kept: {fused.x.nbytes / 2**20:.1f} MiB.')
                return fused.x.nbytes
            reason = f'they take more than the {most_bytes / 2**20:.0f} MiB left of fusion_cache_mib.'
        runner.logger.info(f'Fused features of the {name} videos are computed for each batch: {reason}')
        return 0


def why_not(model: AVClassifier, data: GFSLDataset) -> str | None:
    """Return why what the fusion gives for a video of a data set is not constant or not enough, or ``None``."""
    if type(model.data_preprocessor) is not AVPreprocessor or type(data) is not GFSLDataset:
        return 'the data set or its preprocessor is not of avzoo.'
    if data.varies:
        return 'the windows of long videos are random.'
    return why_not_of(model)


def why_not_of(model: AVClassifier) -> str | None:
    """Return why what the fusion gives for the same sequences is not constant or not enough, or ``None``."""
    live = [name for name in _FRONT if getattr(model, name) is not None and name not in model.frozen]
    if live:
        return f'{live[0]} is not frozen.'
    if model.frozen_mode != 'eval':
        return "dropout and BatchNorm of frozen parts are live; frozen_mode='eval' fixes them."
    if getattr(model.head, 'reads_encoded', True):
        return f'{type(model.head).__name__} reads what the encoders give.'
    if model.fusion.num_readouts is None and _learns_statistics(model):
        return 'padded readouts enter the statistics of BatchNorm behind the fusion.'
    return None


def _learns_statistics(model: AVClassifier) -> bool:
    parts = [getattr(model, name) for name in ('projector', 'head') if name not in model.frozen]
    return any(isinstance(layer, nn.BatchNorm1d) for part in parts if part is not None for layer in part.modules())


def _compute(runner: PhaseRunner, data: GFSLDataset, most_bytes: int, last: Fused | None) -> Fused | None:
    """Compute the fused features of a data set, batch by batch as a fit does; ``None`` if they are too large."""
    found, key, batches = _Rows(len(data), most_bytes, data.device or 'cpu'), _digest(runner, data), batches_of(data)
    if last is not None and last.key == key and len(last.videos) == len(data):  # Batches are the same, but for shots.
        known = [np.array_equal(last.videos[batch], data.videos[batch]) for batch in batches]
        for batch in compress(batches, known):
            found.put(batch, last.x[batch], None if last.mask is None else last.mask[batch])
        batches = list(compress(batches, map(not_, known)))
    for batch, (x, context, _) in zip(batches, runner.plain_model.fused_batches(data, batches), strict=True):
        if not found.put(batch, x, context.get('readout_mask')):
            return None
    assert found.x is not None  # A data set has videos.
    return Fused(found.x, found.mask, data.window is None or data.window.long_only, data.videos, key)


class _Rows:
    """Fused features of a number of videos, filled in by and by; readouts are as many as the longest video has.

    Args:
        size: Number of videos N.
        most_bytes: What the features may take.
        device: Where they are kept.
    """

    def __init__(self, size: int, most_bytes: int, device: str) -> None:
        self.size, self.most_bytes, self.device = size, most_bytes, device
        self.x: Tensor | None = None
        self.mask: Tensor | None = None

    def put(self, positions: np.ndarray, x: Tensor, mask: Tensor | None) -> bool:
        """Fill in the features of the videos at some positions; returns whether those of all fit into the memory."""
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


def _digest(runner: PhaseRunner, data: GFSLDataset) -> str:
    """Return what the fused features of a video depend on, as a text."""
    facts = (runner.cfg.model, runner.cfg.optim_wrapper.get('type'), data.store.root, data.modalities, data.device)
    digest = hashlib.sha256(repr((*facts, data.window and vars(data.window))).encode())
    for name, value in runner.plain_model.state_dict().items():
        if name.startswith(('data_preprocessor.', *(f'{part}.' for part in _FRONT))):
            digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
