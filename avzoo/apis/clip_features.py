"""One vector for each clip and modality, from videos or from features."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from avzoo.apis.video_clips import read_steps
from avzoo.datasets.store_format import number_problem, unmasked
from avzoo.extraction.build import build_extractor
from avzoo.extraction.clips import Clip, NoVideos, find_clips, grouped
from avzoo.extraction.extraction_folder import read_stamps
from avzoo.extraction.extractor import Extractor
from avzoo.extraction.media import MediaFile
from avzoo.extraction.media_container import NoPictures, NoSound
from avzoo.extraction.rebuild import rebuild_from_stamp
from avzoo.utils.errors import ConfigError, DataError, InputError
from avzoo.utils.progress import counted, progress_of

# For a first trial, without a hub; not for a benchmark.
DEFAULT_EXTRACTORS = {'visual': 'timm:tf_efficientnet_lite0', 'audio': 'log_mel_statistics'}


class ClipFeatures:
    """Turn clips into one vector of each modality; a video is read once.

    Args:
        extractor: Spec of the extractor of each modality.
        device: Where they compute.
        stamps: What is known of extractors that features were made by, see :meth:`Extractor.stamp`; with these the
            same ones are built, and others refused.
    """

    def __init__(
        self, extractor: Mapping[str, str], device: str = 'cpu', stamps: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self.specs = dict(extractor)
        self.device = device
        self._known = dict(stamps or {})
        self._extractors: dict[str, Extractor] | None = None
        self._kept: dict[tuple, dict[str, np.ndarray]] = {}

    def stamps(self) -> dict[str, Any]:
        """Return what decides the features of each modality."""
        return {modality: extractor.stamp() for modality, extractor in self.extractors().items()}

    def of_videos(
        self, videos: Sequence[str | os.PathLike[str] | Clip], *, verbose: bool = False
    ) -> dict[str, np.ndarray]:
        """Return the means over time of each video's features, (N, D) by modality.

        Args:
            videos: The files, or parts of them, N.
            verbose: Show on stderr how many are read.

        Raises:
            DataError: If any video cannot be read; lists all of them.
        """
        found, problems = [], []
        with progress_of('videos') if verbose else nullcontext() as report:
            for video in counted(videos, report):
                try:
                    found.append(self._of_video(_as_clip(video)))
                except DataError as error:
                    problems.append(error)
        if problems:
            more = [f'and {len(problems) - 20} more'] if len(problems) > 20 else []
            lacking = {NoSound: 'sound (--audio none)', NoPictures: 'pictures (--visual none)'}
            cures = [text for kind, text in lacking.items() if any(isinstance(error, kind) for error in problems)]
            cure = f', or read no {cures[0]}' if len(cures) == 1 and len(self.specs) > 1 else ''
            raise DataError(
                f'{len(problems)} of {len(videos)} clips cannot be used. Leave them out{cure}:',
                details=[*map(str, problems[:20]), *more],
            )
        return {modality: np.stack([one[modality] for one in found]) for modality in self.specs}

    def _of_video(self, clip: Clip) -> dict[str, np.ndarray]:
        if not clip.path.exists():
            raise DataError(f'{clip.path}: there is no such file.')
        state = clip.path.stat()
        key = (str(clip.path.resolve()), state.st_size, state.st_mtime_ns, clip.start, clip.end)
        if key not in self._kept:
            steps = read_steps(MediaFile(clip.path), self.extractors(), clip.start, clip.end)
            self._kept[key] = {m: _mean(array) for m, array in steps.items()}
        return self._kept[key]

    def extractors(self) -> dict[str, Extractor]:
        """Return the extractor of each modality; they are built once."""
        if self._extractors is None:
            self._extractors = {
                m: rebuild_from_stamp(m, self._known[m], self.device)
                if m in self._known
                else build_extractor(spec, m, None, self.device)
                for m, spec in self.specs.items()
            }
        return self._extractors


def specs_of(extractor: Mapping[str, str] | None) -> dict[str, str]:
    """Return the spec of each modality's extractor, the default ones for ``None``.

    Raises:
        ConfigError: If it is not a dict by modality.
    """
    if extractor is None:
        return dict(DEFAULT_EXTRACTORS)
    if not isinstance(extractor, Mapping):
        raise ConfigError(f"extractor={extractor!r}: name one by modality, such as dict(visual='c3d', audio='vggish').")
    return dict(extractor)


def named_extractors(names: Mapping[str, str], support: str | os.PathLike[str]) -> dict[str, str]:
    """Return the extractors of a support set with others in their places; ``none`` leaves a modality out.

    Raises:
        ConfigError: If nothing is left.
    """
    stamps = read_stamps(Path(support))
    known = DEFAULT_EXTRACTORS if stamps is None else {m: str(stamp.get('extractor')) for m, stamp in stamps.items()}
    chosen = {m: spec for m, spec in {**known, **names}.items() if spec != 'none'}
    if not chosen:
        raise ConfigError('--visual none --audio none leaves nothing to extract.')
    return chosen


def labelled_clips(videos: str | os.PathLike[str]) -> list[Clip]:
    """Return the clips of a folder that has one folder for each class, or of a table.

    Raises:
        DataError: If a clip has no class, or there is none; names what else can be taught from.
    """
    try:
        clips = find_clips(videos)
    except NoVideos as error:
        raise DataError(
            f'{error} A classifier is taught from a folder of videos for each class, from a table (.csv, .tsv) of '
            'filename and label, or from what tools/extract_features.py wrote of them. A feature store, or a folder of '
            '.npz clips, teaches a trained model: tools/adapt.py MODEL ... --shots K. Features of your own need their '
            'labels: --labels TABLE, or in Python fit(features, labels).'
        ) from error
    loose = [clip.path.name for clip in clips if not clip.label]
    if loose:
        raise DataError(
            f'{videos}: {loose[0]} lies in no class. Make one folder for each class, or a table (.csv, .tsv) of '
            'filename and label. Features of your own need their labels: --labels TABLE.'
        )
    return clips


def clips_of(videos: Sequence[str | os.PathLike[str] | Clip]) -> list[Clip]:
    """Return videos, or parts of them, as clips; parts of one file without a group are one."""
    return grouped([_as_clip(video) for video in videos])


def _as_clip(video: str | os.PathLike[str] | Clip) -> Clip:
    if isinstance(video, Clip):
        return video
    if not isinstance(video, str | os.PathLike):
        raise InputError(f'{type(video).__name__} in a list of videos: give videos alone, or features alone.')
    return Clip('', Path(video))


def are_videos(clips: Any) -> bool:
    """Tell a list of videos, or of parts of them, from features."""
    return (
        isinstance(clips, Sequence | np.ndarray) and len(clips) > 0 and isinstance(clips[0], str | os.PathLike | Clip)
    )


def pooled(features: Any) -> dict[str, np.ndarray]:
    """Return features as one vector for each clip, (N, D) by modality.

    Args:
        features: An array (N, D) or (N, T, D), a list of sequences (T_i, D), a dict of these by modality, or a list of
            dicts, one for each clip.

    Raises:
        InputError: If they have another form, or values that are not finite.
    """
    by_modality = features if isinstance(features, Mapping) and not _is_sparse(features) else _by_modality(features)
    found = {name: _pooled(name, rows) for name, rows in by_modality.items()}
    counts = {name: len(rows) for name, rows in found.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f'the modalities have different numbers of clips: {counts}.')
    return found


def _by_modality(features: Any) -> dict[str, Any]:
    """Return features that are no dict by modality; a list of dicts, one for each clip, becomes one of lists."""
    if not isinstance(features, Sequence | np.ndarray) or not len(features) or not isinstance(features[0], Mapping):
        return {'features': features}
    for i, one in enumerate(features):
        if not isinstance(one, Mapping) or one.keys() != features[0].keys():
            found = list(one) if isinstance(one, Mapping) else type(one).__name__
            raise InputError(f'clip {i} has {found}, clip 0 has {list(features[0])}. Give all the same modalities.')
    return {name: [one[name] for one in features] for name in features[0]}


def _pooled(name: str, rows: Any) -> np.ndarray:
    if _is_sparse(rows):
        raise InputError(f'{name}: a sparse matrix. Give an array: features.toarray().')
    try:
        if hasattr(rows, '__array__') and not isinstance(rows, np.ndarray):
            rows = np.asarray(rows)  # Of a table, say, whose items are the names of its columns.
        arrays = [_sequence(row) for row in rows]
    except (TypeError, ValueError, RuntimeError) as error:  # The last is of a tensor that requires gradients.
        raise InputError(
            f'{name}: features are an array (N, D) or (N, T, D), or a list of (T, D), of numbers ({error}).'
        ) from error
    if not arrays:
        raise InputError(f'{name}: there are no clips.')
    bad = next((i for i, array in enumerate(arrays) if not array.size or number_problem(array)), None)
    widths = {array.shape[-1] for array in arrays}
    if bad is not None or len(widths) != 1:
        problem = '' if bad is None else number_problem(arrays[bad]) or 'no features'
        where = f'widths {sorted(widths)}' if bad is None else f'clip {bad} has {problem}'
        raise InputError(f'{name}: {where}. Features are finite, of one width, at least one step for each clip.')
    return np.stack([_mean(array.astype(np.float32)) for array in arrays])


def _is_sparse(rows: Any) -> bool:
    return hasattr(rows, 'toarray')  # Some of SciPy's are mappings, too.


def _mean(steps: np.ndarray) -> np.ndarray:
    # In float32 the mean of equal steps, such as silence, would depend on how many there are.
    return steps.mean(axis=0, dtype=np.float64).astype(np.float32)


def _sequence(row: Any) -> np.ndarray:
    """Return the features of a clip as numbers (T, D)."""
    array = unmasked(row)
    if array.dtype == object:  # Of a table whose columns are of several kinds.
        array = array.astype(float)
    if not array.ndim:
        raise TypeError('shape (). Reshape your data: one clip is given as [clip], single numbers as a column')
    if array.dtype.kind not in 'biuf' or array.ndim not in (1, 2):
        raise TypeError(f'{type(row).__name__} of dtype {array.dtype} and shape {array.shape}')
    return np.atleast_2d(array)
