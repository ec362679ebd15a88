"""From a gathered batch to normalised features, masks and times on the device."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.layers.masking import masked_mean
from avzoo.models.layers.time_bins import bin_means
from avzoo.registry import MODELS

Norm = Literal['l2_time', 'l2_feature', 'z_score'] | None
_VIDEOS_AT_ONCE = 256


@MODELS.register_module()
class AVPreprocessor(nn.Module):
    """Move a batch to the device, scale and normalise each modality, and build masks and times.

    Args:
        seconds_per_step: {modality: seconds between two steps}; read from the store.
        scale: {modality: number that the stored values are divided by}, e.g. 255 for quantised VGGish.
        norm: {modality: ``l2_time``, ``l2_feature``, ``z_score`` or ``None``}. ``l2_time`` divides each channel by its
            L2 norm over the steps of the video, as the released code does with C3D features; ``l2_feature`` divides
            each step by the L2 norm of its features. On sequences of one step ``l2_time`` leaves only signs.
            ``z_score`` standardises each feature by the mean and deviation over the training set's steps, and divides
            by the square root of the width, so that steps have a length of about 1 as after ``l2_feature``.
        gain: {modality: factor after the normalisation}, e.g. the square root of the width after ``l2_feature``.
        pool_time: Average each video over its steps before the normalisation, for methods that do not model time;
            sequences then have one step, in the middle of the video. Since ``l2_time`` is meaningless there, it
            works as ``l2_feature``.
        time_bins: Average each video over this many equal shares of its length before the normalisation, see
            :func:`bin_means`; sequences then have as many steps. ``None`` keeps the steps of the data.
        feature_dims: {modality: width of its features}; needed for ``z_score``.

    Attributes:
        device: Where the model is.
        num_bins: Steps of every sequence after pooling; ``None`` where sequences keep their own.
    """

    def __init__(
        self,
        seconds_per_step: dict[str, float],
        *,
        scale: dict[str, float] | None = None,
        norm: dict[str, Norm] | None = None,
        gain: dict[str, float] | None = None,
        pool_time: bool = False,
        time_bins: int | None = None,
        feature_dims: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.device = torch.empty(0).device
        if pool_time and time_bins is not None:
            raise ValueError(f'pool_time=True means time_bins=1, but time_bins={time_bins} is set too; leave one out.')
        if time_bins is not None and time_bins < 1:
            raise ValueError(f'time_bins={time_bins}; it must be at least 1, or None to keep the steps of the data.')
        self.time_bins = time_bins
        self.num_bins = 1 if pool_time else time_bins
        self.seconds_per_step = dict(seconds_per_step)
        self.scale, self.norm, self.gain = dict(scale or {}), dict(norm or {}), dict(gain or {})
        self.pool_time = pool_time
        for modality, value in self.scale.items():
            if not value > 0:
                raise ValueError(f'data_preprocessor.scale.{modality}={value} divides the values; it must be above 0.')
        for modality, choice in self.norm.items():
            if choice not in (None, 'l2_time', 'l2_feature', 'z_score'):
                raise ValueError(
                    f"data_preprocessor.norm.{modality}='{choice}'; choose l2_time, l2_feature, z_score or None."
                )
        self._standardized = [m for m in seconds_per_step if self.norm.get(m) == 'z_score']
        for m in self._standardized:
            if feature_dims is None:
                raise ValueError(
                    f"data_preprocessor.norm.{m}='z_score' needs feature_dims, the widths of the features."
                )
            self.register_buffer(f'{m}_mean', torch.zeros(feature_dims[m]))
            self.register_buffer(f'{m}_std', torch.ones(feature_dims[m]))

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return ``inputs`` {modality: (x (B, T, D), mask (B, T), seconds (B, T))} beside the batch's other entries.

        ``fused``, which the fusion computed before, stays as it is.
        """
        data = _moved(data, self.device)
        features = data['features']
        inputs = features if 'fused' in features else {m: self._modality(m, **features[m]) for m in features}
        return dict({key: value for key, value in data.items() if key != 'features'}, inputs=inputs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'AVPreprocessor':
        """Follow the model to its device; torch calls this for ``to``, ``cuda`` and ``cpu`` of it or of the model."""
        super()._apply(fn, recurse)
        self.device = fn(torch.empty(0, device=self.device)).device
        return self

    def read_constants(self, dataset: GFSLDataset) -> None:
        """Take the means and deviations of ``z_score`` from the training set, a part of the videos at a time."""
        totals: dict[str, list[Tensor]] = {}
        for begin in range(0, len(dataset) if self._standardized else 0, _VIDEOS_AT_ONCE):
            batch = dataset.__getitems__(list(range(begin, min(begin + _VIDEOS_AT_ONCE, len(dataset)))))
            for m in self._standardized:
                steps, mask = self._pooled(**batch['features'][m])
                real = (steps[mask] / self.scale.get(m, 1.0)).double()  # (steps of all videos, D)
                sums = [torch.tensor(float(len(real))), real.sum(0).cpu(), real.square().sum(0).cpu()]
                totals[m] = [a + b for a, b in zip(totals[m], sums, strict=True)] if m in totals else sums
        for m, (count, total, squares) in totals.items():
            mean = total / count
            deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
            getattr(self, f'{m}_mean').copy_(mean)
            getattr(self, f'{m}_std').copy_(torch.maximum(deviation, _least_deviation(mean, deviation)))

    def normalize_means(self, name: str, x: Tensor) -> Tensor:
        """Prepare temporal means (B, D) of a modality as sequences of one step are with ``pool_time``."""
        return self._normalize(name, x, over_time=False)

    def _pooled(self, x: Tensor, lengths: Tensor, starts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return sequences (B, T', D) after pooling, and the mask of real steps (B, T')."""
        if self.num_bins is None:
            return x, torch.arange(x.shape[1], device=x.device) < lengths.unsqueeze(1)
        return bin_means(x, lengths, self.num_bins), (lengths > 0).unsqueeze(1).expand(-1, self.num_bins)

    def _modality(self, name: str, x: Tensor, lengths: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.num_bins == 1 and self.time_bins is None:
            mask = torch.arange(x.shape[1], device=x.device) < lengths.unsqueeze(1)  # (B, T)
            x = self.normalize_means(name, masked_mean(x, mask)).unsqueeze(1)  # (B, 1, D)
            middle = (starts + (lengths - 1) / 2).unsqueeze(1)  # (B, 1)
            return x, mask[:, :1], middle * self.seconds_per_step[name]
        x, mask = self._pooled(x, lengths)
        steps = torch.arange(x.shape[1], device=x.device).double()
        if self.num_bins is not None:  # The middle of each bin, in steps of the data.
            steps = (steps + 0.5) * (lengths.unsqueeze(1) / self.num_bins).double() - 0.5
        # In float64 and rounded once: the Fourier features multiply the times by numbers in the hundreds.
        seconds = ((steps + starts.unsqueeze(1)) * self.seconds_per_step[name]).float()
        x = self._normalize(name, x)
        return x * mask.unsqueeze(-1) if name in self._standardized else x, mask, seconds

    def _normalize(self, name: str, x: Tensor, over_time: bool = True) -> Tensor:
        if name in self.scale:
            x = x / self.scale[name]
        norm = self.norm.get(name)
        if norm == 'z_score':
            x = (x - getattr(self, f'{name}_mean')) / getattr(self, f'{name}_std') / x.shape[-1] ** 0.5
        elif norm is not None:
            # Padding is zero, so it does not enter the norm over time.
            x = _unit_over_time(x) if norm == 'l2_time' and over_time else F.normalize(x, dim=-1)
        gain = self.gain.get(name, 1.0)
        return x if gain == 1 else x * gain


def _moved(data: Any, device: torch.device) -> Any:
    """Return a batch with its tensors on the device."""
    if isinstance(data, Mapping):
        return {key: _moved(value, device) for key, value in data.items()}
    return data.to(device, non_blocking=True) if isinstance(data, Tensor) else data


def _unit_over_time(x: Tensor) -> Tensor:
    """Divide each channel of x (B, T, D) by its L2 norm over time."""
    if x.device.type != 'cpu':
        return F.normalize(x, dim=1)
    # On a CPU the norm over another dimension than the last takes ten times as long as a sum of squares.
    return x / x.square().sum(1, keepdim=True).sqrt().clamp(min=1e-12)


def _least_deviation(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return the least deviation (D,) to divide by, so that a constant feature stays small.

    It is small beside that of the usual feature, not of the largest ones, and above what rounding gives a constant.
    """
    varying = deviation[deviation > 0]
    usual = varying.median() if len(varying) else deviation.new_zeros(())
    rounding = 16 * torch.finfo(torch.float32).eps * mean.abs()
    return (1e-3 * usual).clamp(min=torch.finfo(torch.float32).tiny).maximum(rounding)
