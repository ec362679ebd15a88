"""Batches of a few short videos, as a data set gives them, and the facts of their data."""

import torch

INFO = dict(
    feature_dims=dict(audio=12, visual=16),
    seconds_per_step=dict(audio=0.96, visual=0.64),
    num_classes=7,
    embedding_dim=5,
)


def batch(step: int, shape: tuple[int, int] = (6, 9)) -> dict:
    """Return eight videos, the longest of so many steps of audio and visual; of novel classes at every second step."""
    rng = torch.Generator().manual_seed(step)
    features = {}
    for (m, dim), steps in zip(INFO['feature_dims'].items(), shape, strict=True):
        lengths = torch.randint(1, steps + 1, (8,), generator=rng)
        lengths[0] = steps
        x = torch.rand(8, steps, dim, generator=rng) * (torch.arange(steps) < lengths[:, None]).unsqueeze(-1)
        features[m] = dict(x=x, lengths=lengths, starts=torch.zeros(8, dtype=torch.long))
    label = torch.randint(0, 7, (8,), generator=rng)
    return dict(features=features, label=label, index=torch.arange(8), novel=step % 2 == 1)
