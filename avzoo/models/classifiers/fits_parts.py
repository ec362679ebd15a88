"""Fitting parts of a model to the whole training set, each on what the parts before it give."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models import contracts
from avzoo.utils.errors import ConfigError

_FITTED_PARTS = ('projector', 'generator', 'head')  # In the order of their data flow.
_VIDEOS_AT_ONCE = 256
_KEPT_BYTES = 256 << 20  # Features up to this size are computed once for all passes of a part.

Inputs = dict[str, tuple[Tensor, Tensor]]  # Of each part: features, and labels.
Passes = Callable[[], Iterator[Inputs]]


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
            ConfigError: As :meth:`check_fit`.
        """
        self.check_fit(parts)
        log = {}
        # What comes after the projector changes when it is fitted; the other two get the same passes.
        after = tuple(name for name in _FITTED_PARTS[1:] if name in parts)
        for group in (('projector',) if 'projector' in parts else (), after):
            passes = _kept(partial(self._part_inputs, dataset, group))
            for name in group:
                values = getattr(self, name).fit(self._fitting_set(dataset, name, seed, passes))
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
                    f"{where} names '{name}', which cannot be fitted here. Can be: {', '.join(can) or 'none'}."
                )
        readouts = self.fusion.num_readouts
        if parts and readouts != 1:
            raise ConfigError(
                f'{where} names {parts[0]}, which is fitted to one readout of each video; model.fusion='
                f'{type(self.fusion).__name__} gives {readouts or "a varying number"}. Choose another fusion.'
            )

    def _fitting_set(self, dataset: GFSLDataset, part: str, seed: int, passes: Passes) -> contracts.FittingSet:
        device = self.gamma.device
        base_mask = torch.as_tensor(dataset.base_mask, device=device)
        classes = torch.arange(len(base_mask), device=device)
        with torch.no_grad():
            conditions = None if self.conditioner is None else self.conditioner(classes)
        return contracts.FittingSet(
            batches=lambda: (inputs[part] for inputs in passes()),
            num_videos=len(dataset),
            base_mask=base_mask,
            conditions=conditions,
            class_variance=None if part == 'projector' else getattr(self.projector, 'class_variance', None),
            generator=self.generator,
            seed=seed,
        )

    def generator_data(self, dataset: GFSLDataset) -> tuple[Tensor, Tensor]:
        """Return the features (N, d) of a data set's videos that a generator learns, and their labels (N,)."""
        x, labels = zip(*(inputs['generator'] for inputs in self._part_inputs(dataset, ('generator',))), strict=True)
        return torch.cat(x), torch.cat(labels)

    def _part_inputs(self, dataset: GFSLDataset, parts: Sequence[str]) -> Iterator[Inputs]:
        """Yield what parts get for the videos of a data set, with labels, in evaluation mode."""
        training = self.training
        self.eval()
        try:
            for indices in np.array_split(np.arange(len(dataset)), -(-len(dataset) // _VIDEOS_AT_ONCE)):
                with torch.no_grad():
                    batch = self.data_preprocessor(dataset.__getitems__(indices.tolist()))
                    x, context = self._fuse(batch['inputs'])
                    label = batch['label']
                    inputs = dict(projector=(x, label))
                    if self.projector is not None and tuple(parts) != ('projector',):
                        x = self.projector(x)
                    inputs['head'] = x, label
                    if 'generator' in parts:
                        inputs['generator'] = self.head.generator_targets(x, label, context)
                yield {name: inputs[name] for name in parts}
        finally:
            self.train(training)


def _kept(start: Passes) -> Passes:
    """Return the same passes, of which the first keeps what it gave if that is small."""
    kept: list[Inputs] = []
    complete = False

    def batches() -> Iterator[Inputs]:
        nonlocal complete
        if complete:
            yield from kept
            return
        kept.clear()
        size = 0
        for inputs in start():
            size += sum(x.nbytes for x in {id(x): x for x, _ in inputs.values()}.values())
            if size <= _KEPT_BYTES:
                kept.append(inputs)
            yield inputs
        complete = size <= _KEPT_BYTES
        if not complete:
            kept.clear()

    return batches
