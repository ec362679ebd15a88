"""The metric of generalised few-shot classification, as mmengine's evaluator calls it."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric

from avzoo.evaluation.calibration import best_offset, score_scale
from avzoo.evaluation.checks import as_mask
from avzoo.evaluation.functional import DEFAULT_GAMMA_GRID, calibrated_predictions, gfsl_metrics, per_class_recall
from avzoo.registry import METRICS
from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError, DataError

_FIELDS = ('index', 'label', 'scores')


@METRICS.register_module()
class GFSLMetric(BaseMetric):
    """Mean class accuracies of base and novel classes under calibrated stacking.

    The result holds, in per cent: ``B`` and ``N``, mean recall per base / novel class among all columns; ``HM``, their
    harmonic mean; ``FSL``, recall of novel samples among novel columns; ``AUSUC``, the area under the curve of N over
    B; ``B0``, B without calibration, which the base sub-stage uses to choose its epoch; and ``gamma``, the calibration
    used. If a group has no samples, its numbers are 0. After ``evaluate``, ``predictions`` holds the arrays index,
    video_id, label and scores in data-set order with classes (the column names), base_mask and gamma, and
    ``per_class_recall`` the calibrated recall by class name (classes without samples are left out). The result does not
    depend on the number of ranks. Ties go to the lowest column.

    Args:
        gamma: What is subtracted from the scores of base classes: a number, ``search`` (the best HM over
            ``gamma_grid``, for validation only) or ``checkpoint`` (the value that validation stored in the weights).
        gamma_grid: Values that ``search`` tries; for equal HM the first wins. Default: 0, 0.1 .. 1.
        calibration: What ``search`` chooses: ``gamma``, a value of the grid (AV-DIFF, sec. 5.1), or ``offset``, any
            number. The results name both if the model's head ranks by logits.

    A model whose head ranks by logits returns with its scores the ``scale`` by which the logits were divided.
    ``search`` then chooses the scale as well, see ``score_scale``.
    """

    default_prefix = ''

    def __init__(
        self,
        gamma: float | Literal['search', 'checkpoint'] = 'search',
        *,
        gamma_grid: Sequence[float] = DEFAULT_GAMMA_GRID,
        calibration: Literal['gamma', 'offset'] = 'gamma',
    ) -> None:
        super().__init__()
        if calibration not in ('gamma', 'offset'):
            raise ValueError(f"calibration={calibration!r} of GFSLMetric is unknown; choose 'gamma' or 'offset'.")
        self.calibration = calibration
        if isinstance(gamma, str) and gamma not in ('search', 'checkpoint'):
            raise ValueError(f"gamma={gamma!r} of GFSLMetric is unknown; give a number, 'search' or 'checkpoint'.")
        if not len(gamma_grid):
            raise ValueError('gamma_grid of GFSLMetric is empty; give at least one value.')
        self.gamma = gamma
        self.gamma_grid = tuple(float(value) for value in gamma_grid)
        if not np.isfinite([*self.gamma_grid, 0.0 if isinstance(gamma, str) else gamma]).all():
            raise ValueError(f'gamma={gamma} and gamma_grid={self.gamma_grid} of GFSLMetric must be finite numbers.')
        self.predictions: dict[str, np.ndarray] | None = None
        self.per_class_recall: dict[str, float] | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one batch: index (B,), label (B,), scores (B, C) tensors and the number gamma of each dict."""
        for sample in data_samples:
            # It stays on its device until the end: copying here would wait for the GPU at every batch.
            batch = {field: torch.as_tensor(sample[field]).detach() for field in _FIELDS}
            for field in ('index', 'label'):
                if batch[field].is_floating_point() or batch[field].is_complex() or batch[field].dtype == torch.bool:
                    raise DataError(f'GFSLMetric: {field} is {batch[field].dtype}; whole numbers are needed.')
            self.results.append((batch, sample.get('gamma'), sample.get('scale')))

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather all ranks, keep each sample of the data set once, and compute.

        Args:
            size: Length of the data set; any other number of samples is an error.
        """
        shards = all_gather_object(self._local_results())
        self.results.clear()
        return self.compute_metrics(merge_shards(shards, size))

    def compute_metrics(self, results: dict) -> dict[str, float]:
        """Compute the result from merged arrays index, label, scores and the set ``gammas``."""
        meta, scores, labels = self._checked_meta(results), results['scores'], results['label']
        classes, base_mask = np.asarray(meta['classes'], dtype=str), as_mask(meta['base_mask'])
        if self.gamma == 'search':
            scores, metrics = self._search(scores, labels, base_mask, results['scales'])
        else:
            gamma = self._stored_gamma(results['gammas']) if self.gamma == 'checkpoint' else self.gamma
            metrics = gfsl_metrics(scores, labels, base_mask, gamma=gamma)
        predicted = calibrated_predictions(scores, base_mask, metrics['gamma'])
        recall = per_class_recall(predicted, labels, len(classes))
        self.per_class_recall = {
            str(name): float(value) for name, value in zip(classes, recall, strict=True) if not np.isnan(value)
        }
        self.predictions = dict(
            index=results['index'],
            label=labels,
            scores=scores,
            classes=classes,
            base_mask=base_mask,
            gamma=np.float64(metrics['gamma']),
            video_id=np.asarray(meta['video_ids'], dtype=str)[results['index']],
        )
        return metrics

    def _search(
        self, scores: np.ndarray, labels: np.ndarray, base_mask: np.ndarray, scales: set[float | None]
    ) -> tuple[np.ndarray, dict[str, float]]:
        """Choose the scale of logits, then the calibration; return the scores divided by the scale, and the metrics."""
        found: dict[str, float] = {}
        if scales != {None}:
            (scale,) = scales  # One model has one scale.
            scores = scores * np.float32(scale or 1.0)
            found['scale'] = score_scale(scores, base_mask)
            scores = scores / np.float32(found['scale'])
        if found or self.calibration == 'offset':
            found['offset'] = best_offset(scores, labels, base_mask)
        gamma: float | Literal['search'] = found['offset'] if self.calibration == 'offset' else 'search'
        return scores, gfsl_metrics(scores, labels, base_mask, gamma=gamma, gamma_grid=self.gamma_grid) | found

    def _local_results(self) -> dict[str, Any]:
        """Return what this rank saw: arrays by field (None where it saw nothing), the gammas and the scales."""
        shard: dict[str, Any] = dict.fromkeys(_FIELDS)
        if self.results:
            for field in _FIELDS:
                joined = torch.cat([batch[field] for batch, *_ in self.results])
                shard[field] = (joined.float() if field == 'scores' else joined.long()).cpu().numpy()
        for i, key in enumerate(('gammas', 'scales'), 1):
            shard[key] = {None if row[i] is None else float(row[i]) for row in self.results}
        return shard

    def _checked_meta(self, results: dict) -> dict:
        """Return the data set's names after checking them against the arrays."""
        meta = self.dataset_meta or {}
        missing = [key for key in ('classes', 'base_mask', 'video_ids') if key not in meta]
        if missing:
            raise DataError(f"GFSLMetric: the data set's metainfo lacks {', '.join(missing)}; it has {sorted(meta)}.")
        num_columns, num_rows = results['scores'].shape[1], len(results['index'])
        if not num_columns == len(meta['classes']) == len(meta['base_mask']):
            raise DataError(
                f'GFSLMetric: the model scores {number_of(num_columns, "class", "classes")}, but the data set has '
                f'{len(meta["classes"])} (base_mask: {len(meta["base_mask"])}); model and data must be from the '
                'same stage.'
            )
        if len(meta['video_ids']) != num_rows:
            raise DataError(
                f'GFSLMetric: metainfo names {number_of(len(meta["video_ids"]), "video")} for '
                f'{number_of(num_rows, "sample")}.'
            )
        try:
            as_mask(meta['base_mask'])
        except ValueError as error:
            raise DataError(f"GFSLMetric: the data set's metainfo is damaged: {error}") from None
        bad = np.flatnonzero(~np.isfinite(results['scores']).all(axis=1))
        if len(bad):
            kind = 'NaN' if np.isnan(results['scores'][bad]).any() else 'infinite'
            raise DataError(
                f'GFSLMetric: the scores of {number_of(len(bad), "sample")} are {kind}, first video '
                f"'{meta['video_ids'][bad[0]]}'; training has diverged or a feature is broken: lower the "
                'learning rate, or verify the store.'
            )
        return meta

    @staticmethod
    def _stored_gamma(gammas: set) -> float:
        if len(gammas) != 1:
            raise CheckpointError(
                f'GFSLMetric: batches report different calibrations {gammas}; evaluate one checkpoint at a time.'
            )
        (gamma,) = gammas
        if gamma is None or not np.isfinite(gamma):
            raise CheckpointError(
                'GFSLMetric: this checkpoint holds no calibration, because no validation chose one; '
                'train stage 1 first, or set gamma to a number.'
            )
        return gamma


def merge_shards(shards: Sequence[dict], size: int) -> dict[str, Any]:
    """Merge what the ranks saw into arrays sorted by data-set index, each sample once.

    A distributed sampler repeats samples so that all ranks get the same number; repeats are dropped.
    """
    filled = [shard for shard in shards if shard['index'] is not None]
    if not filled:
        raise DataError(
            f'GFSLMetric: no scores arrived for a data set of {number_of(size, "sample")}; is its loader empty?'
        )
    joined = {field: _joined([shard[field] for shard in filled]) for field in _FIELDS}
    index, first = np.unique(joined['index'], return_index=True)
    if not np.array_equal(index, np.arange(size)):
        missing, extra = np.setdiff1d(np.arange(size), index), np.setdiff1d(index, np.arange(size))
        raise DataError(
            f'GFSLMetric: expected samples 0..{size - 1} once each; missing: {len(missing)} (first '
            f'{missing[:5].tolist()}), beyond: {len(extra)} (first {extra[:5].tolist()}). The sampler '
            'must cover the whole data set (round_up=True, drop_last=False).'
        )
    in_order = np.array_equal(joined['index'], index)
    return {
        **{field: joined[field] if in_order else joined[field][first] for field in _FIELDS},
        **{key: set().union(*(shard[key] for shard in filled)) for key in ('gammas', 'scales')},
    }


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
