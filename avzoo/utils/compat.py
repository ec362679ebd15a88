"""Make mmengine 0.10.7, timm and torchvision work together; their own code cannot be changed.

Each workaround is one function, does nothing if it is not needed, and may run more than once. Changes to mmengine: an
entry in its table of packages (:func:`patch_mmengine`) and three public helpers that need
``pkg_resources`` (:func:`_replace_package_utils`). :mod:`avzoo.zoo.mmengine_hub` replaces two private ones.
torch and mmengine are imported inside the functions: the tools call :func:`prepare_process` before either is loaded.
"""

import os
import sys
from contextlib import ExitStack, suppress
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from avzoo.utils.cache import cache_home, find_cache_without_home, has_home, temporary_folder
from avzoo.utils.lock import locked

# Operators that torchvision describes at import time even when its compiled library did not load.
_TORCHVISION_OPERATORS = ('nms', 'qnms')

# When a torch library object is garbage-collected, its operators are removed: keep it for the whole process.
_torchvision_library: Any = None


def prepare_process() -> None:
    """Do what must happen before torch, mmengine and yapf are first imported.

    Only the command-line tools call this. ``import avzoo`` does not: a library must not change its user's process.
    """
    share_cores()
    find_cache_without_home()
    import_yapf()


def apply() -> None:
    """Apply every workaround. Call it before the first import of timm, torchvision or an mmengine Runner."""
    find_cache_without_home()
    patch_mmengine()
    define_torchvision_operators()
    set_cublas_workspace()


def share_cores() -> None:
    """Let waiting OpenMP threads sleep early, unless the environment says otherwise. Call before importing torch.

    By default they spin for a millisecond. With two threads on two cores, one of them busy with another process, a
    training step with small layers then took 4 s instead of 0.25 s. Threads that sleep at once take 7% longer if no
    core is busy, so they spin for some microseconds first; only GNU's OpenMP has that setting.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'
        os.environ.setdefault('GOMP_SPINCOUNT', '1000')


def import_yapf() -> None:
    """Import yapf, which mmengine needs, while no other process does so.

    At its first import after installation, it writes a cache and renames it into place before the last bytes are
    written. Another process that starts at the same moment, as under torchrun, reads an empty file and fails with
    ``EOFError: Ran out of input``.
    """
    if 'yapf' in sys.modules:
        return
    with ExitStack() as stack:
        with suppress(OSError):  # The cache folder may be read-only.
            stack.enter_context(locked((cache_home() if has_home() else temporary_folder()) / 'yapf'))
        import_module('yapf')


def patch_mmengine() -> None:
    """Register avzoo with mmengine, and replace the helpers that need ``pkg_resources``.

    ``mmengine.config.utils.MODULE2PACKAGE`` maps a module to the package that provides it. Without an entry, configs
    named ``avzoo::...`` and ``mmengine.hub`` refuse avzoo.
    """
    from mmengine.config.utils import MODULE2PACKAGE  # Heavy, and `avzoo.utils` is imported by every quick command.

    MODULE2PACKAGE.setdefault('avzoo', 'avzoo')
    _replace_package_utils()


def _replace_package_utils() -> None:
    """Replace ``is_installed``, ``get_installed_path`` and ``package2module`` of ``mmengine.utils.package_utils``.

    They import ``pkg_resources``, which is deprecated since setuptools 80 and missing since 82. ``mmengine.utils``
    and ``mmengine.config.config`` have their own references to some of them, which are replaced too.
    """
    # As in `patch_mmengine`.
    from mmengine import utils
    from mmengine.config import config
    from mmengine.utils import package_utils

    for replacement in (is_installed, get_installed_path, package2module):
        for holder in (package_utils, utils, config, sys.modules.get('mmengine.hub.hub')):
            if hasattr(holder, replacement.__name__):
                setattr(holder, replacement.__name__, replacement)


def is_installed(package: str) -> bool:
    """Return whether ``package`` is an installed distribution or a regular importable package."""
    if _distribution(package) is not None:
        return True
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def get_installed_path(package: str) -> str:
    """Return the folder of ``package``, the name of a distribution or a module, wherever it was installed from.

    Raises:
        ModuleNotFoundError: If nothing with that name can be imported.
        RuntimeError: If it is a namespace package.
    """
    module = package
    if find_spec(package) is None and _distribution(package) is not None:
        module = package2module(package)
    spec = find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"Package '{package}' is not installed; run `pip install {package}`.")
    if spec.origin is None:
        raise RuntimeError(f"'{package}' is a namespace package and has no single folder; name one of its parts.")
    return str(Path(spec.origin).parent)


def package2module(package: str) -> str:
    """Return the name under which the distribution ``package`` is imported.

    Raises:
        ValueError: If the distribution does not say so.
    """
    distribution = metadata.distribution(package)
    names = (distribution.read_text('top_level.txt') or '').split()
    names = [name for name in names if not name.startswith('_')]  # PyYAML lists `_yaml` before `yaml`
    if not names:
        raise ValueError(f"The distribution '{package}' does not say under which name it is imported.")
    return names[0]


def _distribution(package: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None


def define_torchvision_operators() -> None:
    """Make torchvision importable with a torch build that its compiled library does not match.

    The package index has no CPU build of torchvision. With a CPU build of torch, the stock one fails at import with
    ``operator torchvision::nms does not exist``, and so do timm and every mmengine Runner. A schema without a kernel is
    enough for the import. If the compiled library loads, its own operators are used.
    """
    global _torchvision_library
    spec = find_spec('torchvision')
    if _torchvision_library is not None or spec is None or spec.origin is None:
        return

    import torch  # Heavy, see `patch_mmengine`.

    if _load_torchvision_extension(Path(spec.origin).parent):
        return
    missing = [name for name in _TORCHVISION_OPERATORS if not hasattr(torch.ops.torchvision, name)]
    if missing:
        _torchvision_library = torch.library.Library('torchvision', 'FRAGMENT')
    for name in missing:
        _torchvision_library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')


def _load_torchvision_extension(folder: Path) -> bool:
    """Load torchvision's compiled operators, as its own import does; loading them again later is free."""
    import torch  # Heavy, see `patch_mmengine`.

    for path in [*folder.glob('_C*.so'), *folder.glob('_C*.pyd'), *folder.glob('_C*.dylib')]:
        try:
            torch.ops.load_library(str(path))
        except OSError:
            continue
        return True
    return False


def set_cublas_workspace() -> None:
    """Give cuBLAS a fixed workspace, without which deterministic mode refuses matrix products on a GPU.

    mmengine's ``deterministic=True`` does not set it, and it must be set before CUDA starts. A value set by the user
    is kept.
    """
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
