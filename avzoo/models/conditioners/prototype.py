"""Conditioning on the mean features of a class."""

import torch
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.data_preprocessors import AVPreprocessor
from avzoo.registry import CONDITIONERS

_VIDEOS_AT_ONCE = 1024


@CONDITIONERS.register_module()
class Prototype(nn.Module):
    """Look up a class's prototype, the mean of its training videos' features (ProtoGAN; av_prot in AV-DIFF, Table 6).

    A video counts as its features' mean over time, prepared as the data preprocessor prepares sequences of one step;
    the modalities stand side by side. The prototypes lie in a buffer, so a checkpoint carries them. They are taken
    anew in each phase: in the full sub-stage those of novel classes come from the k shots. Classes without training
    videos have zeros.

    Args:
        num_classes: Number of classes C.
        feature_dims: {modality: width of its features}.
        preprocessor: The model's data preprocessor.
    """

    prototypes: Tensor

    def __init__(self, num_classes: int, feature_dims: dict[str, int], *, preprocessor: AVPreprocessor) -> None:
        super().__init__()
        self.feature_dims = dict(feature_dims)
        self.out_dim = sum(self.feature_dims.values())
        self._prepare = preprocessor.normalize_means
        self.register_buffer('prototypes', torch.zeros(num_classes, self.out_dim))

    def read_constants(self, dataset: GFSLDataset) -> None:
        """Average the features of the training videos by class, a part of the videos at a time."""
        labels = torch.as_tensor(dataset.labels)
        sums = torch.zeros(self.prototypes.shape, dtype=torch.float64)
        for begin in range(0, len(dataset.videos), _VIDEOS_AT_ONCE):
            part = slice(begin, begin + _VIDEOS_AT_ONCE)
            means = [
                self._prepare(m, torch.as_tensor(dataset.store.temporal_mean(m, dataset.videos[part])))
                for m in self.feature_dims
            ]
            sums.index_add_(0, labels[part], torch.cat(means, dim=1).double())  # (C, d_c)
        counts = labels.bincount(minlength=len(sums)).clamp(min=1)
        self.prototypes.copy_(sums / counts.unsqueeze(1))

    def forward(self, labels: Tensor) -> Tensor:
        """Return the condition (B, d_c) for labels (B,)."""
        return self.prototypes[labels]
