"""C3D (Tran et al., 2015), the visual features of AV-DIFF."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import relu

from avzoo.extraction.extractor import Compute, Extractor, TorchNetwork, in_batches
from avzoo.extraction.media import Frame, MediaFile
from avzoo.extraction.network_weights import find_weights, load_exactly, read_weights
from avzoo.registry import EXTRACTORS
from avzoo.utils.errors import ConfigError
from avzoo.utils.files import sha256_of

_ADDRESS = 'http://imagelab.ing.unimore.it/files/c3d_pytorch/c3d.pickle'
FRAMES = 16
_RESIZED, _CROP = (171, 128), 112
_MEAN = np.array([0.43216, 0.394666, 0.37645], np.float32)
_DEVIATION = np.array([0.22803, 0.22145, 0.216989], np.float32)
Colour = Literal['negative_bgr', 'bgr', 'rgb']
COLOURS: tuple[Colour, ...] = get_args(Colour)


class C3DNetwork(nn.Module):
    """Clips (B, 3, 16, 112, 112) to fc7 features (B, 4096); weight names as in the port c3d-pytorch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv3d(64, 128, 3, padding=1)
        self.conv3a, self.conv3b = nn.Conv3d(128, 256, 3, padding=1), nn.Conv3d(256, 256, 3, padding=1)
        self.conv4a, self.conv4b = nn.Conv3d(256, 512, 3, padding=1), nn.Conv3d(512, 512, 3, padding=1)
        self.conv5a, self.conv5b = nn.Conv3d(512, 512, 3, padding=1), nn.Conv3d(512, 512, 3, padding=1)
        self.fc6, self.fc7 = nn.Linear(8192, 4096), nn.Linear(4096, 4096)
        self.pool1, self.pool = nn.MaxPool3d((1, 2, 2)), nn.MaxPool3d(2)
        self.pool5 = nn.MaxPool3d(2, padding=(0, 1, 1))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        x = self.pool1(relu(self.conv1(clips)))
        x = self.pool(relu(self.conv2(x)))
        x = self.pool(relu(self.conv3b(relu(self.conv3a(x)))))
        x = self.pool(relu(self.conv4b(relu(self.conv4a(x)))))
        x = self.pool5(relu(self.conv5b(relu(self.conv5a(x)))))
        return relu(self.fc7(relu(self.fc6(x.flatten(1)))))


@EXTRACTORS.register_module('c3d')
class C3D(Extractor):
    """C3D features, one vector of 4096 for every 16 frames without overlap; the last clip is filled with zeros.

    Args:
        weights: Path of the weights; by default those of c3d-pytorch are downloaded.
        colour: ``negative_bgr`` is what the scripts of the zero-shot benchmark use for UCF and VGGSound, (256 - x)
            mod 256 of the BGR picture; ``bgr`` is what they use for ActivityNet; ``rgb`` is the plain picture.
        batch_size: Clips per batch.
        device: Device to compute on.
    """

    modality = 'visual'
    compute: Compute
    dim = 4096

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        *,
        colour: Colour = 'negative_bgr',
        batch_size: int = 4,
        device: str = 'cpu',
    ) -> None:
        if colour not in COLOURS:
            raise ConfigError(f'c3d: colour={colour!r} is not one of {", ".join(COLOURS)}.')
        path = find_weights(weights, 'c3d.pickle', [_ADDRESS])
        found = {name: value for name, value in read_weights(path).items() if not name.startswith('fc8')}
        with torch.device('meta'):  # Random weights would take a second, and as much memory again.
            network = C3DNetwork()
        self.compute = TorchNetwork(load_exactly(network, found, path), device)
        self.colour: Colour = colour
        self.batch_size = batch_size
        self._stamp = dict(extractor='c3d', colour=colour, weights=sha256_of(path))

    def seconds_per_step(self, media: MediaFile) -> float:
        return FRAMES / float(media.frame_rate or 25)

    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        inputs = clips(media.frames(start, end), self.colour)
        return in_batches(inputs, self.compute, dim=self.dim, batch_size=self.batch_size)

    def stamp(self) -> dict[str, Any]:
        return dict(self._stamp)


def clips(frames: Iterator[Frame], colour: Colour) -> Iterator[np.ndarray]:
    """Yield the network's inputs, (3, 16, 112, 112) each; the last one is padded with zeros."""
    while batch := list(islice(frames, FRAMES)):
        clip = np.zeros((3, FRAMES, _CROP, _CROP), np.float32)
        for i, frame in enumerate(batch):
            clip[:, i] = prepare(frame.rgb, colour)
        yield clip


def prepare(rgb: np.ndarray, colour: Colour) -> np.ndarray:
    """Return a frame as input for the network, (3, 112, 112), from (H, W, 3) of uint8."""
    pixels = rgb if colour == 'rgb' else rgb[:, :, ::-1]
    if colour == 'negative_bgr':
        pixels = (256 - pixels.astype(np.int16)).astype(np.uint8)  # 256 wraps to 0.
    resized = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(_RESIZED, Image.Resampling.BILINEAR))
    top, left = (round((size - _CROP) / 2) for size in resized.shape[:2])
    cropped = resized[top : top + _CROP, left : left + _CROP].astype(np.float32) / 255
    return ((cropped - _MEAN) / _DEVIATION).transpose(2, 0, 1)
