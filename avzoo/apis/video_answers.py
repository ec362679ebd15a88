"""Classify videos with a trained model or a few-shot classifier."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from avzoo.apis.few_shot import FewShotClassifier
from avzoo.apis.inferencer import Inferencer
from avzoo.apis.video_clips import VideoClip, find_videos, names_of, read_video
from avzoo.extraction.extractor import Extractor
from avzoo.extraction.rebuild import rebuild_extractors
from avzoo.importers.clips import ClipReader
from avzoo.utils.arguments import check_positive
from avzoo.utils.errors import DataError
from avzoo.utils.progress import counted


def classify_videos(
    model: Inferencer | FewShotClassifier,
    videos: Sequence[str | os.PathLike[str]],
    *,
    every: float | None = None,
    top: int = 5,
    calibrate: bool = True,
    options: Mapping[str, Sequence[str]] | None = None,
    on_bad: Callable[[str, DataError], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Classify videos, one after the other.

    Args:
        model: A model trained on features from avzoo's extractors, or a fitted few-shot classifier.
        videos: Files, folders of files, or tables, see ``tools/extract_features.py``.
        every: Classify windows of this many seconds; by default each video as a whole.
        top: Number of classes per clip.
        calibrate: Subtract the calibration gamma of a trained model.
        options: ``KEY=VALUE`` options of a trained model's extractors by modality, e.g. ``weights=FILE``.
        on_bad: Called with the name (for a part in a table, also its id) and the error of a video that cannot be used;
            by default the error is raised.
        on_progress: Called with (videos done, all videos) before each and at the end.

    Yields:
        ``video_id``, ``start`` and ``end`` (seconds; the latter ``None`` for the end of the video); ``label`` if
        folders or a table give any video a label, ``None`` for a video without one; and ``predictions``: best first,
        each with ``class`` and ``probability`` and, for a trained model, ``score`` and ``novel``.
    """
    check_positive('top', top)
    parts = find_videos(videos)
    labelled = any(part.label for part in parts)
    extractors = model.extractors() if isinstance(model, FewShotClassifier) else extractors_of(model, options or {})
    for part, name in counted(list(zip(parts, names_of(parts), strict=True)), on_progress):
        try:
            clips = read_video(part, extractors, every, name)
        except DataError as error:
            if on_bad is None:
                raise
            on_bad(name if part.end is None and not part.start else f'{name} ({part.id})', error)
            continue
        if isinstance(model, FewShotClassifier):
            ranked = _few_shot(model, clips, top)
        else:
            ranked = _trained(model, clips, top, calibrate)
        known = dict(label=part.label or None) if labelled else {}
        for clip, predictions in zip(clips, ranked, strict=True):
            yield dict(video_id=clip.video, start=clip.start, end=clip.end, **known, predictions=predictions)


def classify_features(
    model: FewShotClassifier,
    features: str | os.PathLike[str],
    *,
    top: int = 5,
    on_bad: Callable[[str, DataError], None] | None = None,
) -> list[dict[str, Any]]:
    """Classify the features of clips with a few-shot classifier; arguments and result as for :class:`Inferencer`."""
    check_positive('top', top)
    reader = ClipReader(features)
    answers = []
    for name in reader.ids:
        try:
            clip = VideoClip(name, 0.0, None, reader.read(name))
            answers.append(dict(video_id=name, predictions=_few_shot(model, [clip], top)[0]))
        except DataError as error:
            if on_bad is None:
                raise
            on_bad(name, error)
    return answers


def extractors_of(model: Inferencer, options: Mapping[str, Sequence[str]]) -> dict[str, Extractor]:
    """Build the extractors of the features that a model was trained on.

    Raises:
        DataError: If the model does not say what they are, or they are not available here.
    """
    otherwise = 'Extract features like its training features, and give --features.'
    return rebuild_extractors(
        model.feature_set, model.modalities, options=options, device=model.device, otherwise=otherwise
    )


def _trained(model: Inferencer, clips: Sequence[VideoClip], top: int, calibrate: bool) -> list[list[dict[str, Any]]]:
    found = model([clip.features for clip in clips], top=top, calibrate=calibrate)
    return [entry['predictions'] for entry in found]


def _few_shot(model: FewShotClassifier, clips: Sequence[VideoClip], top: int) -> list[list[dict[str, Any]]]:
    by_modality = {m: [clip.features[m] for clip in clips] for m in clips[0].features}
    ranked = []
    for row in model.predict_proba(by_modality):
        order = row.argsort(kind='stable')[::-1][:top]
        ranked.append([{'class': model.classes_[i].item(), 'probability': float(row[i])} for i in order])
    return ranked
