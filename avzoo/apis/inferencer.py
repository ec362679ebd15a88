"""Classify clips from their features."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device

from avzoo.apis.few_shot_files import is_classifier
from avzoo.apis.hub import NameOrConfig, get_model
from avzoo.checkpoints.meta import class_columns, feature_set_of
from avzoo.datasets.collate import collate_arrays
from avzoo.datasets.feature_set import compare_feature_sets
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.window import Window
from avzoo.importers.clips import Clip, ClipReader, batches, check_clips
from avzoo.utils.arguments import check_positive
from avzoo.utils.errors import CheckpointError, ConfigError, DataError
from avzoo.utils.launch_arguments import say
from avzoo.zoo.build import config_of, model_name


class Inferencer:
    """Classify clips with a trained model.

    Args:
        name_or_config: A zoo model name, a config file, the folder of a run, or a config.
        checkpoint: A file or a name; by default the weights of the named model, or of the run's first draw.
        device: Device for the model; by default a GPU if available.

    Raises:
        ConfigError: If there is no such model, or it is the folder of a few-shot classifier.

    Attributes:
        classes (list[str]): Class names by column.
        base_mask (list[bool]): Which of them are base classes.
        feature_set (FeatureSet): The checkpoint's record of the features that it was trained on.

    Examples:
        >>> classify = Inferencer('avdiff_synth_5shot')
        >>> classify('clip.npz', top=1)[0]['predictions'][0]['class']
    """

    def __init__(
        self,
        name_or_config: NameOrConfig,
        checkpoint: str | os.PathLike[str] | None = None,
        *,
        device: str | None = None,
    ) -> None:
        self.device = device or get_device()
        self.cfg = _config_of(name_or_config)
        pretrained = True if checkpoint is None else checkpoint
        self.model = get_model(self.cfg, pretrained=pretrained, device=self.device)
        meta = self.model.meta
        self._source = model_name(self.cfg) if checkpoint is None else str(checkpoint)
        self.classes, self.base_mask = class_columns(meta, self._source)
        self.feature_set = feature_set_of(meta, self._source)
        self._said: set[str] = set()
        dims = meta['data_info']['feature_dims']
        self._dims = {m: dims[m] for m in self.model.encoders}
        self._seconds = {m: meta['data_info']['seconds_per_step'][m] for m in self._dims}
        window = self.cfg.test_dataloader['dataset'].get('window') if self.cfg.get('test_dataloader') else None
        self._window = Window(**window) if window else None

    def __call__(
        self,
        features: Any,
        *,
        video_ids: Iterable[str] | None = None,
        top: int = 5,
        batch_size: int = 64,
        calibrate: bool = True,
        on_bad: Callable[[str, DataError], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Classify clips.

        Args:
            features: One clip, several, or the path of a file, a folder or a store: see :class:`ClipReader`. Give raw
                values, as in the feature store that the model was trained on; the model scales and normalises them.
            video_ids: Which clips, one id or several; by default all.
            top: Number of classes per clip.
            batch_size: Clips per batch.
            calibrate: Subtract the calibration gamma from the scores of base classes before ranking, as in testing.
            on_bad: Called with the id and the error of each clip that cannot be used, which is then left out; by
                default the error is raised.

        Returns:
            For each clip ``video_id`` and ``predictions``: best first, each with ``class``, ``probability``, ``score``
            (which ranks) and ``novel``. The scores of some heads are not probabilities: those of TCAF are negative
            distances.

        Raises:
            DataError: If a clip does not fit the model, or a store records other features than the model's.
        """
        check_positive('top', top)
        check_positive('batch_size', batch_size)
        clips = ClipReader(features)
        if clips.store is not None:
            self._check_features(clips.store)
        chosen = list(dict.fromkeys(clips.choose(video_ids)))
        results: dict[str, dict[str, Any]] = {}
        for wanted in batches(clips.by_length(chosen), batch_size):
            usable = self._usable(clips, wanted, on_bad)
            if not usable:
                continue
            names = list(usable)
            scores = self.scores(list(usable.values()), names)  # (B, C)
            ranking = scores - self.model.gamma.to(scores) * scores.new_tensor(self.base_mask) if calibrate else scores
            probabilities = self.model.probabilities(scores)  # (B, C)
            for name, probability, score in zip(names, probabilities.cpu(), ranking.cpu(), strict=True):
                results[name] = dict(video_id=name, predictions=self._best(probability, score, top))
        return [results[name] for name in chosen if name in results]

    def _usable(
        self, clips: ClipReader, names: Sequence[str], on_bad: Callable[[str, DataError], None] | None
    ) -> Mapping[str, Clip]:
        if on_bad is None:
            return clips.read_many(names)
        try:
            together = clips.read_many(names)
            check_clips(list(together.values()), self._dims, names)
            return together
        except DataError:  # Which of them?
            return self._usable_ones(clips, names, on_bad)

    def _usable_ones(
        self, clips: ClipReader, names: Sequence[str], on_bad: Callable[[str, DataError], None]
    ) -> dict[str, Clip]:
        found: dict[str, Clip] = {}
        for name in names:
            try:
                clip = clips.read(name)
                check_clips([clip], self._dims, [name])
            except DataError as error:
                on_bad(name, error)
            else:
                found[name] = clip
        return found

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the model uses."""
        return tuple(self._dims)

    @torch.inference_mode()
    def scores(self, clips: Sequence[Clip], names: Sequence[str]) -> torch.Tensor:
        """Return the scores (B, C) of B clips, without calibration."""
        arrays = check_clips(clips, self._dims, names)
        self._say_if_cut({m: np.array([len(array) for array in arrays[m]]) for m in arrays})
        features = collate_arrays(arrays, self._seconds, window=self._window)
        inputs = self.model.data_preprocessor(dict(features=features))['inputs']
        if self.model.training:  # A user may have continued training.
            self.model.eval()
        scores = self.model(inputs, mode='predict')[0]['scores']
        if not torch.isfinite(scores).all():  # The clips were checked before, so the weights are wrong.
            raise CheckpointError(
                f'{self._source} gives a clip NaN or infinite scores: its weights are damaged, or its '
                'training diverged. Use another checkpoint.'
            )
        return scores

    def _say_if_cut(self, lengths: Mapping[str, np.ndarray]) -> None:
        window = self._window
        if window is not None and window.long_only and window.is_long(lengths).any():
            self._say_once(
                f'Clips with more than {window.steps} steps are cut to a window of that many ({window.position}; '
                'see test_dataloader.dataset.window in the config).'
            )

    def _check_features(self, store: FeatureStore) -> None:
        doubt = compare_feature_sets(self.feature_set, store.feature_set, self._dims)
        if doubt:
            self._say_once(f'WARNING: {doubt}')

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(text)

    def _best(self, probability: torch.Tensor, score: torch.Tensor, top: int) -> list[dict[str, Any]]:
        order = score.argsort(descending=True, stable=True)[:top].tolist()
        return [
            {
                'class': self.classes[i],
                'probability': float(probability[i]),
                'score': float(score[i]),
                'novel': not self.base_mask[i],
            }
            for i in order
        ]


def _config_of(name_or_config: NameOrConfig) -> Config:
    try:
        return config_of(name_or_config, of_runs=False)
    except ConfigError as error:
        if not isinstance(name_or_config, str | os.PathLike) or not is_classifier(name_or_config):
            raise
        raise ConfigError(
            f'{name_or_config} is a few-shot classifier, but Inferencer needs a trained model. Load it with '
            'FewShotClassifier.from_pretrained.'
        ) from error


def init_model(
    name_or_config: NameOrConfig,
    checkpoint: str | os.PathLike[str] | None = None,
    *,
    device: str | None = None,
) -> Inferencer:
    """Load a model with its weights for :func:`inference_model`.

    Args:
        name_or_config: A zoo model name, a config file, the folder of a run, or a config.
        checkpoint: A file or a name; by default the weights of the named model, or of the run's first draw.
        device: Device for the model; by default a GPU if available.
    """
    return Inferencer(name_or_config, checkpoint, device=device)


def inference_model(model: Inferencer, features: Any, *, top: int = 5) -> list[dict[str, Any]]:
    """Classify clips; see :meth:`Inferencer.__call__` for the arguments and the result."""
    return model(features, top=top)
