"""Download what the authors of AV-DIFF released: features as a feature store, models as weights of the zoo's format."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from avzoo.avdiff_release.features import import_released_features
from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.checkpoints.training import save_checkpoint
from avzoo.utils.atomic_folder import check_target
from avzoo.utils.cache import cache_home
from avzoo.utils.errors import AvzooError, CheckpointError
from avzoo.utils.in_progress import scratch_folder
from avzoo.zoo.benchmarks import Benchmark, find_benchmark
from avzoo.zoo.fetch import DownloadError, fetch
from avzoo.zoo.index import find_model
from avzoo.zoo.publish import publish_checkpoint
from avzoo.zoo.unzip import unpack_zip
from avzoo.zoo.weights import imported_weights_path


def fetch_released_features(
    benchmark: Benchmark,
    out: str | os.PathLike[str],
    *,
    dtype: str = 'float32',
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Download a data set's features and write them as a feature store.

    The zip stays in the cache; the unpacked files are removed.

    Args:
        benchmark: The data set.
        out: Feature store to write.
        dtype: How to store features, ``float32`` or ``float16``.
        on_progress: Called with (files done, files in all) while the store is written.
    """
    if not benchmark.urls:
        raise DownloadError(f'No features of {benchmark.title} are released.')
    check_target(Path(out), 'store.json', 'feature store')  # Before gigabytes are downloaded in vain.
    archive = fetch(f'archives/{Path(benchmark.urls[0]).name}', benchmark.urls, accept=zipfile.is_zipfile)
    cache_home().mkdir(parents=True, exist_ok=True)
    with scratch_folder('unpacked', cache_home()) as scratch:
        folder = unpack_zip(archive, scratch / archive.stem)
        return import_released_features(_dataset_root(folder, archive), out, dtype=dtype, on_progress=on_progress)


def _dataset_root(folder: Path, archive: Path) -> Path:
    """Return the folder that holds ``class-split``; zips made on macOS repeat every name below ``__MACOSX``."""
    roots = sorted(
        path.parent
        for path in folder.rglob('class-split')
        if path.is_dir() and '__MACOSX' not in path.relative_to(folder).parts
    )
    if len(roots) != 1:
        raise DownloadError(
            f'{archive} holds {len(roots)} class-split folders, but one is expected: unpack it and import '
            'the right one with tools/dataset_converters/official.py.'
        )
    return roots[0]


def fetch_released_weights(
    name: str, data_root: str | os.PathLike[str] | None, *, gamma: float | None = None
) -> tuple[Path, list[str]]:
    """Download the released models and import the one that a zoo name stands for.

    Args:
        name: E.g. ``avdiff_ucf_5shot``.
        data_root: Feature store of the data set: the released files lack class names and class vectors.
        gamma: Calibration, which they lack too.

    Returns:
        The weights in the cache, where :func:`resolve_checkpoint` finds them by name, and notes on what is unknown.
    """
    entry = find_model(name)
    benchmark = find_benchmark(entry.dataset)
    if entry.released_url is None or benchmark is None:
        raise CheckpointError(
            f"The authors of AV-DIFF released no weights of '{name}' that could be imported. "
            + (
                f'Its zoo weights need no import: python tools/download.py {name}'
                if entry.weights
                else f'It has no zoo weights either; train it: python tools/train.py {entry.config}'
            )
        )
    if data_root is None or not (Path(data_root) / 'store.json').is_file():
        raise AvzooError(
            f'Released checkpoints hold no class names: give the feature store of {entry.dataset} '
            f'with --data-root (python tools/download.py --dataset {benchmark.key} makes it).'
        )
    archive = fetch('archives/avdiff_models.zip', [entry.released_url], accept=zipfile.is_zipfile)
    done = import_checkpoint(
        archive, dataset=benchmark.key, shots=entry.shots, stage=2, draw=0, data_root=data_root, gamma=gamma
    )
    target = imported_weights_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    training = target.with_suffix('.pth')
    save_checkpoint(training, done.checkpoint)
    try:
        return publish_checkpoint(training, target, name=name), done.notes
    finally:
        training.unlink()
