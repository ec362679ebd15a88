"""Train a classifier and classify clips, as requested by the page."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avzoo.apis.clip_features import DEFAULT_EXTRACTORS
from avzoo.apis.few_shot import FewShotClassifier
from avzoo.demo.examples import Clip, Examples
from avzoo.demo.refusal import Refused
from avzoo.demo.saved import SavedClassifiers
from avzoo.demo.seen import Look, look_into, what_is_seen
from avzoo.demo.uploads import Limits, Uploads
from avzoo.demo.worker import CountedPaths, Job, Worker
from avzoo.utils.errors import DataError

_STEP = 0.64  # Seconds between two shown frames, if the extractor does not say.
_WORDS = {'visual': 'pictures', 'audio': 'sound'}


class Trial:
    """The state of one run of the program: examples, the classifier, the last answer.

    Args:
        clips: Existing folder for uploads; the caller deletes it.
        saved: Classifiers to load, and where to save.
        limits: Limits on uploads.
    """

    def __init__(self, clips: Path, saved: SavedClassifiers, limits: Limits) -> None:
        self.limits, self.saved = limits, saved
        self.examples = Examples(limits)
        self.uploads = Uploads(clips, limits)
        self.worker = Worker()
        self.answer: dict[str, Any] = {}
        self._model: FewShotClassifier | None = None
        self._title = ''
        self._taught_version = 0
        self._readers: dict[tuple[str, ...], FewShotClassifier] = {}  # They keep the features of clips.

    def take_clip(self, class_id: str, name: str, path: Path) -> None:
        """Add a received file to a class; it is removed if it is not a clip."""
        try:
            self.examples.add_clip(class_id, name, path, self._look(path, name))
        except BaseException:
            self.uploads.remove(path)
            raise

    def remove(self, wanted: str) -> None:
        """Remove a class or a clip."""
        if self.worker.busy:
            raise Refused(409, 'A job is running. Wait until it ends, or stop it, and then remove this.')
        for path in self.examples.remove(wanted):
            self.uploads.remove(path)

    def teach(self, modalities: object) -> None:
        """Start training on some modalities.

        Raises:
            Refused: If fewer than two classes have clips, or a clip lacks a modality.
        """
        wanted = _checked(modalities)
        clips = self.examples.labelled()
        if len({label for _, label in clips}) < 2:
            raise Refused(422, 'At least two classes need a clip. Add clips.')
        for clip, _ in clips:
            _check_modalities(clip.look, wanted, clip.name)
        version = self.examples.version
        names = {clip.path: clip.name for clip, _ in clips}
        job = Job('teach', len(clips))
        self.worker.start(job, lambda job: self._teach(job, clips, wanted, version), lambda text: _named(text, names))

    def ask(self, name: str, path: Path) -> None:
        """Start to classify a received file; it is removed at the end."""
        try:
            model = self.classifier()
            modalities = frozenset(model.centre_)
            _check_modalities(self._look(path, name), modalities, name)
            job = Job('ask', 1)
            self.worker.start(
                job, lambda job: self._ask(job, model, name, path), lambda text: _named(text, {path: name})
            )
        except BaseException:
            self.uploads.remove(path)
            raise

    def classifier(self) -> FewShotClassifier:
        """Return the classifier that was trained or loaded last.

        Raises:
            Refused: If there is none.
        """
        if self._model is None:
            raise Refused(422, 'There is no classifier yet. Train one, or load one.')
        return self._model

    def save(self, title: object) -> Path:
        """Save the classifier; returns its folder."""
        title = self.examples.checked_name(title)
        folder = self.saved.save(self.classifier(), title)
        self._title = title
        return folder

    def load(self, folder: Path, title: str) -> None:
        """Load a saved classifier.

        Raises:
            CheckpointError: If it is damaged.
            DataError: If it was not fitted to videos.
        """
        if not folder.is_dir():  # A name of the Hub would be downloaded.
            raise DataError(f'{folder} is not a folder. Give the folder of a saved classifier.')
        model = FewShotClassifier.from_pretrained(folder)
        if not model.stamps_ or not set(model.centre_) <= set(_WORDS):
            raise DataError(
                f'{folder}: this classifier was fitted to features, not to videos, so it cannot classify clips here. '
                'Load another one.'
            )
        self._model, self._title = model, title
        self._taught_version = self.examples.version

    def state(self) -> dict[str, Any]:
        """Return what the page shows."""
        model, job = self._model, self.worker.job
        return dict(
            classes=self.examples.state(),
            job=job and job.state(),
            model=model and self._facts(model),
            answer=self.answer.get('number', 0),
            saved=[dict(id=name, title=title) for name, title in self.saved.titles().items()],
            most_bytes=self.limits.file_bytes,
            folder=str(self.saved.folder),
        )

    def _facts(self, model: FewShotClassifier) -> dict[str, Any]:
        return dict(
            title=self._title,
            classes=[str(label) for label in model.classes_],
            method=model.method_,
            modalities=list(model.centre_),
            report={name: one['accuracy'] for name, one in model.report_.items()},
            changed=self._taught_version != self.examples.version,
        )

    def _teach(self, job: Job, clips: list[tuple[Clip, str]], modalities: frozenset[str], version: int) -> None:
        chosen = {m: spec for m, spec in DEFAULT_EXTRACTORS.items() if m in modalities}
        # A copy that shares the features of clips: the previous classifier stays if this one fails.
        model = copy.copy(self._readers.setdefault(tuple(chosen), FewShotClassifier(chosen)))
        self._readers[tuple(chosen)] = model
        model.fit(CountedPaths([clip.path for clip, _ in clips], job), [label for _, label in clips])
        self._model, self._title, self._taught_version = model, '', version

    def _ask(self, job: Job, model: FewShotClassifier, name: str, path: Path) -> None:
        try:
            seconds = model.stamps_.get('visual', {}).get('seconds', _STEP)
            seen = what_is_seen(path, frozenset(model.centre_), seconds)
            probabilities = model.predict_proba(CountedPaths([path], job))[0]
            ranked = sorted(zip(probabilities.tolist(), map(str, model.classes_), strict=True), reverse=True)
            rows = [dict(name=label, probability=probability) for probability, label in ranked]
            self.answer = dict(seen, number=self.answer.get('number', 0) + 1, name=name, classes=rows)
        finally:
            self.uploads.remove(path)

    def _look(self, path: Path, name: str) -> Look:
        try:
            return look_into(path)
        except DataError as error:
            raise Refused(415, _named(str(error), {path: name})) from error


def _checked(modalities: object) -> frozenset[str]:
    if not isinstance(modalities, list) or not modalities or not all(m in list(DEFAULT_EXTRACTORS) for m in modalities):
        raise Refused(422, 'Choose pictures, sound, or both.')
    return frozenset(modalities)


def _check_modalities(look: Look, wanted: frozenset[str], name: str) -> None:
    for modality in sorted(wanted - look.modalities):
        raise Refused(422, f'{name} has no {_WORDS[modality]}. Use another clip, or train without {_WORDS[modality]}.')


def _named(text: str, names: Mapping[Path, str]) -> str:
    """Replace the path of each clip with the user's name for it."""
    for path, name in names.items():
        text = text.replace(str(path), name)
    return text
