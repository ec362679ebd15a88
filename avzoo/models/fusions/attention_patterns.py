"""Which kind of token may attend to which: the one idea behind all attention patterns of Table 3, TCAF and Zorro."""

from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor

from avzoo.models.layers.masking import logit_bias

Pattern = Literal['full', 'self', 'cross', 'hybrid', 'alternate', 'bottleneck']

# Kinds of token; the index of a kind is its row and column in a table.
SUMMARY, AUDIO, VISUAL = 0, 1, 2

# Row attends to column. The summary token is `cls`, or the fusion tokens in the pattern 'bottleneck'.
_TABLES = {
    # A = A_c + A_cross + A_self (AV-DIFF, eq. 5).
    'full': [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    # A_self + A_c.
    'self': [[1, 1, 1], [1, 1, 0], [1, 0, 1]],
    # A_cross + A_c: nothing within a modality, not even a token to itself (TCAF).
    'cross': [[1, 1, 1], [1, 0, 1], [1, 1, 0]],
    # Fusion tokens read everything, the modalities read only themselves (Zorro).
    'bottleneck': [[1, 1, 1], [0, 1, 0], [0, 0, 1]],
}


def layer_patterns(pattern: str, depth: int, switch_after: int = 0) -> list[str]:
    """Return the name of the table that each of ``depth`` layers uses.

    Args:
        pattern: ``full``, ``self``, ``cross`` or ``bottleneck`` in every layer; ``hybrid``: ``self`` in the first
            ``switch_after`` layers (the paper's Z), ``full`` after; ``alternate``: ``self``, ``full``, ``self``, ...
        depth: Number of layers L.
        switch_after: Number of layers Z before the switch, for ``hybrid``; 0 for all others.

    Raises:
        ValueError: If the pattern is unknown or ``switch_after`` fits neither it nor the depth.
    """
    if pattern not in get_args(Pattern):
        raise ValueError(f"Unknown attention pattern '{pattern}'; choose one of {', '.join(get_args(Pattern))}.")
    if pattern == 'hybrid':
        if not 0 <= switch_after <= depth:
            raise ValueError(f'switch_after={switch_after} must lie in 0..depth={depth}.')
        return ['self'] * switch_after + ['full'] * (depth - switch_after)
    if switch_after:
        raise ValueError(
            f"switch_after={switch_after} has no effect with the pattern '{pattern}'; set it to 0, or pattern='hybrid'."
        )
    if pattern == 'alternate':
        return ['full' if layer % 2 else 'self' for layer in range(depth)]
    return [pattern] * depth


def attention_bias(table: str, kinds: Tensor, valid: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return what is added to the attention logits so that only allowed pairs of real tokens attend.

    Padded queries are masked as well; all their logits are then equal, so they attend evenly, as in the released
    code, and no row becomes NaN. Real tokens never read their outputs.

    Args:
        table: ``full``, ``self``, ``cross`` or ``bottleneck``.
        kinds: (N,) kind of each token.
        valid: (B, N), true at real tokens.
        dtype: Type of the attention logits.

    Returns:
        (B, 1, N, N): 0 where attention is allowed, a very large negative number elsewhere.
    """
    allowed = _table(table, kinds.device)[kinds][:, kinds]  # (N, N)
    allowed = allowed & valid.unsqueeze(1) & valid.unsqueeze(2)  # (B, N, N)
    return logit_bias(allowed, dtype).unsqueeze(1)


@cache
def _table(name: str, device: torch.device) -> Tensor:
    """Return a table on a device; copying it there anew for each batch would wait for the device."""
    return torch.tensor(_TABLES[name], dtype=torch.bool, device=device)
