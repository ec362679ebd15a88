"""A few-shot classifier of clips in the manner of scikit-learn."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from avzoo.apis.clip_features import DEFAULT_EXTRACTORS, ClipFeatures, are_videos, pooled, videos_of
from avzoo.evaluation.linear_fits import METHODS, Linear, compare
from avzoo.evaluation.reference_features import unit
from avzoo.utils.errors import CheckpointError, ConfigError, DataError, nearest
from avzoo.utils.files import atomic_path, atomic_write_text
from avzoo.utils.regular_files import read_json
from avzoo.version import __version__

_FORMAT = 'avzoo-few-shot-v1'
_FACTS, _WEIGHTS = 'config.json', 'model.safetensors'


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Classify clips after a few examples of each class.

    Every modality is averaged over time, standardised on the examples, and scaled to length 1. A linear classifier
    decides: class means, logistic regression, or a linear discriminant with a shrunk covariance.

    Args:
        extractor: Spec of the extractor of each modality (``tools/extract_features.py --help``), used where clips are
            videos. By default networks for a first trial, which need no hub.
        method: ``prototypes``, ``logistic_regression``, ``discriminant``, or ``auto``: the one with the best
            cross-validation on the examples.
        random_state: Seed of the cross-validation.
        device: Where the extractors compute.

    Attributes:
        classes_: Labels by column, (C,).
        method_: The method that was chosen.
        report_: Cross-validated accuracy of each method: ``{method: {accuracy, deviation, folds, log_loss}}``; empty
            where a class has a single clip.

    Example:
        >>> model = FewShotClassifier().fit('clips')              # a folder for each class
        >>> model.predict(['new.mp4'])
    """

    def __init__(
        self,
        extractor: Mapping[str, str] | None = None,
        method: str = 'auto',
        random_state: int = 0,
        device: str = 'cpu',
    ) -> None:
        self.extractor = extractor
        self.method = method
        self.random_state = random_state
        self.device = device

    def fit(self, clips: Any, y: Any = None) -> 'FewShotClassifier':
        """Learn the classes of some clips.

        Args:
            clips: A folder with one folder of videos for each class; a list of videos; or features: an array (N, D) or
                (N, T, D), a list of (T_i, D), or a dict of these by modality.
            y: Label of each clip; not with a folder.

        Raises:
            DataError: If clips and labels do not fit, or there are fewer than two classes.
        """
        if self.method != 'auto' and self.method not in METHODS:
            raise ConfigError(
                f'method={self.method!r} is not one of auto, {", ".join(METHODS)}.{nearest(self.method, METHODS)}'
            )
        if hasattr(self, 'linear_'):
            del self.linear_, self.stamps_
        if isinstance(clips, str | os.PathLike):
            if y is not None:
                raise DataError('the folders give the labels; leave y out, or give a list of videos.')
            clips, y = videos_of(clips)
        features = self._read(clips)
        labels = np.asarray(y)
        count = len(next(iter(features.values())))
        if labels.shape != (count,):
            raise DataError(f'{count} clips, but labels of shape {labels.shape}: give one label for each clip.')
        self.classes_, columns = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f'all clips are of one class ({self.classes_[0]!r}): two are needed at least.')
        self.centre_ = {m: rows.mean(axis=0) for m, rows in features.items()}
        self.scale_ = {m: np.where(rows.std(axis=0) > 1e-6, rows.std(axis=0), 1.0) for m, rows in features.items()}
        self._learn(self._standardised(features), columns)
        return self

    def predict(self, clips: Any) -> np.ndarray:
        """Return the label of each clip, (N,)."""
        return self.classes_[self.decision_function(clips).argmax(axis=1)]

    def predict_proba(self, clips: Any) -> np.ndarray:
        """Return the probability of each class, (N, C), columns as ``classes_``."""
        return softmax(self.decision_function(clips), axis=1)

    def decision_function(self, clips: Any) -> np.ndarray:
        """Return the logits, (N, C); of two classes too."""
        check_is_fitted(self, 'linear_')
        if isinstance(clips, str | os.PathLike):
            clips = [clips]
        features = self._read(clips)
        known = {m: rows.shape for m, rows in self.centre_.items()}
        found = {m: rows.shape[1:] for m, rows in features.items()}
        if known != found:
            raise DataError(f'features of shape {found}; the classifier was fitted to {known}.')
        return self.linear_.logits(self._standardised(features))

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write the fitted classifier into a folder: weights (safetensors), facts (JSON) and a model card."""
        check_is_fitted(self, 'linear_')
        folder = Path(folder)
        arrays = {f'centre.{m}': a for m, a in self.centre_.items()} | {f'scale.{m}': a for m, a in self.scale_.items()}
        arrays |= dict(weight=self.linear_.weight, bias=self.linear_.bias)
        facts = dict(
            format=_FORMAT,
            version=__version__,
            classes=self.classes_.tolist(),
            method=self.method_,
            report=self.report_,
            modalities=list(self.centre_),
            extractor=self._extractor_specs(),
            stamps=self.stamps_,
            parameters=dict(method=self.method, random_state=self.random_state),
        )
        with atomic_path(folder / _WEIGHTS) as partial:
            save_file({name: np.ascontiguousarray(a, np.float32) for name, a in arrays.items()}, partial)
        atomic_write_text(folder / 'README.md', self._card())
        atomic_write_text(folder / _FACTS, json.dumps(facts, indent=1) + '\n')
        return folder

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], device: str = 'cpu') -> 'FewShotClassifier':
        """Read what :meth:`save_pretrained` wrote, from a folder or by its name on the Hugging Face Hub.

        Nothing of it is run.

        Raises:
            CheckpointError: If it is missing, damaged, or of another program.
        """
        path = Path(folder)
        if not path.is_dir():
            path = _from_hub(str(folder))
        try:
            facts = read_json(path / _FACTS)
            if facts['format'] != _FORMAT:
                raise ValueError(f'its format is {facts["format"]!r}, not {_FORMAT!r}')
            arrays = load_file(path / _WEIGHTS)
            model = cls(facts['extractor'], facts['parameters']['method'], facts['parameters']['random_state'], device)
            model.classes_, model.method_ = np.array(facts['classes']), facts['method']
            model.report_, model.stamps_ = facts['report'], facts['stamps']
            model.centre_, model.scale_ = (
                {m: arrays[f'{k}.{m}'] for m in facts['modalities']} for k in ('centre', 'scale')
            )
            model.linear_ = Linear(arrays['weight'], arrays['bias'])
            width = sum(len(rows) for rows in model.centre_.values())
            if model.linear_.weight.shape != (len(model.classes_), width):
                raise ValueError(f'weights {model.linear_.weight.shape} for {len(model.classes_)} classes')
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError('it has values that are not finite')
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f'{path} holds no readable classifier of avzoo ({error}).') from error
        except Exception as error:  # safetensors has one of its own.
            raise CheckpointError(f'{path / _WEIGHTS} is not readable ({error}).') from error
        return model

    def _learn(self, rows: np.ndarray, columns: np.ndarray) -> None:
        methods = tuple(METHODS) if self.method == 'auto' else (self.method,)
        compared = compare(rows, columns, methods, self.random_state)
        # One clip of a class cannot be held out; class means are the safest then.
        self.method_ = compared[0].method if compared else ('prototypes' if self.method == 'auto' else self.method)
        fit, settings = METHODS[self.method_]
        self.linear_ = fit(rows, columns, compared[0].setting if compared else settings[1])
        self.report_ = {
            one.method: dict(
                accuracy=float(np.mean(one.accuracies)),
                deviation=float(np.std(one.accuracies)),
                folds=len(one.accuracies),
                log_loss=one.log_loss,
                setting=one.setting,
            )
            for one in compared
        }

    def _read(self, clips: Any) -> dict[str, np.ndarray]:
        if not are_videos(clips):
            if not hasattr(self, 'stamps_'):
                self.stamps_: dict[str, Any] = {}
            return pooled(clips)
        source = self._source()
        stamps = source.stamps()
        if getattr(self, 'stamps_', stamps) != stamps:
            raise DataError(
                f'the classifier was fitted to features of {self.stamps_ or "your own"}, the videos give those of '
                f'{stamps}. Give features of the same kind, or fit it again.'
            )
        self.stamps_ = stamps
        return source.of_videos(clips)

    def _source(self) -> ClipFeatures:
        """Return what reads videos; it keeps the features of those that were read."""
        specs = self._extractor_specs()
        kept: ClipFeatures | None = getattr(self, '_features', None)
        if kept is None or kept.specs != specs:
            kept = self._features = ClipFeatures(specs, self.device)
        return kept

    def _extractor_specs(self) -> dict[str, str]:
        return dict(DEFAULT_EXTRACTORS if self.extractor is None else self.extractor)

    def _standardised(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        rows = [unit((features[m] - self.centre_[m]) / self.scale_[m]) for m in self.centre_]
        return np.concatenate(rows, axis=1).astype(np.float64)

    def _card(self) -> str:
        rows = [
            f'| {name} | {100 * one["accuracy"]:.1f} | {100 * one["deviation"]:.1f} |'
            for name, one in self.report_.items()
        ]
        table = '| method | accuracy, % | deviation over folds |\n|---|--:|--:|\n' + '\n'.join(rows)
        return (
            '---\nlibrary_name: avzoo\ntags: [audio-visual, few-shot-learning]\n---\n\n'
            '# Few-shot classifier of clips\n\n'
            f'Classes: {len(self.classes_)}. Method: {self.method_}. Features: '
            f'{", ".join(self._extractor_specs().values()) if self.stamps_ else "given by the user"}.\n\n'
            + (f'Cross-validation on the examples:\n\n{table}\n' if rows else 'Too few clips for a cross-validation.\n')
        )


def _from_hub(name: str) -> Path:
    """Return the folder of a classifier on the Hub; only its weights and facts are fetched."""
    try:
        from huggingface_hub import snapshot_download  # Only where a name is not a folder.

        return Path(snapshot_download(name, allow_patterns=[_FACTS, _WEIGHTS]))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f'{name} is neither a folder nor a model on the Hub ({reason}).') from error
