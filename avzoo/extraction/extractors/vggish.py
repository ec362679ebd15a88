"""VGGish (Hershey et al., 2017), the sound features of AV-DIFF."""

import os
from typing import Any

import numpy as np
import torch
from torch import nn

from avzoo.extraction.extractor import Compute, Extractor, TorchNetwork, in_batches
from avzoo.extraction.log_mel import EXAMPLE_STEP, SAMPLE_RATE, log_mel_examples
from avzoo.extraction.media import MediaFile
from avzoo.extraction.network_weights import find_weights, load_exactly, read_weights
from avzoo.registry import EXTRACTORS
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import sha256_of

_RELEASE = 'https://github.com/harritaylor/torchvggish/releases/download/v0.1/'
_CHANNELS = (64, 'pool', 128, 'pool', 256, 256, 'pool', 512, 512, 'pool')
_CLIP = 2.0


class VGGishNetwork(nn.Module):
    """Log-mel examples (B, 96, 64) to embeddings (B, 128); weight names as in the port torchvggish.

    Args:
        final_relu: Whether negative values of the embedding become 0, as in that port but not in Google's network.
    """

    def __init__(self, final_relu: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for channels in _CHANNELS:
            if isinstance(channels, int):
                layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
                width = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        head = [nn.Linear(512 * 6 * 4, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128)]
        self.embeddings = nn.Sequential(*head, *([nn.ReLU()] if final_relu else []))

    def forward(self, examples: torch.Tensor) -> torch.Tensor:
        # Flattened by height, width, channel, as in the original TensorFlow network.
        return self.embeddings(self.features(examples.unsqueeze(1)).permute(0, 2, 3, 1).flatten(1))


@EXTRACTORS.register_module('vggish')
class VGGish(Extractor):
    """VGGish features, one vector of 128 for every 0.96 s without overlap.

    The defaults give the features of the benchmark: the port's final ReLU, then PCA, clipped to -2..2 and truncated
    to whole numbers 0..255. ``postprocess=False, final_relu=False`` gives the raw embeddings.

    Args:
        weights: Path of the weights; by default those of torchvggish are downloaded.
        pca: Path of the PCA parameters; by default those of torchvggish are downloaded.
        postprocess: Whether to whiten and quantise.
        final_relu: Whether the network ends with a ReLU.
        batch_size: Examples per batch.
        device: Device to compute on.
    """

    modality = 'audio'
    compute: Compute
    dim = 128

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        *,
        pca: str | os.PathLike[str] | None = None,
        postprocess: bool = True,
        final_relu: bool = True,
        batch_size: int = 16,
        device: str = 'cpu',
    ) -> None:
        name = 'vggish-10086976.pth'
        path = find_weights(weights, name, [_RELEASE + name], '10086976')
        with torch.device('meta'):  # Random weights would take a second, and as much memory again.
            network = VGGishNetwork(final_relu)
        self.compute = TorchNetwork(load_exactly(network, read_weights(path), path), device)
        self.batch_size = batch_size
        self._stamp: dict[str, Any] = dict(extractor='vggish', final_relu=final_relu, weights=sha256_of(path))
        self._pca: tuple[np.ndarray, np.ndarray] | None = None
        if postprocess:
            name = 'vggish_pca_params-970ea276.pth'
            path = find_weights(pca, name, [_RELEASE + name], '970ea276')
            self._pca = _read_pca(read_weights(path), path)
            self._stamp['pca'] = sha256_of(path)

    def seconds_per_step(self, media: MediaFile) -> float:
        return EXAMPLE_STEP / SAMPLE_RATE

    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        examples = log_mel_examples(media.samples(SAMPLE_RATE, start, end))
        found = in_batches(examples, self.compute, dim=self.dim, batch_size=self.batch_size)
        return found if self._pca is None else quantise(found, *self._pca)

    def stamp(self) -> dict[str, Any]:
        return dict(self._stamp)


def quantise(embeddings: np.ndarray, matrix: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return whitened embeddings (T, 128) as whole numbers 0..255 in float32, like the stored YouTube-8M features.

    Args:
        embeddings: (T, 128).
        matrix: (128, 128), the rows of the PCA.
        mean: (128,).
    """
    whitened = (embeddings - mean) @ matrix.T
    return np.trunc((np.clip(whitened, -_CLIP, _CLIP) + _CLIP) * (255.0 / (2 * _CLIP))).astype(np.float32)


def _read_pca(weights: dict[str, torch.Tensor], path: os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    try:
        matrix, mean = weights['pca_eigen_vectors'].numpy(), weights['pca_means'].numpy().reshape(-1)
    except KeyError as error:
        raise CheckpointError(f'{path} has no {error}: give the PCA parameters of VGGish.') from None
    if matrix.shape != (128, 128) or mean.shape != (128,):
        raise CheckpointError(
            f'{path}: matrix {matrix.shape} and mean {mean.shape}, not (128, 128) and (128,). Give the PCA of VGGish.'
        )
    return matrix, mean
