"""Extract the features of many clips into a folder; this can be stopped at any point and resumed."""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from avzoo.datasets.store_format import npy_bytes
from avzoo.extraction.clips import Clip
from avzoo.extraction.extraction_folder import STAMP_FILE, differences, read_facts
from avzoo.extraction.extractor import Extractor
from avzoo.extraction.media import MediaFile
from avzoo.extraction.media_container import MediaError, import_av
from avzoo.utils.errors import DataError
from avzoo.utils.files import atomic_path, atomic_write_text, sha256_of
from avzoo.utils.lock import locked
from avzoo.version import __version__

NoAudio = Literal['skip', 'zeros']


@dataclass(frozen=True)
class Settings:
    """How clips are read.

    Attributes:
        video_stream: Index of the video stream; ``None`` for the file's best.
        audio_stream: Index of the audio stream; ``None`` for the file's best.
        no_audio: Whether a clip without sound is left out, or gets one step of zeros.
    """

    video_stream: int | None = None
    audio_stream: int | None = None
    no_audio: NoAudio = 'skip'


@dataclass(frozen=True)
class Stamps:
    """Where features come from.

    Attributes:
        modalities: Modality -> what determines its features: recipe, options, the SHA-256 of the weights, width.
        versions: Package -> version. Features from other versions are accepted.
    """

    modalities: dict[str, dict[str, Any]]
    versions: dict[str, str]


@dataclass(frozen=True)
class Failure:
    """Why a clip has no features."""

    id: str
    stage: str
    reason: str
    cure: str


def stamps_of(extractors: Mapping[str, Extractor]) -> Stamps:
    """Return what determines the features of each modality, and the versions of the packages that compute them."""
    packages = {'avzoo': __version__, 'av': import_av().__version__, 'torch': torch.__version__}
    packages |= {name: metadata.version(name) for extractor in extractors.values() for name in extractor.needs}
    return Stamps({m: dict(e.stamp(), dim=e.dim) for m, e in extractors.items()}, packages)


def open_folder(out: str | os.PathLike[str], stamps: Stamps, settings: Settings) -> Path:
    """Make the folder of features, or check that it was started with the same extractors; returns it.

    Several processes may do so at once.

    Raises:
        DataError: If it holds something else, or features from other extractors.
    """
    out = Path(out)
    path = out / STAMP_FILE
    if out.exists() and not out.is_dir():
        raise DataError(f'{out} exists and is not a folder. Choose another name.')
    if not path.is_file() and out.is_dir() and any(STAMP_FILE not in entry.name for entry in out.iterdir()):
        raise DataError(f'{out} exists and is not a folder of extracted features. Choose another folder.')
    versions = dict(stamps.versions, python=platform.python_version())
    whole = dict(
        format='avzoo-extraction-v1', modalities=stamps.modalities, settings=asdict(settings), versions=versions
    )
    with locked(path):
        if not path.is_file():
            atomic_write_text(path, json.dumps(whole, indent=1) + '\n')
    begun, now = ({key: facts.get(key) for key in ('modalities', 'settings')} for facts in (read_facts(path), whole))
    if other := differences(begun, now):
        raise DataError(
            f'{out} was started with other extractors or settings: {other}. '
            'Features of different kinds cannot be mixed. Choose another folder.'
        )
    return out


def extract_clip(clip: Clip, out: Path, extractors: Mapping[str, Extractor], settings: Settings) -> Failure | None:
    """Write the features of a clip, unless they exist; on failure, returns the reason.

    The file of its facts is written last, so a clip counts as done only when it is complete. It is extracted again
    if the video, its part, or a file of features no longer matches the facts.
    """
    done = out / 'facts' / f'{clip.id}.json'
    stage = 'open'
    try:
        source = _source(clip)
        if done.is_file() and _is_done(read_facts(done), source, out, clip, extractors):
            return None
        media = MediaFile(clip.path, video_stream=settings.video_stream, audio_stream=settings.audio_stream)
        features, seconds = {}, {}
        for stage, extractor in extractors.items():
            features[stage] = _steps(stage, extractor, media, clip, settings)
            seconds[stage] = extractor.seconds_per_step(media)
            if not len(features[stage]):
                part = f' from {clip.start:g} s on; check where the video ends' if clip.start else ''
                raise MediaError(f'{clip.path} has less than one step of {stage} features{part}.')
            if not np.isfinite(features[stage]).all():
                raise MediaError(f'{clip.path}: the network gives non-finite values.')
        stage = 'write'
        written = {m: _write_array(out / m / f'{clip.id}.npy', array) for m, array in features.items()}
        facts = dict(
            asdict(media.facts),
            steps={m: len(a) for m, a in features.items()},
            seconds_per_step=seconds,
            source=source,
            sha256=written,
        )
        atomic_write_text(done, json.dumps(facts) + '\n')
    except MediaError as error:
        return Failure(clip.id, stage, str(error), _cure(stage))
    except MemoryError as error:
        return Failure(clip.id, stage, f'{clip.path}: there is not enough memory ({error}).', _cure(stage))
    return None


def _source(clip: Clip) -> dict[str, Any]:
    """Return the source of a clip's features: the current state of the video, and the part."""
    try:
        state = clip.path.stat()
    except OSError as error:
        raise MediaError(f'{clip.path} cannot be read ({error.strerror}).') from None
    return dict(name=clip.path.name, bytes=state.st_size, changed=state.st_mtime_ns, start=clip.start, end=clip.end)


def _is_done(
    facts: dict[str, Any], source: dict[str, Any], out: Path, clip: Clip, extractors: Mapping[str, Extractor]
) -> bool:
    digests = facts.get('sha256')
    if facts.get('source') != source or not isinstance(digests, dict) or digests.keys() != extractors.keys():
        return False
    paths = {modality: out / modality / f'{clip.id}.npy' for modality in extractors}
    return all(path.is_file() and sha256_of(path) == digests[m] for m, path in paths.items())


def _write_array(path: Path, array: np.ndarray) -> str:
    """Write an array and return the SHA-256 of its file."""
    content = npy_bytes(array)
    with atomic_path(path) as partial:
        partial.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def extract_all(
    clips: list[Clip],
    out: Path,
    extractors: Mapping[str, Extractor],
    settings: Settings,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Failure]:
    """Extract clips one by one in this process; returns the failures."""
    failures = []
    for i, clip in enumerate(clips):
        failure = extract_clip(clip, out, extractors, settings)
        if failure is not None:
            failures.append(failure)
        if on_progress is not None:
            on_progress(i + 1, len(clips))
    return failures


def _steps(modality: str, extractor: Extractor, media: MediaFile, clip: Clip, settings: Settings) -> np.ndarray:
    if modality == 'audio' and media.facts.audio_stream is None and settings.no_audio == 'zeros':
        media.facts.notes.append('no sound: its features are zeros')
        return np.zeros((1, extractor.dim), np.float32)
    return extractor.steps(media, clip.start, clip.end)


def _cure(stage: str) -> str:
    if stage == 'audio':
        return 'leave the clip out, or use --no-audio zeros if it has no sound'
    return 'get the file again, or leave the clip out'
