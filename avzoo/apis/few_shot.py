"""A few-shot classifier of clips in the style of scikit-learn."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from avzoo.apis.base_clips import read_base
from avzoo.apis.clip_features import ClipFeatures, are_videos, clips_of, labelled_clips, pooled, specs_of
from avzoo.apis.clip_labels import columns_of, group_of_each
from avzoo.apis.few_shot_files import plain_seed, read_classifier, upload, write_classifier
from avzoo.apis.few_shot_methods import Examples, check_method, learn
from avzoo.apis.scaling import check_varies, standardised
from avzoo.evaluation.linear_fits import Linear
from avzoo.extraction.clips import Clip, names_of_clips
from avzoo.extraction.extracted_clips import ExtractedClips, extracted_clips
from avzoo.extraction.extractor import Extractor
from avzoo.utils.errors import DataError, InputError
from avzoo.utils.in_progress import scratch_folder


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Classify clips after fitting to a few examples of each class.

    Every modality is averaged over time, standardised as far as few examples allow (see
    :func:`avzoo.apis.scaling.moments`), and scaled to length 1. The classifier is linear: class means, logistic
    regression, or a linear discriminant with a shrunk covariance.

    Args:
        extractor: Spec of the extractor of each modality (``tools/extract_features.py --help``). By default, networks
            for a first try, which need no hub; and for a folder of extracted features, all modalities in it.
        method: ``prototypes``, ``logistic_regression``, ``discriminant``, ``base_discriminant``, or ``auto``: the one
            that does best in cross-validation on the examples.
        random_state: Seed of the cross-validation.
        device: Device for the extractors.
        base: Clips of other classes, if there are any: a feature store, the output of ``tools/extract_features.py``,
            or (features, labels). The scales of features then come from the base clips, whatever the method, and there
            is one more method, ``base_discriminant``: class means of the examples with the within-class covariance of
            the base clips. Base clips of the classes to be fitted, and copies of the examples, are left out.
        verbose: Show on stderr how many videos have been read.

    Attributes:
        classes_: Labels by column, (C,).
        method_: The chosen method.
        report_: Result of cross-validation, ``{method: {accuracy, deviation, folds, log_loss, setting}}``; empty if a
            class has a single clip.
        mistakes_: Clips that the method mostly assigned to another class when they were held out, dicts of ``clip``
            (its name, or its number), ``label`` and ``answer``. Not available after :meth:`from_pretrained`.

    Examples:
        >>> model = FewShotClassifier().fit('clips')              # one subfolder per class
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
        base: Any = None,
        verbose: bool = False,
    ) -> None:
        self.extractor = extractor
        self.method = method
        self.random_state = random_state
        self.device = device
        self.base = base
        self.verbose = verbose

    def fit(self, clips: Any, y: Any = None, groups: Any = None) -> 'FewShotClassifier':
        """Fit the classifier to labelled clips.

        Args:
            clips: A folder with one subfolder of videos per class, or a table of videos or parts of them (``.csv``,
                ``.tsv``, see :func:`find_clips`), or the output of ``tools/extract_features.py`` for it, as a path or
                as read by :func:`extracted_clips` or :func:`read_own_features`; a list of videos or of parts of them
                (:class:`Clip`); or features: an array (N, D) or (N, T, D), a list of (T_i, D), a dict of these by
                modality, or a list of dicts, one per clip, which scikit-learn can split.
            y: Label of each clip; not with a folder or a table.
            groups: Group of each clip, such as the video that it was cut from: cross-validation holds out whole groups.
                Not with a folder or a table, where parts of one video form a group. In a list of videos they do so by
                default, as do clips with the same ``group``.

        Raises:
            DataError: If clips and labels do not match, or there are fewer than two classes. Whatever scikit-learn
                would refuse too is an :class:`InputError`, which is also a ``ValueError``.
            ConfigError: If ``method`` is unknown or does not go with ``base``, or ``random_state`` is not a seed.
        """
        check_method(self.method, self.base, self.random_state)
        names = None
        for known in ('linear_', 'stamps_', 'centre_'):  # From an earlier fit, which may have failed.
            self.__dict__.pop(known, None)
        if isinstance(clips, str | os.PathLike | ExtractedClips):
            if y is not None or groups is not None:
                raise DataError(
                    'the folder or table gives labels and groups. Leave y and groups out, or give a list of videos.'
                )
            clips, y, groups, names = self._open(clips)
        elif are_videos(clips):
            clips = clips_of(clips)
            names = names_of_clips(clips)
            groups = [clip.group for clip in clips] if groups is None else groups
        features = self._read(clips)
        self.classes_, columns = columns_of(y, features, names)
        check_varies(features)
        base = None if self.base is None else read_base(self.base, features, self.stamps_, self.classes_)
        examples = Examples(features, columns, group_of_each(groups, len(columns)), base)
        self.centre_, self.scale_ = examples.moments(np.arange(len(columns)))
        self.method_, self.linear_, self.report_, answers = learn(examples, self.method, self.random_state)
        self.mistakes_ = [
            dict(clip=row if names is None else names[row], label=one.item(), answer=other.item())
            for row, one, other in zip(range(len(columns)), self.classes_[columns], self.classes_[answers], strict=True)
            if answers[row] >= 0 and one != other
        ]
        return self

    @property
    def n_features_in_(self) -> int:
        """The width of the features that it was fitted to, of all modalities together."""
        return sum(map(len, self.centre_.values()))

    def predict(self, clips: Any) -> np.ndarray:
        """Return the label of each clip, (N,)."""
        logits = self._logits(clips)  # First: it raises if nothing was fitted.
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, clips: Any) -> np.ndarray:
        """Return the probability of each class, (N, C), columns as ``classes_``."""
        return softmax(self._logits(clips), axis=1)

    def decision_function(self, clips: Any) -> np.ndarray:
        """Return the logits, (N, C); for two classes, the second's minus the first's, (N,), as in scikit-learn."""
        logits = self._logits(clips)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def _logits(self, clips: Any) -> np.ndarray:
        check_is_fitted(self, 'linear_')
        if isinstance(clips, str | os.PathLike) and os.path.isdir(clips):
            raise InputError(f'{clips} is a folder. Give its videos as a list: sorted(Path({str(clips)!r}).iterdir()).')
        if isinstance(clips, str | os.PathLike | Clip):
            clips = [clips]
        features = self._read(clips)
        known = {m: rows.shape for m, rows in self.centre_.items()}
        found = {m: rows.shape[1:] for m, rows in features.items()}
        if known != found:
            raise InputError(
                f'features have shape {found}, but the classifier was fitted to {known}. Give features with the same '
                'modalities and widths, or fit it again.'
            )
        return self.linear_.logits(standardised(features, self.centre_, self.scale_))

    def extractors(self) -> dict[str, Extractor]:
        """Return the extractors of the features that the classifier was fitted to, by modality.

        Raises:
            DataError: If these were not made from videos, or the same extractors are not available here.
        """
        check_is_fitted(self, 'linear_')
        if not self.stamps_:
            raise DataError('the classifier was fitted to features of your own. Give it features, not videos.')
        return self._source().extractors()

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write the fitted classifier to a folder: weights (safetensors), facts (JSON) and a model card."""
        check_is_fitted(self, 'linear_')
        arrays = {f'centre.{m}': a for m, a in self.centre_.items()} | {f'scale.{m}': a for m, a in self.scale_.items()}
        facts = dict(
            classes=self.classes_.tolist(),
            method=self.method_,
            report=self.report_,
            modalities=list(self.centre_),
            extractor=self._extractor_specs(),
            stamps=self.stamps_,
            parameters=dict(method=self.method, random_state=plain_seed(self.random_state)),
        )
        return write_classifier(folder, facts, arrays | dict(weight=self.linear_.weight, bias=self.linear_.bias))

    def push_to_hub(self, name: str, *, private: bool = False) -> str:
        """Upload the output of :meth:`save_pretrained` to the Hugging Face Hub; returns its URL."""
        with scratch_folder('avzoo-upload') as scratch:
            return upload(self.save_pretrained(scratch / 'classifier'), name, private)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], device: str = 'cpu') -> 'FewShotClassifier':
        """Read the output of :meth:`save_pretrained`, from a folder or by its name on the Hugging Face Hub.

        No code in it is executed.

        Raises:
            CheckpointError: If it is missing, damaged, or from another program.
        """
        facts, arrays = read_classifier(folder)
        model = cls(facts['extractor'], facts['parameters']['method'], facts['parameters']['random_state'], device)
        model.classes_, model.method_ = np.array(facts['classes']), facts['method']
        model.report_, model.stamps_ = facts['report'], facts['stamps']
        model.centre_, model.scale_ = (
            {m: arrays[f'{kind}.{m}'] for m in facts['modalities']} for kind in ('centre', 'scale')
        )
        model.linear_ = Linear(arrays['weight'], arrays['bias'])
        return model

    def _open(self, given: str | os.PathLike[str] | ExtractedClips) -> tuple[Any, list[str], list[str], list[str]]:
        """Return the clips of a folder or table, their labels, groups and names: videos, or features of them."""
        if isinstance(given, ExtractedClips):
            found: ExtractedClips | list[Clip] = given
        else:
            found = extracted_clips(given, self.extractor and specs_of(self.extractor)) or labelled_clips(given)
        if isinstance(found, list):
            return found, [c.label for c in found], [c.group for c in found], names_of_clips(found)
        self.stamps_ = {m: {k: v for k, v in s.items() if k != 'dim'} for m, s in found.stamps.items()}
        return found.features, found.labels, found.groups, found.videos

    def _read(self, clips: Any) -> dict[str, np.ndarray]:
        if not are_videos(clips):
            if not hasattr(self, 'stamps_'):
                self.stamps_ = {}
            return pooled(clips)
        source = self._source()
        stamps = source.stamps()
        if getattr(self, 'stamps_', stamps) != stamps:
            raise DataError(
                f'the classifier was fitted to features {f"from {self.stamps_}" if self.stamps_ else "of your own"}, '
                f'but videos give features from {stamps}. Give features of the same kind, or fit it again.'
            )
        self.stamps_ = stamps
        return source.of_videos(clips, verbose=self.verbose)

    def _source(self) -> ClipFeatures:
        """Return the reader of videos, which caches their features."""
        specs, stamps = self._extractor_specs(), getattr(self, 'stamps_', {})
        kept: ClipFeatures | None = getattr(self, '_features', None)
        if kept is None or kept.specs != specs or (stamps and kept.stamps() != stamps):
            kept = self._features = ClipFeatures(specs, self.device, stamps)
        return kept

    def _extractor_specs(self) -> dict[str, str]:
        if stamps := getattr(self, 'stamps_', None):
            return {m: str(stamp.get('extractor')) for m, stamp in stamps.items()}
        return specs_of(self.extractor)
