"""The reverse chain of a small noise predictor in one GPU kernel, and its backward pass in another.

Step by step a chain of hundreds of steps is thousands of kernels, each of which is over sooner than it is launched.
Here each row of the batch has a block of threads, which holds both weight matrices in its registers for all steps.
"""

from typing import Any

import torch
from torch import Tensor

try:  # It comes with PyTorch for CUDA; this module can be imported without.
    import triton
    import triton.language as tl
except ImportError:
    triton = None

_MOST_WEIGHTS = 128 * 128  # Of a matrix, padded to powers of two: more would not fit into the registers.


def fits(x: Tensor, of_x: Tensor) -> bool:
    """Return whether the kernels take a chain of x (B, D) with weights (h, D)."""
    height, width = map(triton.next_power_of_2, of_x.shape)
    return x.dtype == of_x.dtype == torch.float32 and len(x) > 0 and height * width <= _MOST_WEIGHTS


def forward(
    x: Tensor, weights: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, float], steps: Tensor, noise: Tensor, keep: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Walk the chain.

    Args:
        x: Where it begins, (B, D).
        weights: The predictor, as :class:`MLPWeights` has it.
        steps: Factors of x_t, the prediction and the noise at each step, (T, 3).
        noise: Noise of each step, (T, B, D).
        keep: Whether to keep what the backward pass needs.

    Returns:
        The end (B, D), and the activations of the input (T, B, D) and of the hidden layer (T, B, h), or empty tensors.
    """
    of_x, fixed, table, out, out_bias, slope = weights
    (batch, width), (count, height) = x.shape, table.shape
    end = x.new_empty(x.shape)  # Of rows one after the other, whatever the strides of x are.
    inputs = x.new_empty((count, batch, width) if keep else (0,))
    hidden = x.new_empty((count, batch, height) if keep else (0,))
    tensors = [t.contiguous() for t in (x, of_x, fixed, table, out, out_bias, steps, noise)]
    with torch.cuda.device_of(x):  # Triton launches on the current device.
        _walk[(batch,)](
            *tensors, end, inputs, hidden, slope, batch, width, height, keep=keep, **_blocks(count, width, height)
        )
    return end, inputs, hidden


def backward(
    grad: Tensor, of_x: Tensor, out: Tensor, inputs: Tensor, hidden: Tensor, slope: float, steps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Walk the chain back.

    Args:
        grad: Gradient of its end, (B, D).
        of_x: Weights of the input, (h, D).
        out: Weights of the output, (D, h).
        inputs: What :func:`forward` returned, (T, B, D).
        hidden: What it returned, (T, B, h).
        slope: Slope of the activations where they are negative.
        steps: As for it, (T, 3).

    Returns:
        Gradients of the beginning (B, D), of each prediction (T, B, D), and of the hidden layer before its activation
        (T, B, h).
    """
    count, batch, width = inputs.shape
    height = hidden.shape[2]
    begin, of_eps, of_hidden = torch.empty_like(inputs[0]), torch.empty_like(inputs), torch.empty_like(hidden)
    tensors = [t.contiguous() for t in (grad, of_x, out, steps, inputs, hidden)]
    with torch.cuda.device_of(grad):
        _walk_back[(batch,)](
            *tensors, begin, of_eps, of_hidden, slope, batch, width, height, **_blocks(count, width, height)
        )
    return begin, of_eps, of_hidden


def _blocks(count: int, width: int, height: int) -> dict[str, Any]:
    blocks = dict(
        num_steps=count, width_block=triton.next_power_of_2(width), height_block=triton.next_power_of_2(height)
    )
    return dict(blocks, num_warps=max(1, min(16, blocks['width_block'] * blocks['height_block'] // 1024)))


if triton is not None:

    @triton.jit
    def _load(rows, row, column, width):  # type: ignore[no-untyped-def]
        """Load a row of width numbers, with zeros beyond them."""
        return tl.load(rows + row * width + column, mask=column < width, other=0.0)

    @triton.jit
    def _store(rows, row, column, width, values):  # type: ignore[no-untyped-def]
        tl.store(rows + row * width + column, values, mask=column < width)

    @triton.jit
    def _leaky(values, of, slope):  # type: ignore[no-untyped-def]
        """Scale values where others, or they themselves, are negative."""
        return tl.where(of > 0, values, slope * values)

    @triton.jit
    def _begin(of_x, out, width, height, width_block: tl.constexpr, height_block: tl.constexpr):  # type: ignore[no-untyped-def]
        """Return the video of this program, indices of input and hidden layer, and both matrices as (h, D)."""
        w, h = tl.arange(0, width_block), tl.arange(0, height_block)
        row, column = h[:, None], w[None, :]
        real = (row < height) & (column < width)
        first = tl.load(of_x + row * width + column, mask=real, other=0.0)
        second = tl.load(out + column * height + row, mask=real, other=0.0)
        return tl.program_id(0).to(tl.int64), w, h, first, second

    @triton.jit
    def _walk(  # type: ignore[no-untyped-def]
        x,
        of_x,
        fixed,
        table,
        out,
        out_bias,
        steps,
        noise,
        end,
        inputs,
        hidden,
        slope,
        batch,
        width,
        height,
        keep: tl.constexpr,
        num_steps: tl.constexpr,
        width_block: tl.constexpr,
        height_block: tl.constexpr,
    ):
        b, w, h, first, second = _begin(of_x, out, width, height, width_block, height_block)
        x_t, of_video, bias = _load(x, b, w, width), _load(fixed, b, h, height), _load(out_bias, 0, w, width)
        for t in range(num_steps):
            a = _leaky(x_t, x_t, slope)
            z = tl.sum(first * a[None, :], axis=1) + of_video + _load(table, t, h, height)
            z = _leaky(z, z, slope)
            eps = tl.sum(second * z[:, None], axis=0) + bias
            fresh = _load(noise, t * batch + b, w, width)
            if keep:
                _store(inputs, t * batch + b, w, width, a)
                _store(hidden, t * batch + b, h, height, z)
            x_t = tl.load(steps + 3 * t) * x_t + tl.load(steps + 3 * t + 1) * eps + tl.load(steps + 3 * t + 2) * fresh
        _store(end, b, w, width, x_t)

    @triton.jit
    def _walk_back(  # type: ignore[no-untyped-def]
        grad,
        of_x,
        out,
        steps,
        inputs,
        hidden,
        begin,
        of_eps,
        of_hidden,
        slope,
        batch,
        width,
        height,
        num_steps: tl.constexpr,
        width_block: tl.constexpr,
        height_block: tl.constexpr,
    ):
        b, w, h, first, second = _begin(of_x, out, width, height, width_block, height_block)
        g = _load(grad, b, w, width)
        for back in range(num_steps):
            t = num_steps - 1 - back
            a, z = _load(inputs, t * batch + b, w, width), _load(hidden, t * batch + b, h, height)
            g_eps = tl.load(steps + 3 * t + 1) * g
            g_z = _leaky(tl.sum(second * g_eps[None, :], axis=1), z, slope)
            g_a = tl.sum(first * g_z[:, None], axis=0)
            g = tl.load(steps + 3 * t) * g + _leaky(g_a, a, slope)
            _store(of_eps, t * batch + b, w, width, g_eps)
            _store(of_hidden, t * batch + b, h, height, g_z)
        _store(begin, b, w, width, g)
