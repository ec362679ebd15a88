"""A few-shot classifier of clips in the manner of scikit-learn."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from avzoo.apis.clip_features import DEFAULT_EXTRACTORS, ClipFeatures, are_videos, pooled, videos_of
from avzoo.evaluation.linear_fits import METHODS, Linear, compare
from avzoo.evaluation.reference_features import unit
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError, DataError, nearest, shortened
from avzoo.utils.files import atomic_path, atomic_write_text
from avzoo.utils.regular_files import open_regular, read_json
from avzoo.version import __version__

_FORMAT = 'avzoo-few-shot-v1'
_LEAST_SCALE = 1e-6  # Of a dimension that varies.
_LARGEST = 1 << 30  # Bytes of weights.
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

    linear_: Linear
    stamps_: dict[str, Any]

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
        if labels.dtype.kind not in 'USiub':
            raise DataError(f'labels of dtype {labels.dtype}: give text or whole numbers, one for each clip.')
        count = len(next(iter(features.values())))
        if labels.shape != (count,):
            raise DataError(f'{count} clips, but labels of shape {labels.shape}: give one label for each clip.')
        self.classes_, columns = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f'all clips are of one class ({self.classes_[0]!r}): two are needed at least.')
        self.centre_ = {m: rows.mean(axis=0) for m, rows in features.items()}
        self.scale_ = {
            m: np.where(rows.std(axis=0) > _LEAST_SCALE, rows.std(axis=0), 1.0) for m, rows in features.items()
        }
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
        facts: Any = dict(
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
        weights = save({name: np.ascontiguousarray(a, np.float32) for name, a in arrays.items()})
        facts = json.dumps(dict(facts, sha256=hashlib.sha256(weights).hexdigest()), indent=1) + '\n'
        with atomic_path(folder / _WEIGHTS) as partial:
            partial.write_bytes(weights)
        atomic_write_text(folder / 'README.md', self._card())
        atomic_write_text(folder / _FACTS, facts)
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
            model = cls(facts['extractor'], facts['parameters']['method'], facts['parameters']['random_state'], device)
            model._restore(facts, _read_arrays(path / _WEIGHTS, facts))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, AvzooError) as error:
            reason = shortened(f'{type(error).__name__}: {error}' if isinstance(error, KeyError) else error)
            raise CheckpointError(
                f'{path} holds no readable classifier of avzoo ({reason}). Save it again, or name another folder.'
            ) from error
        return model

    def _restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take what was saved, after checking that it fits together."""
        classes, names, report = facts['classes'], facts['modalities'], facts['report']
        kinds = {type(label) for label in classes}
        if not isinstance(facts['extractor'], dict):
            raise ValueError(f'its extractor is {facts["extractor"]!r}')
        if (
            not isinstance(classes, list)
            or len(kinds) != 1
            or not kinds <= {str, int, float}
            or len(set(classes)) != len(classes)
            or len(classes) < 2
        ):
            raise ValueError('its classes are not at least two different labels of one kind')
        if facts['method'] not in METHODS or not isinstance(facts['stamps'], dict):
            raise ValueError(f'its method is {facts["method"]!r}, its stamps are {type(facts["stamps"]).__name__}')
        if not all(isinstance(one, dict) and {'accuracy', 'deviation'} <= one.keys() for one in report.values()):
            raise ValueError('its report is not as it should be')
        widths = {m: arrays[f'centre.{m}'].size for m in names}
        shapes: dict[str, tuple[int, ...]] = {
            f'{kind}.{m}': (width,) for m, width in widths.items() for kind in ('centre', 'scale')
        }
        shapes |= {'weight': (len(classes), sum(widths.values())), 'bias': (len(classes),)}
        found = {name: array.shape for name, array in arrays.items()}
        if found != shapes:
            raise ValueError(f'its arrays have the shapes {found}, not {shapes}')
        if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in arrays.values()):
            raise ValueError('it has values that are not finite numbers of float32')
        if any((arrays[f'scale.{m}'] <= _LEAST_SCALE / 2).any() for m in names):
            raise ValueError('a scale is not above 0')
        self.classes_, self.method_, self.report_ = np.array(classes), facts['method'], report
        self.stamps_ = facts['stamps']
        self.centre_, self.scale_ = ({m: arrays[f'{kind}.{m}'] for m in names} for kind in ('centre', 'scale'))
        self.linear_ = Linear(arrays['weight'], arrays['bias'])

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
                self.stamps_ = {}
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


def _read_arrays(path: Path, facts: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read the weights whose SHA-256 the facts have."""
    if facts['format'] != _FORMAT:
        raise ValueError(f'its format is {facts["format"]!r}, not {_FORMAT!r}')
    with open_regular(path) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST or hashlib.sha256(data).hexdigest() != facts['sha256']:
        raise ValueError(f'{path.name} is not the file that was saved: its SHA-256 is another')
    try:
        return load(data)
    except Exception as error:  # safetensors has an error of its own.
        raise ValueError(f'{path.name} is not readable: {error}') from error


def _from_hub(name: str) -> Path:
    """Return the folder of a classifier on the Hub; only its weights and facts are fetched."""
    try:
        from huggingface_hub import snapshot_download  # Only where a name is not a folder.

        return Path(snapshot_download(name, allow_patterns=[_FACTS, _WEIGHTS]))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f'{name} is neither a folder nor a model on the Hub ({reason}).') from error
