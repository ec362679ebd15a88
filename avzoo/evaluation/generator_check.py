"""Has a generator learned? Compares its features with real ones of held-out videos."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

_SAMPLES = 50  # Of each novel class.
_MOST_REAL = 2000  # Held-out features to search for neighbours.
_LOSS_MARGIN = 1.1
_CHANCE_MARGIN = 3.0


class Features(NamedTuple):
    """Features (N, d) and their class columns (N,)."""

    x: Tensor
    labels: Tensor


def check_generator(
    sample: Callable[[Tensor], Tensor],
    error: Callable[[Features, Tensor], float] | None,
    shots: Features,
    held_out: Features,
    base_mask: Tensor,
) -> dict[str, Any]:
    """Compare generated features of the novel classes with real ones.

    Args:
        sample: Generates a row for each of the given columns (N,).
        error: The generator's loss on features under the conditions of the given columns (N,), or ``None``.
        shots: Features of the novel training videos; the first of each class counts.
        held_out: Features of videos that were not used for training.
        base_mask: Which columns are base, (C,).

    Returns:
        ``loss_true`` and ``loss_shuffled``, with the conditions of the right classes and of others, where there is a
        loss; ``mean_distance``, the mean squared distance between generated and held-out class means, and
        ``shot_mean_distance``, that of one shot; ``synthetic_accuracy``, the mean recall in per cent, among the novel
        classes, of the nearest mean of generated features, and ``chance``; and ``learned``: the shuffled loss is at
        least 1.1 times the true one, generated means are closer than shots, and the accuracy is at least three times
        chance, or midway between chance and 100 if that is less. These decide nothing: ``spread`` and
        ``real_spread``, the standard deviation within a class of generated and of held-out features; and whether shots
        are copied, see :func:`nearest_neighbours`.
    """
    novel = held_out.labels.unique()
    novel = novel[~base_mask[novel] & torch.isin(novel, shots.labels)]
    real = _class_means(held_out, novel)
    columns = novel.repeat_interleave(_SAMPLES)
    synthetic = Features(sample(columns), columns)
    generated = _class_means(synthetic, novel)
    one_shot = torch.stack([shots.x[shots.labels == column][0] for column in novel])
    found: dict[str, Any] = dict(
        _losses(error, held_out),
        mean_distance=_squared_distance(generated, real),
        shot_mean_distance=_squared_distance(one_shot, real),
        synthetic_accuracy=_nearest_mean_recall(generated, novel, held_out),
        chance=100 / len(novel),
        spread=_spread(synthetic, novel),
        real_spread=_spread(held_out, novel),
        **nearest_neighbours(synthetic, _of_classes(shots, novel), _of_classes(held_out, novel)),
    )
    return dict(found, learned=not _missed_bars(found))


def check_line(found: Mapping[str, Any]) -> str:
    """Return one line with the findings of a check and the thresholds missed by a generator that has not learned."""
    losses, missed = '', _missed_bars(found)
    if 'loss_true' in found:
        losses = f'loss {found["loss_true"]:.3f}, with shuffled conditions {found["loss_shuffled"]:.3f}; '
    return (
        f'generator: {"learned" if found["learned"] else "not learned"} ({losses}'
        f'squared distance to class means {found["mean_distance"]:.3g}, of one shot {found["shot_mean_distance"]:.3g}; '
        f'FSL of its features alone {found["synthetic_accuracy"]:.1f}, chance {found["chance"]:.1f})'
        f'{"; needed: " if missed else ""}{", ".join(missed)}'
    )


def _missed_bars(found: Mapping[str, Any]) -> list[str]:
    """Return the thresholds that this generator missed."""
    chance, loss_bar = found['chance'], _LOSS_MARGIN * found.get('loss_true', 0.0)
    fsl_bar = min(_CHANCE_MARGIN * chance, (100 + chance) / 2)
    bars = {
        f'loss with shuffled conditions >= {loss_bar:.3f}': found.get('loss_shuffled', torch.inf) >= loss_bar,
        'distance < that of one shot': found['mean_distance'] < found['shot_mean_distance'],
        f'FSL of its features >= {fsl_bar:.1f}': found['synthetic_accuracy'] >= fsl_bar,
    }
    return [bar for bar, is_reached in bars.items() if not is_reached]


def _losses(error: Callable[[Features, Tensor], float] | None, held_out: Features) -> dict[str, float]:
    if error is None:
        return {}
    return dict(
        loss_true=error(held_out, held_out.labels), loss_shuffled=error(held_out, other_columns(held_out.labels))
    )


def other_columns(labels: Tensor) -> Tensor:
    """Return for each label another of the labels present."""
    present, position = labels.unique(return_inverse=True)
    return present.roll(1)[position]


def nearest_neighbours(synthetic: Features, shots: Features, held_out: Features) -> dict[str, float | None]:
    """Measure whether generated features are copies of the shots.

    Returns:
        ``nearest_is_shot``: the share in per cent of generated features that are nearer to a shot than to any held-out
        feature; ``real_nearest_is_shot``, that of held-out features, which copy nothing; ``shot_distance_ratio`` and
        ``real_shot_distance_ratio``: the median of the distance to the nearest shot, divided by that to the nearest
        held-out feature. A ratio near 0 means a copy. The values of held-out features are None if there is only one.
    """
    real = held_out.x[:: -(-len(held_out.x) // _MOST_REAL)]
    own = torch.cdist(real, real).fill_diagonal_(torch.inf)
    ratio = _ratio(torch.cdist(synthetic.x, shots.x), torch.cdist(synthetic.x, real))
    real_ratio = _ratio(torch.cdist(real, shots.x), own) if len(real) > 1 else None
    return dict(
        nearest_is_shot=_share_below_one(ratio),
        real_nearest_is_shot=None if real_ratio is None else _share_below_one(real_ratio),
        shot_distance_ratio=float(ratio.median()),
        real_shot_distance_ratio=None if real_ratio is None else float(real_ratio.median()),
    )


def _ratio(to_shots: Tensor, to_others: Tensor) -> Tensor:
    least = torch.finfo(to_shots.dtype).tiny  # A feature may occur twice in the data.
    return to_shots.amin(1).clamp(min=least) / to_others.amin(1).clamp(min=least)


def _share_below_one(ratio: Tensor) -> float:
    return 100 * int((ratio < 1).sum()) / len(ratio)


def _spread(features: Features, columns: Tensor) -> float | None:
    """Return the mean over classes of the standard deviation within a class; variances are averaged over dimensions."""
    groups = [features.x[features.labels == column] for column in columns]
    variances = [group.var(0).mean() for group in groups if len(group) > 1]
    return float(torch.stack(variances).sqrt().mean()) if variances else None


def _of_classes(features: Features, columns: Tensor) -> Features:
    chosen = torch.isin(features.labels, columns)
    return Features(features.x[chosen], features.labels[chosen])


def _class_means(features: Features, columns: Tensor) -> Tensor:
    return torch.stack([features.x[features.labels == column].mean(0) for column in columns])


def _squared_distance(means: Tensor, real: Tensor) -> float:
    return float((means - real).square().sum(1).mean())


def _nearest_mean_recall(means: Tensor, columns: Tensor, held_out: Features) -> float:
    predicted = columns[torch.cdist(held_out.x, means).argmin(1)]
    hits = [(predicted[held_out.labels == column] == column).float().mean() for column in columns]
    return 100 * float(torch.stack(hits).mean())
