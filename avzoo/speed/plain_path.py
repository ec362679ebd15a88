"""The same numbers as the models', computed the plain way: with padding, and everything again at each step."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from avzoo.datasets.collate import PaddedSequences, SequenceSource
from avzoo.models.data_preprocessors import av_preprocessor
from avzoo.models.fusions import masked_transformer
from avzoo.models.generators import feature_diffusion
from avzoo.models.generators.chain import Predict
from avzoo.models.generators.ddpm import DDPM
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.models.kernels.packing import Packing
from avzoo.models.layers import mlp
from avzoo.models.layers.transformer_layer import TransformerLayer


@contextmanager
def plain_path() -> Iterator[None]:
    """Let models compute padding like any step, the last layer for all tokens, and each chain step by step.

    Linear layers and dropout are those of PyTorch. An optimizer steps as it was built.
    """
    plain = (
        (masked_transformer, 'packing_of', lambda valid: None),
        (mlp, 'packing_of', lambda valid: None),
        (av_preprocessor, '_unit_over_time', lambda x: F.normalize(x, dim=1)),
        (TransformerLayer, 'first', _whole_then_first),
        (DDPM, 'sample', _sample_step_by_step),
        (feature_diffusion, 'predict_along', _predict_anew),
    )
    with ExitStack() as stack:
        stack.callback(choose_cpu_kernels, choose_cpu_kernels('torch'))
        for owner, name, replacement in plain:
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield


def collate_one_by_one(source: SequenceSource, videos: np.ndarray, names: Sequence[str]) -> dict[str, PaddedSequences]:
    """Fetch the videos of a batch one after the other, and pad them; see :func:`collate`."""
    batch = {}
    for name in names:
        parts = [source.gather(name, videos[i : i + 1]) for i in range(len(videos))]
        x = pad_sequence([x[0] for x, _ in parts], batch_first=True)
        starts = torch.zeros(len(videos), dtype=torch.long)
        batch[name] = PaddedSequences(x=x, lengths=torch.cat([length for _, length in parts]), starts=starts)
    return batch


def _whole_then_first(
    self: TransformerLayer, x: Tensor, count: int, bias: Tensor | None = None, packing: Packing | None = None
) -> Tensor:
    return self(x, bias, packing)[:, :count]


def _sample_step_by_step(self: DDPM, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    shape = len(condition), self.dim
    x = torch.randn(shape, device=condition.device, dtype=condition.dtype, generator=generator)
    for step in reversed(range(self.schedule.num_steps)):
        noise = torch.randn(shape, device=x.device, dtype=x.dtype, generator=generator)
        x = self.p_sample(x, step, condition, noise)
    return x


def _predict_anew(predictor: torch.nn.Module, steps: Tensor, condition: Tensor) -> Predict:
    return lambda x_t, place: predictor(x_t, steps[place].expand(len(x_t)), condition)
