"""From a batch as the dataset gathers it to normalised features, masks and times on the device."""

from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from avzoo.models.layers.masking import masked_mean
from avzoo.registry import MODELS

Norm = Literal['l2_time', 'l2_feature'] | None


@MODELS.register_module()
class AVPreprocessor(BaseDataPreprocessor):
    """Move a batch to the device, scale and normalise each modality, and build masks and times.

    Args:
        seconds_per_step: {modality: seconds between two steps}; read from the store.
        scale: {modality: number that the stored values are divided by}, e.g. 255 for quantised VGGish.
        norm: {modality: ``l2_time``, ``l2_feature`` or ``None``}. ``l2_time`` divides each channel by its L2 norm over
            the steps of the video, as the released code does with C3D features; ``l2_feature`` divides each step by
            the L2 norm of its features. On sequences of one step ``l2_time`` leaves only signs.
        gain: {modality: factor after the normalisation}, e.g. the square root of the width after ``l2_feature``.
        pool_time: Average each video over its steps before the normalisation, for methods without a notion of time;
            sequences then have one step, in the middle of the video. Since ``l2_time`` means nothing there, it
            works as ``l2_feature``.
    """

    def __init__(
        self,
        seconds_per_step: dict[str, float],
        *,
        scale: dict[str, float] | None = None,
        norm: dict[str, Norm] | None = None,
        gain: dict[str, float] | None = None,
        pool_time: bool = False,
    ) -> None:
        super().__init__()
        self.seconds_per_step = dict(seconds_per_step)
        self.scale, self.norm, self.gain = dict(scale or {}), dict(norm or {}), dict(gain or {})
        self.pool_time = pool_time
        for modality, value in self.scale.items():
            if not value > 0:
                raise ValueError(f'data_preprocessor.scale.{modality}={value} divides the values; it must be above 0.')
        for modality, choice in self.norm.items():
            if choice not in (None, 'l2_time', 'l2_feature'):
                raise ValueError(f"data_preprocessor.norm.{modality}='{choice}'; choose l2_time, l2_feature or None.")

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return ``inputs`` {modality: (x (B, T, D), mask (B, T), seconds (B, T))} beside the batch's other entries."""
        data = self.cast_data(data)
        inputs = {m: self._modality(m, **data['features'][m]) for m in data['features']}
        return dict({key: value for key, value in data.items() if key != 'features'}, inputs=inputs)

    def normalize_means(self, name: str, x: Tensor) -> Tensor:
        """Prepare temporal means (B, D) of a modality as sequences of one step are with ``pool_time``."""
        return self._normalize(name, x, time_dim=None)

    def _modality(self, name: str, x: Tensor, lengths: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps = torch.arange(x.shape[1], device=x.device)
        mask = steps < lengths.unsqueeze(1)  # (B, T)
        if self.pool_time:
            x = self.normalize_means(name, masked_mean(x, mask)).unsqueeze(1)  # (B, 1, D)
            middle = (starts + (lengths - 1) / 2).unsqueeze(1)  # (B, 1)
            return x, mask[:, :1], middle * self.seconds_per_step[name]
        # In float64 and rounded once: the Fourier features multiply the times by numbers in the hundreds.
        seconds = ((steps + starts.unsqueeze(1)).double() * self.seconds_per_step[name]).float()
        return self._normalize(name, x, time_dim=1), mask, seconds

    def _normalize(self, name: str, x: Tensor, time_dim: int | None) -> Tensor:
        if name in self.scale:
            x = x / self.scale[name]
        norm = self.norm.get(name)
        if norm is not None:
            # Padding is zero, so it does not enter the norm over time.
            x = F.normalize(x, dim=time_dim if norm == 'l2_time' and time_dim is not None else -1)
        return x * self.gain.get(name, 1.0)
