"""Find released AV-DIFF runs in a file, a run folder, or an archive of many run folders, and read their checkpoints."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from avzoo.avdiff_release.settings import DATASET_KEYS, parse_settings, shots_of
from avzoo.avdiff_release.tensors import shown
from avzoo.checkpoints.safe_load import load_tensors
from avzoo.checkpoints.states import without_wrappers
from avzoo.readers.zip_checks import ZIP_ERRORS, checked_members
from avzoo.utils.errors import CheckpointError, first_line

_FACTS = {'dataset': 'dataset_name', 'shots': 'zero_shot_split', 'stage': 'retrain_all'}
# Bytes that are read into memory: settings have a few KiB, a checkpoint with its optimizer some 100 MiB.
_MAX_YAML = 1 << 20
_MAX_CHECKPOINT = 4 << 30
_MAX_RATIO = 10  # Measured: 1.01 for weights, 2.7 for settings. They are read into memory, so less than for features.


@dataclass(frozen=True)
class ReleasedRun:
    """One run folder of the released code.

    Attributes:
        name: Its location, for messages.
        args: Its ``args.yaml``; empty for a bare checkpoint file without one.
        files: {path below the run folder: how to read it}, checkpoints only.
        bare: Whether the source is a single checkpoint file, not a folder.
        problem: Why its ``args.yaml`` cannot be read, if it cannot; ``args`` is empty then.
    """

    name: str
    args: dict[str, Any]
    files: dict[str, 'ReleasedFile']
    bare: bool = False
    problem: str = ''

    @property
    def dataset(self) -> str | None:
        """``vgg``, ``ucf`` or ``activitynet``."""
        return DATASET_KEYS.get(self.args.get('dataset_name', ''))

    @property
    def shots(self) -> int | None:
        """K of the K-shot split."""
        return shots_of(self.args.get('zero_shot_split'))

    @property
    def stage(self) -> int | None:
        """1 or 2: the released code notes whether it retrains on everything of stage 1."""
        return None if 'retrain_all' not in self.args else 2 if self.args['retrain_all'] else 1

    def may_be(self, fact: str, value: Any) -> bool:
        """Tell whether ``dataset``, ``shots`` or ``stage`` has this value, or is left open by ``args.yaml``."""
        return getattr(self, fact) == value or self.args.get(_FACTS[fact], '') == ''

    def __str__(self) -> str:
        if not self.args:
            return self.name
        return f'{self.name} ({shown(str(self.args.get("dataset_name")))}, {self.shots}-shot, stage {self.stage})'


@dataclass(frozen=True)
class ReleasedFile:
    """A checkpoint file on disk or inside an archive."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f'{self.path}:{self.member}' if self.member else str(self.path)

    def load(self) -> dict[str, Any]:
        """Read the checkpoint; only tensors and plain values are accepted."""
        if self.member is None:
            return read_released(self.path, str(self))
        with _open(self.path) as archive:
            return read_released(io.BytesIO(_read(archive, archive.getinfo(self.member), _MAX_CHECKPOINT)), str(self))


def read_released(file: Path | io.BytesIO, name: str) -> dict[str, Any]:
    """Read one ``.pt`` and check that it has the layout of the released code.

    Raises:
        CheckpointError: If it is damaged, holds other objects, or is not a checkpoint of the released code.
    """
    if zipfile.is_zipfile(file):  # Since PyTorch 1.6 a .pt is itself a zip, which may be compressed.
        with _open(file, name) as archive:
            checked_members(archive, name, CheckpointError, room=_MAX_CHECKPOINT, max_ratio=_MAX_RATIO)
    if isinstance(file, io.BytesIO):
        file.seek(0)
    content = load_tensors(file, name, 'Download it again.')
    state = content.get('model') if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise CheckpointError(
            f"{name} is not a checkpoint of the released code: a dict with the state dict 'model' was "
            "expected. Avzoo's own checkpoints need no import; --reverse exports them."
        )
    epoch = content.get('epoch', 0)
    if type(epoch) is not int or epoch < 0:
        raise CheckpointError(f'{name} is not a checkpoint of the released code: its epoch is not a number of epochs.')
    return content | {'model': without_wrappers(state)}


def find_runs(source: Path) -> list[ReleasedRun]:
    """Find the run folders of a zip or a folder by their ``args.yaml``, or wrap a bare ``.pt``.

    A run with unreadable settings is noted as a problem; the others are returned all the same.

    Raises:
        CheckpointError: If there is nothing that can be read, or an archive is unsafe to read.
    """
    if source.is_dir():
        files, settings = _list_folder(source)
    elif not source.is_file():
        raise CheckpointError(f'There is no {source}. Give a .pt, a run folder or a zip of run folders.')
    elif source.suffix == '.pt' or (source.suffix != '.zip' and not _is_plain_zip(source)):
        return [_bare_run(source)]
    else:
        files, settings = _list_archive(source)
    if not settings:
        raise CheckpointError(
            f'{source} holds no args.yaml, by which run folders of the released code are found. For '
            'a .pt without one, name the file itself and give --dataset, --shots and --stage.'
        )
    runs = [_run(name, text, files, source) for name, text in sorted(settings.items())]
    if all(run.problem for run in runs):
        raise CheckpointError(runs[0].problem)
    return runs


def _list_folder(source: Path) -> tuple[dict[str, ReleasedFile], dict[str, bytes | Path]]:
    """Return all files by their path in the folder, and the settings among them."""
    files = {p.relative_to(source).as_posix(): ReleasedFile(p) for p in sorted(source.rglob('*')) if p.is_file()}
    return files, {name: file.path for name, file in files.items() if _is_settings(name)}


def _list_archive(source: Path) -> tuple[dict[str, ReleasedFile], dict[str, bytes | Path]]:
    """Return all files by their name in the archive, and the content of the settings among them."""
    with _open(source) as archive:
        checked = checked_members(archive, str(source), CheckpointError, max_ratio=_MAX_RATIO)
        members = {info.filename: info for info in checked}
        files = {name: ReleasedFile(source, name) for name in members}
        return files, {name: _read(archive, info, _MAX_YAML) for name, info in members.items() if _is_settings(name)}


def _run(settings: str, text: bytes | Path, files: dict[str, ReleasedFile], source: Path) -> ReleasedRun:
    folder = PurePosixPath(settings).parent
    own = {
        PurePosixPath(name).relative_to(folder).as_posix(): file
        for name, file in files.items()
        if PurePosixPath(name).is_relative_to(folder) and name.endswith('.pt')
    }
    name = f'{source}:{folder}' if str(folder) != '.' else str(source)
    try:
        text = _read_file(text) if isinstance(text, Path) else text
        return ReleasedRun(name, parse_settings(text, f'{source}:{settings}'), own)
    except CheckpointError as error:
        return ReleasedRun(name, {}, own, problem=str(error))


def _bare_run(path: Path) -> ReleasedRun:
    """Wrap one file; its settings lie beside it, or one folder up from ``checkpoints``."""
    folders = [path.parent, path.parent.parent] if path.parent.name.startswith('checkpoints') else [path.parent]
    settings = next((folder / 'args.yaml' for folder in folders if (folder / 'args.yaml').is_file()), None)
    args = parse_settings(_read_file(settings), str(settings)) if settings else {}
    return ReleasedRun(str(path), args, {path.name: ReleasedFile(path)}, bare=True)


def _is_settings(name: str) -> bool:
    return PurePosixPath(name).name == 'args.yaml'


def _read_file(path: Path) -> bytes:
    if path.stat().st_size > _MAX_YAML:
        raise CheckpointError(f'{path} is too large for settings; check the path.')
    return path.read_bytes()


@contextmanager
def _open(file: Path | io.BytesIO, name: str = '') -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (*ZIP_ERRORS, OSError) as error:
        raise CheckpointError(
            f'{name or file} is a damaged archive: {first_line(error)}. Download it again.'
        ) from error
    with archive:
        yield archive


def _is_plain_zip(path: Path) -> bool:
    """Return whether a file is an archive of folders; a checkpoint is a zip too."""
    if not zipfile.is_zipfile(path):
        return False
    with _open(path) as archive:
        return not any(name.endswith('/data.pkl') for name in archive.namelist())


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.file_size > limit:
        raise CheckpointError(
            f'{archive.filename}:{info.filename} unpacks to {info.file_size:,} bytes; at most {limit:,} are read.'
        )
    try:
        with archive.open(info) as file:
            return file.read()
    except ZIP_ERRORS as error:
        raise CheckpointError(f'{archive.filename}:{info.filename} cannot be unpacked: {first_line(error)}') from error
