"""What the authors published, fetched and converted: feature zips to stores, checkpoints to weights."""

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from avzoo.utils.atomic_folder import check_target
from avzoo.utils.cache import cache_home
from avzoo.utils.errors import AvzooError, CheckpointError
from avzoo.zoo.benchmarks import Benchmark
from avzoo.zoo.fetch import DownloadError, fetch
from avzoo.zoo.index import find_model
from avzoo.zoo.unzip import unpack_zip
from avzoo.zoo.weights import converted_path, released_key


def fetch_released_features(
    benchmark: Benchmark,
    out: str | os.PathLike,
    *,
    dtype: str = 'float32',
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Download a data set's features and write them as a feature store.

    The zip stays in the cache; what is unpacked of it does not.

    Args:
        benchmark: Which data set.
        out: Feature store to make.
        dtype: How to store features, ``float32`` or ``float16``.
        on_progress: Called with (files done, files in all) while the store is written.
    """
    from avzoo.avdiff_release.features import import_official

    if not benchmark.urls:
        raise DownloadError(f'Nobody publishes features of {benchmark.title}.')
    check_target(Path(out), 'store.json', 'feature store')  # Before gigabytes are fetched for nothing.
    archive = fetch(f'archives/{Path(benchmark.urls[0]).name}', benchmark.urls, accept=zipfile.is_zipfile)
    cache_home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='unpacked-', dir=cache_home()) as scratch:
        folder = unpack_zip(archive, Path(scratch) / archive.stem)
        return import_official(_dataset_root(folder, archive), out, dtype=dtype, on_progress=on_progress)


def _dataset_root(folder: Path, archive: Path) -> Path:
    """Return the folder that holds ``class-split``; macOS packs a shadow of every file below ``__MACOSX``."""
    roots = sorted(
        path.parent
        for path in folder.rglob('class-split')
        if path.is_dir() and '__MACOSX' not in path.relative_to(folder).parts
    )
    if len(roots) != 1:
        raise DownloadError(
            f'{archive} holds {len(roots)} folders class-split, one is expected: unpack it and convert '
            'the right one with tools/dataset_converters/official.py.'
        )
    return roots[0]


def fetch_released_weights(
    name: str, data_root: str | os.PathLike | None, *, gamma: float | None = None
) -> tuple[Path, list[str]]:
    """Download the authors' models and convert the one that a name of the zoo means.

    Args:
        name: E.g. ``avdiff_ucf_5shot``.
        data_root: Feature store of the data set: class names and class vectors are not in the authors' files.
        gamma: Calibration, which is not there either.

    Returns:
        The weights in the cache, where :func:`resolve_checkpoint` finds them by name, and notes on what is unknown.
    """
    from avzoo.avdiff_release import convert
    from avzoo.checkpoints.training import save_checkpoint
    from avzoo.zoo.publish import publish_checkpoint

    entry = find_model(name)
    key = released_key(entry)
    if key is None:
        raise CheckpointError(
            f"Neither avzoo nor the authors publish weights of '{name}'. Train it: python tools/train.py {entry.config}"
        )
    if data_root is None or not (Path(data_root) / 'store.json').is_file():
        raise AvzooError(
            f"The authors' checkpoints hold no class names: give the feature store of {entry.dataset} "
            f'with --data-root (python tools/download.py --dataset {key} makes it).'
        )
    archive = fetch('archives/avdiff_models.zip', [entry.converted_from], accept=zipfile.is_zipfile)
    done = convert(archive, dataset=key, shots=entry.shots, stage=2, draw=0, data_root=data_root, gamma=gamma)
    target = converted_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    training = target.with_suffix('.pth')
    save_checkpoint(training, done.checkpoint)
    try:
        return publish_checkpoint(training, target, name=name), done.notes
    finally:
        training.unlink()
