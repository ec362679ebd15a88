"""Any network exported to ONNX."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from avzoo.extraction.extractor import Compute, Extractor, in_batches, plain_name
from avzoo.extraction.frame_steps import frames_of_steps, repeat_rows
from avzoo.extraction.log_mel import BANDS, EXAMPLE_FRAMES, EXAMPLE_STEP, SAMPLE_RATE, log_mel_examples
from avzoo.extraction.media import MediaFile
from avzoo.extraction.sound_windows import sound_windows
from avzoo.registry import EXTRACTORS
from avzoo.utils.errors import CheckpointError, ConfigError, first_line
from avzoo.utils.files import sha256_of

Kind = Literal['frames', 'log_mel', 'waveform']
_TAKES = dict(
    visual='frames (N, 3, height, width)',
    audio=f'sound (N, samples), or log-mel examples (N, {EXAMPLE_FRAMES}, {BANDS}), also (N, 1, ...)',
)
_PROVIDERS = dict(cpu='CPUExecutionProvider', cuda='CUDAExecutionProvider')


@EXTRACTORS.register_module('onnx')
class OnnxModel(Extractor):
    """Features of a network in an ONNX file, which has one float32 input and gives (N, D).

    The shape of the input tells what it is. Visual, (N, 3, height, width): the first frame of every step, its shorter
    side scaled to the network's size, centre-cropped, as (x / 255 - mean) / std in RGB. Audio, (N, samples): the sound
    of every step in -1..1; (N, 96, 64) or (N, 1, 96, 64): the log-mel examples of VGGish, of 0.96 s.

    Args:
        name: The file.
        modality: What is read.
        weights: The file, if only its name is known, as in a model's record of its features.
        output: Name of the output to use; by default the first.
        size: Side of the picture, if the file leaves it open.
        mean: Means of red, green and blue, or one for all: ``0.5``. By default ImageNet's.
        std: Standard deviations, in the same form.
        rate: Samples of sound per second, if the input is sound.
        seconds: Seconds per step; 0 for 0.64 (frames), 0.96 (sound), or what the file's number of samples covers.
        batch_size: Steps per batch, if the file leaves it open.
        device: Device to compute on.
    """

    modality = ''
    needs = ('onnxruntime',)
    compute: Compute

    def __init__(
        self,
        name: str,
        modality: str,
        weights: str | os.PathLike[str] | None = None,
        *,
        output: str = '',
        size: int = 224,
        mean: str = '0.485,0.456,0.406',
        std: str = '0.229,0.224,0.225',
        rate: int = SAMPLE_RATE,
        seconds: float = 0.0,
        batch_size: int = 4,
        device: str = 'cpu',
    ) -> None:
        if not (seconds >= 0 and size > 0 and rate > 0 and batch_size > 0):
            raise ConfigError(f'onnx: seconds={seconds}, size={size}, rate={rate}, batch_size={batch_size}: too small.')
        path = Path(weights or name).expanduser()
        session = _open(path, modality, device)
        self.modality, self.rate = modality, rate
        self._mean, self._std = _colours('mean', mean), _colours('std', std)
        if not (self._std > 0).all():
            raise ConfigError(f'onnx: std={std} must be above 0.')
        shape, self._kind = _input_of(path, session, modality)
        self.batch_size = shape[0] or batch_size
        if self._kind == 'frames':
            self._shape: tuple[int, ...] = (3, shape[2] or size, shape[3] or size)
            self.seconds = seconds or 0.64
        elif self._kind == 'log_mel':
            self._shape = (*(1 for _ in shape[3:]), EXAMPLE_FRAMES, BANDS)
            self.seconds = EXAMPLE_STEP / SAMPLE_RATE
        else:
            samples = shape[1] or round((seconds or 0.96) * rate)
            self._shape, self.seconds = (samples,), samples / rate
        self.compute = _Network(path, session, output)
        self.dim = self.compute(np.zeros((self.batch_size, *self._shape), np.float32)).shape[1]
        used: dict[Kind, dict[str, Any]] = dict(
            frames=dict(mean=mean.replace(' ', ''), std=std.replace(' ', ''), size=size),
            waveform=dict(rate=rate),
            log_mel={},
        )
        self._stamp = dict(
            extractor=f'onnx:{plain_name(name)}',
            input=self._kind,
            output=output,
            seconds=self.seconds,
            **used[self._kind],
            weights=sha256_of(path),
        )

    def seconds_per_step(self, media: MediaFile) -> float:
        return self.seconds

    def steps(self, media: MediaFile, start: float = 0.0, end: float | None = None) -> np.ndarray:
        repeats: list[int] = []
        inputs: Iterator[np.ndarray]
        if self._kind == 'frames':
            pictures = frames_of_steps(media.frames(start, end), self.seconds, start, repeats)
            inputs = map(self._picture, pictures)
        elif self._kind == 'log_mel':
            inputs = (x.reshape(self._shape) for x in log_mel_examples(media.samples(SAMPLE_RATE, start, end)))
        else:
            inputs = sound_windows(media.samples(self.rate, start, end), self._shape[0])
        found = in_batches(inputs, self.compute, dim=self.dim, batch_size=self.batch_size)
        return repeat_rows(found, repeats) if self._kind == 'frames' else found

    def stamp(self) -> dict[str, Any]:
        return dict(self._stamp)

    def _picture(self, rgb: np.ndarray) -> np.ndarray:
        """Return a frame (H, W, 3) of uint8 as input for the network, (3, height, width)."""
        height, width = self._shape[1:]
        scale = max(height / rgb.shape[0], width / rgb.shape[1])
        resized = (max(width, round(rgb.shape[1] * scale)), max(height, round(rgb.shape[0] * scale)))
        picture = np.asarray(Image.fromarray(rgb).resize(resized, Image.Resampling.BILINEAR))
        top, left = (resized[1] - height) // 2, (resized[0] - width) // 2
        cropped = picture[top : top + height, left : left + width].astype(np.float32) / 255
        return ((cropped - self._mean) / self._std).transpose(2, 0, 1)


@dataclass(frozen=True)
class _Network:
    """An open file of ONNX as a function of arrays."""

    path: Path
    session: Any
    output: str

    def __post_init__(self) -> None:
        names = [output.name for output in self.session.get_outputs()]
        if self.output and self.output not in names:
            raise ConfigError(f'{self.path} has no output {self.output!r}; its outputs: {", ".join(names)}.')

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        name = self.session.get_inputs()[0].name
        try:
            found = self.session.run([self.output or self.session.get_outputs()[0].name], {name: batch})[0]
        except Exception as error:  # Of onnxruntime, of a dozen kinds.
            raise CheckpointError(
                f'{self.path} does not compute an input of shape {batch.shape}: {first_line(error)}'
            ) from error
        # As (N, D) counts (N, D, 1, 1) and its like.
        if found.ndim < 2 or len(found) != len(batch) or max(found.shape[1:]) != found[0].size:
            outputs = ', '.join(f'{output.name} {output.shape}' for output in self.session.get_outputs())
            raise CheckpointError(
                f'{self.path}: its output has shape {found.shape}, not ({len(batch)}, D). Choose another one by the '
                f'option output=NAME ({outputs}), or export it with its pooling.'
            )
        return found.reshape(len(batch), -1).astype(np.float32)


def _open(path: Path, modality: str, device: str) -> Any:
    if not path.is_file():
        raise CheckpointError(f'--{modality} onnx:{path}: there is no such file. Check the path.')
    try:
        import onnxruntime  # An extra, which only this extractor needs.
    except ImportError as error:
        raise CheckpointError(f"onnx: needs onnxruntime ({error}): pip install 'avzoo[onnx]'.") from error
    provider = _PROVIDERS.get(torch.device(device).type)
    if provider not in onnxruntime.get_available_providers():
        raise ConfigError(f'--device {device}: the installed onnxruntime does not support it. Choose another device.')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # Anything important is raised.
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:
        raise CheckpointError(f'{path} is not an ONNX file that onnxruntime can read: {first_line(error)}') from error


def _input_of(path: Path, session: Any, modality: str) -> tuple[list[int], Kind]:
    """Return the shape of a network's input, with 0 for open sizes, and its kind."""
    inputs = session.get_inputs()
    shape = [size if isinstance(size, int) and size > 0 else 0 for size in inputs[0].shape]
    if len(inputs) == 1 and inputs[0].type == 'tensor(float)':
        if modality == 'visual' and len(shape) == 4 and shape[1] == 3:
            return shape, 'frames'
        if modality == 'audio' and shape[-2:] == [EXAMPLE_FRAMES, BANDS] and (len(shape) == 3 or shape[1:-2] == [1]):
            return shape, 'log_mel'
        if modality == 'audio' and len(shape) == 2:
            return shape, 'waveform'
    found = ', '.join(f'{one.name} {one.shape} {one.type}' for one in inputs)
    raise ConfigError(
        f'{path} has the inputs {found}; --{modality} onnx:FILE needs one float32 input: {_TAKES[modality]}. Export '
        'the network with such an input, including its preprocessing.'
    )


def _colours(key: str, text: str) -> np.ndarray:
    try:
        values = np.array([float(part) for part in text.split(',')], np.float32)
    except ValueError:
        values = np.zeros(0, np.float32)
    if len(values) not in (1, 3) or not np.isfinite(values).all():
        raise ConfigError(f'onnx: {key}={text!r} is not one number, or three separated by commas.')
    return values
