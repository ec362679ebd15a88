"""Batch samplers: class-balanced training batches, and evaluation batches divided among any number of processes."""

import math
from collections.abc import Iterator

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.protocol import Subset
from avzoo.registry import DATA_SAMPLERS
from avzoo.utils.errors import DataError

NUM_BATCHES = 300  # AV-DIFF, sec. 5.1
_FEWEST_BATCHES = 10  # Of an epoch that follows the data.


@DATA_SAMPLERS.register_module()
class ClassBalancedBatchSampler:
    """Draw each class equally often, then one of its videos, with replacement.

    With several subsets the batches take turns: a base batch, a novel batch, ... (AV-DIFF, sec. 4.3). Draws depend
    only on the seed, the epoch and the rank.

    Args:
        sampler: Carries the data set and the seed (mmengine's ``DefaultSampler``).
        batch_size: Videos in a batch.
        num_batches: Batches of each subset in an epoch. ``None`` follows the data, see :func:`batches_to_draw_once`.
        subsets: Which classes a batch is drawn from, in turn: ``base``, ``novel`` or ``all``.
    """

    def __init__(
        self,
        sampler: DefaultSampler,
        batch_size: int,
        *,
        num_batches: int | None = NUM_BATCHES,
        subsets: tuple[Subset, ...] = ('base',),
    ) -> None:
        if num_batches is None:
            num_batches = batches_to_draw_once(sampler.dataset, batch_size, sampler.world_size)
        self.batch_size, self.num_batches = batch_size, num_batches
        self.subsets = tuple(subsets)
        self.seed, self.rank, self.epoch = sampler.seed or 0, sampler.rank, 0
        self._pools = [_Pool(sampler.dataset, name) for name in subsets]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_batches * len(self._pools)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch, self.rank])
        for _ in range(self.num_batches):
            for pool in self._pools:
                yield pool.draw(self.batch_size, rng)


def batches_to_draw_once(dataset: GFSLDataset, batch_size: int, processes: int) -> int:
    """Return how many batches draw each base video about once, over all processes; at least 10.

    Novel batches are as many as base batches, so that both are drawn equally often (AV-DIFF, sec. 4.3).
    """
    num_base = int(dataset.base_mask[dataset.labels].sum())
    return max(_FEWEST_BATCHES, math.ceil(num_base / (batch_size * processes)))


class _Pool:
    """The videos of some classes, grouped by class."""

    def __init__(self, dataset: GFSLDataset, subset: str) -> None:
        wanted = {'base': dataset.base_mask, 'novel': ~dataset.base_mask, 'all': np.ones_like(dataset.base_mask)}.get(
            subset
        )
        if wanted is None:
            raise ValueError(f"subsets names '{subset}'; choose base, novel or all.")
        members = np.flatnonzero(wanted[dataset.labels])
        if not len(members):
            raise DataError(f'The splits {", ".join(dataset.splits)} have no video of a {subset} class to train on.')
        self._order = members[np.argsort(dataset.labels[members], kind='stable')]
        _, self._first, self._count = np.unique(dataset.labels[self._order], return_index=True, return_counts=True)

    def draw(self, size: int, rng: np.random.Generator) -> list[int]:
        group = rng.integers(len(self._first), size=size)
        return self._order[self._first[group] + rng.integers(self._count[group])].tolist()


@DATA_SAMPLERS.register_module()
class EvaluationBatchSampler:
    """Assign whole batches to the processes in turn, so that several compute exactly what one would.

    Args:
        sampler: Carries the data set (mmengine's ``DefaultSampler``).
        batch_size: Videos in a batch.
    """

    def __init__(self, sampler: DefaultSampler, batch_size: int) -> None:
        self._size, self.batch_size = len(sampler.dataset), batch_size
        self._rank, self._world = get_dist_info()

    def _starts(self) -> range:
        return range(self._rank * self.batch_size, self._size, self._world * self.batch_size)

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[list[int]]:
        for start in self._starts():
            yield list(range(start, min(start + self.batch_size, self._size)))
