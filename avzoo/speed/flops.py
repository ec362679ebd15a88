"""Count the parameters and multiply-adds of a model."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from avzoo.checkpoints.states import is_extra_state
from avzoo.datasets.collate import PaddedSequences, collate_arrays
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.protocol import CLIP_SECONDS
from avzoo.speed.clip_steps import steps_of


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters of all parts, including the generator."""
    return sum(weight.numel() for weight in model.parameters())


def count_flops(model: AVClassifier, data_info: dict[str, Any], *, seconds: float = CLIP_SECONDS) -> int:
    """Return the multiply-adds of one prediction, attention included (fvcore counts a multiply-add once).

    Args:
        model: In evaluation mode.
        data_info: See :class:`AVClassifier`.
        seconds: Length of the clip.

    Raises:
        ConfigError: If the clip is too long to compute.
        RuntimeError: If the model computes attention or matrix products with an operator that is not counted.
    """
    steps = steps_of(seconds, data_info, model.encoders)
    clip = {m: [np.zeros((count, data_info['feature_dims'][m]), np.float32)] for m, count in steps.items()}
    features = collate_arrays(clip, data_info['seconds_per_step'])
    analysis = FlopCountAnalysis(_Prediction(model, features), tuple(part['x'] for part in features.values()))
    analysis.set_op_handle('aten::scaled_dot_product_attention', _attention_flops)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings('none')
    total = int(analysis.total())
    missed = [name for name in analysis.unsupported_ops() if 'attention' in name or 'matmul' in name or 'mm_' in name]
    if missed:
        raise RuntimeError(f'{missed[0]} is not counted. Add a handle for it in avzoo/speed/flops.py.')
    return total


class _Prediction(nn.Module):
    """A prediction as a function of feature tensors only, as the tracer needs it."""

    def __init__(self, model: AVClassifier, features: Mapping[str, PaddedSequences]) -> None:
        super().__init__()
        self.model, self._features = model, features

    def forward(self, *clip: Tensor) -> Tensor:
        features = {m: dict(part, x=x) for (m, part), x in zip(self._features.items(), clip, strict=True)}
        inputs = self.model.data_preprocessor(dict(features=features))['inputs']
        return self.model(inputs, mode='predict')[0]['scores']

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]  # torch overloads it
        """Return only the weights: the tracer fails on the private state of a part."""
        state = super().state_dict(*args, **kwargs)
        for key in [key for key in state if is_extra_state(key)]:
            del state[key]  # In place: an enclosing module passes in the dict to fill.
        return state


def _attention_flops(inputs: list, outputs: list) -> int:
    """Count q k^T and the weighted sum of v, for q (..., N, D), k (..., M, D), v (..., M, E)."""
    q, k, v = (value.type().sizes() for value in inputs[:3])
    return math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])
