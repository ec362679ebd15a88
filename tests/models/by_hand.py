"""The arithmetic of the networks in NumPy, written out."""

from math import erf

import numpy as np
from torch import nn


def array(x) -> np.ndarray:
    return x.detach().double().numpy()


def linear(x: np.ndarray, layer: nn.Linear) -> np.ndarray:
    return x @ array(layer.weight).T + (0 if layer.bias is None else array(layer.bias))


def dense(x: np.ndarray, layers) -> np.ndarray:
    """Linear, BatchNorm with the statistics of this batch, ReLU; over as many such triples as there are."""
    modules = [m for m in layers if isinstance(m, nn.Linear | nn.BatchNorm1d)]
    for lin, norm in zip(modules[::2], modules[1::2], strict=True):
        x = linear(x, lin)
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + norm.eps) * array(norm.weight) + array(norm.bias)
        x = np.maximum(x, 0)
    return x


def layer_norm(x: np.ndarray, norm: nn.LayerNorm) -> np.ndarray:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + norm.eps)
    return x * array(norm.weight) + array(norm.bias)


def attention_weights(x: np.ndarray, attn, allowed: np.ndarray) -> np.ndarray:
    """Weights (H, N, N) of tokens (N, d), pair by pair; ``allowed[i, j]``: token i may look at token j."""
    q, k = (np.stack(np.split(linear(x, lin), attn.num_heads, axis=-1)) for lin in (attn.to_q, attn.to_k))
    weights = np.zeros((attn.num_heads, len(x), len(x)))
    for h, i in np.ndindex(weights.shape[:2]):
        keys = np.flatnonzero(allowed[i])
        raised = np.exp([q[h, i] @ k[h, j] / np.sqrt(q.shape[-1]) for j in keys])
        weights[h, i, keys] = raised / raised.sum()
    return weights


def attention(x: np.ndarray, attn, allowed: np.ndarray) -> np.ndarray:
    """Multi-head attention of tokens (N, d) to the tokens that each may look at."""
    v = np.stack(np.split(linear(x, attn.to_v), attn.num_heads, axis=-1))
    return linear(np.concatenate(list(attention_weights(x, attn, allowed) @ v), axis=-1), attn.to_out)


def transformer_layer(x: np.ndarray, layer, allowed: np.ndarray) -> np.ndarray:
    x = x + attention(layer_norm(x, layer.norm), layer.attn, allowed)
    h = linear(layer_norm(x, layer.mlp_norm or layer.norm), layer.mlp.fc1)
    gelu = np.array([0.5 * value * (1 + erf(value / np.sqrt(2))) for value in h.ravel()]).reshape(h.shape)
    return x + linear(gelu, layer.mlp.fc2)


def cross_entropy(logits: np.ndarray, labels) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return -float(np.mean([log_p[i, y] for i, y in enumerate(labels)]))
