"""Towers of CLIP, SigLIP, VideoMAE, CLAP and PE-AV, through transformers."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.extraction.extractor import Compute, Extractor, TorchNetwork, in_batches, plain_name
from avzoo.extraction.frame_steps import frame_windows, frames_of_steps, repeat_rows
from avzoo.extraction.hub_towers import TOWERS, Form, Tower, TowerNetwork
from avzoo.extraction.media import MediaFile
from avzoo.extraction.sound_windows import sound_windows
from avzoo.registry import EXTRACTORS
from avzoo.text.encoder_files import Wanted, from_hub, quiet_transformers, weight_files
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError, ConfigError, DataError, first_line
from avzoo.utils.files import joint_sha256
from avzoo.utils.regular_files import read_json

_SECONDS: dict[Form, float] = dict(frame=0.64, clip=2.56, sound=0.96)
_FRAMES = 16  # Frames per clip, if the model does not say.
_CONFIGS = ('config.json', 'preprocessor_config.json', 'processor_config.json', 'video_preprocessor_config.json')


# AutoModel would omit the projection.
_WITH_PROJECTION = ('CLIPVisionModelWithProjection', 'ClapAudioModelWithProjection')
_PROCESSORS: dict[Form, str] = dict(frame='AutoImageProcessor', clip='AutoVideoProcessor', sound='AutoFeatureExtractor')


@EXTRACTORS.register_module('hf')
class HubModel(Extractor):
    """Features of a model from the Hugging Face Hub, with inputs prepared by its own processor.

    CLIP, SigLIP: image features of the first frame of every step. VideoMAE, PE-AV video: features of 16 evenly spaced
    frames (or as many as the model needs), for VideoMAE the mean over its tokens. CLAP, PE-AV audio: features of the
    sound of every step. Code that comes with a model is not executed, and weights are read only from safetensors.

    Args:
        name: A name on the Hub, or a folder with ``config.json``, ``model.safetensors``, ``preprocessor_config.json``.
        modality: What is read.
        weights: The folder, if only its name is known, as in a model's record of its features.
        seconds: Seconds per step; 0 for 0.64 (a frame), 2.56 (a clip) or 0.96 (sound).
        batch_size: Steps per batch.
        device: Device to compute on.
    """

    modality = ''
    needs = ('transformers',)
    compute: Compute

    def __init__(
        self,
        name: str,
        modality: str,
        weights: str | os.PathLike[str] | None = None,
        *,
        seconds: float = 0.0,
        batch_size: int = 4,
        device: str = 'cpu',
    ) -> None:
        if not seconds >= 0:
            raise ConfigError(f'hf: seconds={seconds} must be 0 or more.')
        self.modality, self.batch_size = modality, batch_size
        wanted = _wanted(modality)
        folder = Path(weights or name).expanduser()
        is_local = weights is not None or folder.is_dir()
        folder = folder if is_local else from_hub(name, wanted)
        config = _read_config(folder, wanted)
        tower = _tower_of(folder, config, modality)
        self._form = tower.form  # Everything kept, except the network, can be sent to other processes.
        self._count = int(config.get('num_frames', _FRAMES)) if self._form == 'clip' else 1
        self.seconds = seconds or _SECONDS[self._form]
        files = weight_files(folder, wanted)
        self._processor, model = _load(folder, config, tower)
        self.compute = TorchNetwork(TowerNetwork(model, tower), device)
        self.dim = self._width()
        self._stamp = dict(
            extractor=f'hf:{plain_name(name) if is_local else name}',
            seconds=self.seconds,
            weights=joint_sha256(files),
            configs=joint_sha256([folder / file for file in _CONFIGS if (folder / file).is_file()]),
        )

    def seconds_per_step(self, media: MediaFile) -> float:
        return self.seconds

    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        repeats: list[int] = []
        if self._form == 'sound':
            rate = int(self._processor.sampling_rate)
            raw = sound_windows(media.samples(rate, start, end), round(self.seconds * rate))
        elif self._form == 'clip':
            raw = frame_windows(media.frames(start, end), self.seconds, self._count, start)
        else:
            raw = frames_of_steps(media.frames(start, end), self.seconds, start, repeats)
        inputs: Iterator[np.ndarray] = map(self._prepare, raw)
        found = in_batches(inputs, self.compute, dim=self.dim, batch_size=self.batch_size)
        return repeat_rows(found, repeats) if self._form == 'frame' else found

    def stamp(self) -> dict[str, Any]:
        return dict(self._stamp)

    def _prepare(self, raw: np.ndarray) -> np.ndarray:
        """Return a step's input, made by the model's own processor."""
        if self._form == 'sound':
            found = self._processor(raw, sampling_rate=self._processor.sampling_rate, return_tensors='np')
            key = 'input_features' if 'input_features' in found else 'input_values'
        elif self._form == 'clip':
            found = self._processor([raw], do_sample_frames=False, return_tensors='pt')
            key = 'pixel_values' if 'pixel_values' in found else 'pixel_values_videos'
        else:
            found = self._processor(raw, return_tensors='pt')
            key = 'pixel_values'
        return np.asarray(found[key][0], np.float32)

    def _width(self) -> int:
        """Return D, by running the network once on silence or black frames."""
        if self._form == 'sound':
            raw = np.zeros(round(self.seconds * self._processor.sampling_rate), np.float32)
        else:
            raw = np.zeros((*((self._count,) if self._form == 'clip' else ()), 32, 32, 3), np.uint8)
        return self.compute(self._prepare(raw)[None]).shape[-1]


def _wanted(modality: str) -> Wanted:
    cure = (
        f'Give a folder with config.json, model.safetensors and preprocessor_config.json: --{modality} hf:FOLDER, '
        f'or --{modality}-option weights=FOLDER.'
    )
    return Wanted(f'--{modality} hf:', cure, ('model.safetensors',))


def _read_config(folder: Path, wanted: Wanted) -> dict[str, Any]:
    path = folder / 'config.json'
    try:
        config = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f'{wanted.option}{folder}: {path} cannot be read ({error}). {wanted.otherwise}') from None
    if not isinstance(config, dict):
        raise DataError(f'{wanted.option}{folder}: {path} does not hold a dict. {wanted.otherwise}')
    return config


def _tower_of(folder: Path, config: dict[str, Any], modality: str) -> Tower:
    kind = config.get('model_type')
    found = TOWERS.get((str(kind), modality))
    if found is None:
        known = sorted(name for name, reads in TOWERS if reads == modality)
        raise ConfigError(
            f'--{modality} hf:{folder}: {modality} features of model_type {kind!r} (config.json) are not supported. '
            f'Supported: {", ".join(known)}. Export others to ONNX: --{modality} onnx:FILE.'
        )
    return found


def _load(folder: Path, config: dict[str, Any], tower: Tower) -> tuple[Any, Any]:
    """Return the processor and the model of a folder."""
    transformers = quiet_transformers('hf:')
    options = dict(local_files_only=True, trust_remote_code=False)
    architecture = next(iter(config.get('architectures') or ()), '')
    kind = architecture if architecture in _WITH_PROJECTION else 'AutoModel'
    try:
        processor = getattr(transformers, _PROCESSORS[tower.form]).from_pretrained(folder, **options)
        model, report = getattr(transformers, kind).from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **options
        )
    except Exception as error:  # The libraries below raise a dozen kinds of errors for a file that does not fit.
        raise CheckpointError(f'{folder} cannot be loaded by transformers: {first_line(error)}') from None
    lacking = sorted(key for key in report['missing_keys'] if not {'text_model', *tower.unused} & {*key.split('.')})
    if lacking:
        raise CheckpointError(
            f'{folder}: its weights lack {number_of(len(lacking), "tensor")} of the model, first {lacking[0]}. '
            'Download it again.'
        )
    for part in tower.unused:
        if hasattr(model, part):
            delattr(model, part)
    return processor, model.float().eval().requires_grad_(False)
