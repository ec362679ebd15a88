"""Fitting parts of a model to the whole training set, each on what the parts before it give."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models import contracts
from avzoo.models.classifiers.base_model import BaseModel
from avzoo.models.classifiers.part_checks import check_scores, check_targets
from avzoo.utils.errors import ConfigError

_FITTED_PARTS = ('projector', 'generator', 'head')  # In the order of their data flow.
_VIDEOS_AT_ONCE = 256
_KEPT_BYTES = 256 << 20  # Features up to this size are computed once for all passes of a part.


class FitsParts(BaseModel):
    """What :class:`AVClassifier` does to fit its projector, generator and head."""

    gamma: Tensor
    data_preprocessor: nn.Module
    fusion: contracts.Fusion
    projector: contracts.Projector | None
    head: contracts.Head
    conditioner: contracts.Conditioner | None
    generator: Any

    def _fuse(self, inputs: dict) -> tuple[Tensor, contracts.Context]:
        raise NotImplementedError

    def fit(self, dataset: GFSLDataset, parts: Sequence[str], *, seed: int = 0) -> dict[str, float]:
        """Fit parts to the training set, each on what the parts before it give.

        Args:
            dataset: The training set.
            parts: Which of projector, generator and head.
            seed: Seed of what a part draws.

        Returns:
            Values for the log, by ``part.name``.

        Raises:
            ConfigError: As for :meth:`check_fit`.
        """
        self.check_fit(parts)
        log = {}
        for name in (n for n in _FITTED_PARTS if n in parts):
            values = getattr(self, name).fit(self._fitting_set(dataset, name, seed))
            log.update({f'{name}.{key}': value for key, value in values.items()})
        return log

    def check_fit(self, parts: Sequence[str], where: str = 'fit') -> None:
        """Refuse parts that cannot be fitted; ``where`` names them for the error.

        Raises:
            ConfigError: If the model has no such part, it is not one that can be fitted, or a video has several
                readouts.
        """
        can = [n for n in _FITTED_PARTS if isinstance(getattr(self, n), contracts.Fitted)]
        for name in parts:
            if name not in can:
                raise ConfigError(
                    f"{where} names '{name}', which cannot be fitted here. Can be fitted: {', '.join(can) or 'none'}."
                )
        readouts = self.fusion.num_readouts
        if parts and readouts != 1:
            raise ConfigError(
                f'{where} names {parts[0]}, which is fitted to one readout of each video; model.fusion='
                f'{type(self.fusion).__name__} gives {readouts or "a varying number"}. Choose another fusion.'
            )

    def _fitting_set(self, dataset: GFSLDataset, part: str, seed: int) -> contracts.FittingSet:
        device = self.gamma.device
        base_mask = torch.as_tensor(dataset.base_mask, device=device)
        classes = torch.arange(len(base_mask), device=device)
        with torch.no_grad():
            conditions = None if self.conditioner is None else self.conditioner(classes)
        return contracts.FittingSet(
            batches=_kept(partial(self._part_inputs, dataset, part)),
            num_videos=len(dataset),
            base_mask=base_mask,
            conditions=conditions,
            class_variance=None if part == 'projector' else getattr(self.projector, 'class_variance', None),
            generator=self.generator,
            seed=seed,
        )

    def generator_data(self, dataset: GFSLDataset) -> tuple[Tensor, Tensor]:
        """Return the features (N, d) of a data set's videos that a generator learns, and their labels (N,)."""
        x, labels = zip(*self._part_inputs(dataset, 'generator'), strict=True)
        return torch.cat(x), torch.cat(labels)

    def _part_inputs(self, dataset: GFSLDataset, part: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what a part gets for the videos of a data set, with labels, in evaluation mode."""
        for x, context, label in self.fused_batches(dataset, batches_of(dataset)):
            with torch.no_grad():
                if part != 'projector' and self.projector is not None:
                    x = self.projector(x)
                if part == 'generator':
                    x, label = self._generator_targets(x, label, context)
            yield x, label

    def _generator_targets(self, c_o: Tensor, label: Tensor, context: contracts.Context) -> tuple[Tensor, Tensor]:
        return check_targets(self.head.generator_targets(c_o, label, context), self.head, c_o.shape[-1])

    def check_scores(self, dataset: GFSLDataset) -> None:
        """Score two videos of a data set, before a long training would end in scores that nothing can use.

        A head that is fitted is left out, since it may not have its weights yet.

        Raises:
            ConfigError: If the head gives anything but a score for each video and class.
        """
        if isinstance(self.head, contracts.Fitted):
            return
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                found = self.val_step(dataset.__getitems__(list(range(len(dataset)))[:2]))[0]
        finally:
            self.train(training)
        check_scores(found['scores'], self.head, (len(found['label']), len(dataset.base_mask)))

    def fused_batches(
        self, dataset: GFSLDataset, batches: Iterable[np.ndarray]
    ) -> Iterator[tuple[Tensor, contracts.Context, Tensor]]:
        """Yield what the fusion gives for batches, its context and the labels; the model is in evaluation mode.

        Args:
            dataset: A data set.
            batches: Positions in it, each (B,).
        """
        training = self.training
        self.eval()
        try:
            for indices in batches:
                with torch.no_grad():
                    batch = self.data_preprocessor(dataset.__getitems__(indices.tolist()))
                    fused, context = self._fuse(batch['inputs'])
                yield fused, context, batch['label']
        finally:
            self.train(training)


def batches_of(dataset: GFSLDataset) -> list[np.ndarray]:
    """Return the positions of all videos of a data set in batches, in order."""
    return np.array_split(np.arange(len(dataset)), -(-len(dataset) // _VIDEOS_AT_ONCE))


def _kept(
    start: Callable[[], Iterator[tuple[Tensor, Tensor]]],
) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    """Return the same passes; the first one keeps its results if they are small."""
    kept: list[tuple[Tensor, Tensor]] = []
    complete = False

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal complete
        if complete:
            yield from kept
            return
        kept.clear()
        size = 0
        for x, labels in start():
            size += x.numel() * x.element_size()
            if size <= _KEPT_BYTES:
                kept.append((x, labels))
            yield x, labels
        complete = size <= _KEPT_BYTES
        if not complete:
            kept.clear()

    return batches
