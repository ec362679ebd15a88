"""One vector per clip and modality, from videos or from features."""

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

# For a first try, without a hub; not for a benchmark.
DEFAULT_EXTRACTORS = {'visual': 'timm:tf_efficientnet_lite0', 'audio': 'log_mel_statistics'}


class ClipFeatures:
    """Turn clips into one vector per modality; each video is read once.

    Args:
        extractor: Spec of the extractor of each modality.
        device: Device for the extractors.
        stamps: Records of the extractors that made given features, see :meth:`Extractor.stamp`; the same extractors
            are then built, and others refused.
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
            videos: N files, or parts of files.
            verbose: Show progress on stderr.

        Raises:
            DataError: If any videos cannot be read; lists them.
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
            cure = f', or do without {cures[0]}' if len(cures) == 1 and len(self.specs) > 1 else ''
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
    """Return the spec of each modality's extractor; the defaults for ``None``.

    Raises:
        ConfigError: If it is not a dict by modality.
    """
    if extractor is None:
        return dict(DEFAULT_EXTRACTORS)
    if not isinstance(extractor, Mapping):
        raise ConfigError(
            f"extractor={extractor!r}: give a dict by modality, as in dict(visual='c3d', audio='vggish')."
        )
    return dict(extractor)


def named_extractors(names: Mapping[str, str], support: str | os.PathLike[str]) -> dict[str, str]:
    """Return the extractors of a support set, replaced by those in ``names``; ``none`` leaves a modality out.

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
    """Return the clips of a folder with one subfolder per class, or of a table.

    Raises:
        DataError: If a clip has no class, or there are no clips; says which other inputs are possible.
    """
    try:
        clips = find_clips(videos)
    except NoVideos as error:
        raise DataError(
            f'{error} To fit a classifier, give a folder with one subfolder of videos per class, a table (.csv, .tsv) '
            'of filename and label, or what tools/extract_features.py wrote for them. A feature store or a folder of '
            '.npz clips is for adapting a trained model: tools/adapt.py MODEL ... --shots K. Features of your own need '
            'labels: --labels TABLE, or fit(features, labels) in Python.'
        ) from error
    loose = [clip.path.name for clip in clips if not clip.label]
    if loose:
        where = '' if Path(videos).name == loose[0] else f'{videos}: '
        raise DataError(
            f'{where}{loose[0]} has no class. Make one folder per class, or a table (.csv, .tsv) of filename and '
            'label. Features of your own need labels: --labels TABLE.'
        )
    return clips


def clips_of(videos: Sequence[str | os.PathLike[str] | Clip]) -> list[Clip]:
    """Return videos, or parts of them, as clips; parts of one file without a group form one group."""
    return grouped([_as_clip(video) for video in videos])


def _as_clip(video: str | os.PathLike[str] | Clip) -> Clip:
    if isinstance(video, Clip):
        return video
    if not isinstance(video, str | os.PathLike):
        raise InputError(f'{type(video).__name__} in a list of videos: give only videos, or only features.')
    return Clip('', Path(video))


def are_videos(clips: Any) -> bool:
    """Return whether this is a list of videos, or of parts of them, rather than features."""
    return (
        isinstance(clips, Sequence | np.ndarray) and len(clips) > 0 and isinstance(clips[0], str | os.PathLike | Clip)
    )


def pooled(features: Any) -> dict[str, np.ndarray]:
    """Return features as one vector per clip, (N, D) by modality.

    Args:
        features: An array (N, D) or (N, T, D), a list of sequences (T_i, D), a dict of these by modality, or a list of
            dicts, one per clip.

    Raises:
        InputError: If they have another form, or values that are not finite.
    """
    by_modality = features if isinstance(features, Mapping) and not _is_sparse(features) else _by_modality(features)
    found = {name: _pooled(name, rows) for name, rows in by_modality.items()}
    counts = {name: len(rows) for name, rows in found.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f'the modalities have different numbers of clips: {counts}. Give the same clips in each.')
    return found


def _by_modality(features: Any) -> dict[str, Any]:
    """Return features as a dict by modality; a list of dicts, one per clip, becomes a dict of lists."""
    if not isinstance(features, Sequence | np.ndarray) or not len(features) or not isinstance(features[0], Mapping):
        return {'features': features}
    for i, one in enumerate(features):
        if not isinstance(one, Mapping) or one.keys() != features[0].keys():
            found = list(one) if isinstance(one, Mapping) else type(one).__name__
            raise InputError(f'clip {i} has {found}, clip 0 has {list(features[0])}. Give the same modalities for all.')
    return {name: [one[name] for one in features] for name in features[0]}


def _pooled(name: str, rows: Any) -> np.ndarray:
    if _is_sparse(rows):
        raise InputError(f'{name}: a sparse matrix. Give an array: features.toarray().')
    try:
        if hasattr(rows, '__array__') and not isinstance(rows, np.ndarray):
            rows = np.asarray(rows)  # A data frame, say, would yield the names of its columns.
        arrays = [_sequence(row) for row in rows]
    except (TypeError, ValueError, RuntimeError) as error:  # The last for a tensor that requires gradients.
        raise InputError(
            f'{name}: give features as an array (N, D) or (N, T, D), or a list of (T, D), of numbers ({error}).'
        ) from error
    if not arrays:
        raise InputError(f'{name}: there are no clips. Give at least one.')
    bad = next((i for i, array in enumerate(arrays) if not array.size or number_problem(array)), None)
    widths = {array.shape[-1] for array in arrays}
    if bad is not None or len(widths) != 1:
        problem = '' if bad is None else number_problem(arrays[bad]) or 'no features'
        where = f'widths {sorted(widths)}' if bad is None else f'clip {bad} has {problem}'
        raise InputError(f'{name}: {where}. Features must be finite, of one width, with at least one step per clip.')
    return np.stack([_mean(array.astype(np.float32)) for array in arrays])


def _is_sparse(rows: Any) -> bool:
    return hasattr(rows, 'toarray')  # Some of SciPy's are mappings, too.


def _mean(steps: np.ndarray) -> np.ndarray:
    # In float32, the mean of equal steps, such as silence, would depend on their number.
    return steps.mean(axis=0, dtype=np.float64).astype(np.float32)


def _sequence(row: Any) -> np.ndarray:
    """Return the features of a clip as numbers (T, D)."""
    array = unmasked(row)
    if array.dtype == object:  # From a table with columns of several kinds.
        array = array.astype(float)
    if not array.ndim:
        raise TypeError('shape (). Reshape your data: give one clip as [clip], and single numbers as a column')
    if array.dtype.kind not in 'biuf' or array.ndim not in (1, 2):
        raise TypeError(f'{type(row).__name__} of dtype {array.dtype} and shape {array.shape}')
    return np.atleast_2d(array)
