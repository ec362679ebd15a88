"""Make the frozen parts of the stack (mmengine 0.10.7, timm, torchvision) work together.

Each workaround stands in a function of its own, does nothing where it is not needed, and may run more than once.
Nothing here is imported from torch at module level, so that ``import avzoo`` stays light.
"""

import os
import sys
from contextlib import ExitStack, suppress
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from avzoo.utils.cache import cache_home
from avzoo.utils.lock import locked

# Operators that torchvision describes at import time even when its compiled library did not load.
_TORCHVISION_OPERATORS = ('nms', 'qnms')

# A torch library object takes its operators along when it is garbage collected: keep it for the whole process.
_torchvision_library: Any = None


def prepare_process() -> None:
    """Set up a process of our own: what must happen before torch, mmengine and yapf are first imported.

    The command-line tools do this; ``import avzoo`` does not, since it changes the process.
    """
    share_cores()
    import_yapf()


def apply() -> None:
    """Apply every workaround. Call it before the first import of timm, torchvision or an mmengine Runner."""
    patch_mmengine()
    define_torchvision_operators()
    set_cublas_workspace()


def share_cores() -> None:
    """Let waiting OpenMP threads sleep, unless the environment says otherwise. Call it before torch is imported.

    By default they spin; where another process wants a core too, a training step of small layers then took 16 times as
    long here (4 s for 0.25 s, two threads on two cores, one of them busy).
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')


def import_yapf() -> None:
    """Import yapf, which mmengine needs, while no other process does.

    Once after each installation it writes a cache, and moves it into place before its last bytes are written. A process
    that starts at the same moment, of torchrun say, then read an empty file: ``EOFError: Ran out of input``.
    """
    if 'yapf' in sys.modules:
        return
    with ExitStack() as stack:
        with suppress(OSError):  # A home that cannot be written to.
            stack.enter_context(locked(cache_home() / 'yapf'))
        import_module('yapf')


def patch_mmengine() -> None:
    """Tell mmengine of avzoo and, where pkg_resources is gone, how to find installed packages without it."""
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('avzoo', 'avzoo')  # allows configs named `avzoo::...`, and mmengine.hub
    if find_spec('pkg_resources') is None:  # setuptools >= 82
        _replace_package_utils()


def _replace_package_utils() -> None:
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
    """Return the folder of ``package``, a distribution's or a module's name, wherever it was installed from.

    Raises:
        ModuleNotFoundError: If nothing of that name can be imported.
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
        ValueError: If the distribution does not say.
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
    """Let torchvision be imported beside a torch build that its compiled library does not fit.

    There is no CPU build of torchvision on the index. Beside a CPU torch the stock one fails at import with
    ``operator torchvision::nms does not exist``, which takes timm and every mmengine Runner down. A schema without
    a kernel is enough for the import. Where the compiled library loads, its own operators are used.
    """
    global _torchvision_library
    spec = find_spec('torchvision')
    if _torchvision_library is not None or spec is None or spec.origin is None:
        return

    import torch

    if _load_torchvision_extension(Path(spec.origin).parent):
        return
    missing = [name for name in _TORCHVISION_OPERATORS if not hasattr(torch.ops.torchvision, name)]
    if missing:
        _torchvision_library = torch.library.Library('torchvision', 'FRAGMENT')
    for name in missing:
        _torchvision_library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')


def _load_torchvision_extension(folder: Path) -> bool:
    """Load torchvision's compiled operators, as its own import does; loading them again later is free."""
    import torch

    for path in [*folder.glob('_C*.so'), *folder.glob('_C*.pyd'), *folder.glob('_C*.dylib')]:
        try:
            torch.ops.load_library(str(path))
        except OSError:
            continue
        return True
    return False


def set_cublas_workspace() -> None:
    """Give cuBLAS a fixed workspace, without which deterministic mode refuses matrix products on a GPU.

    mmengine's ``deterministic=True`` leaves this out, and it must be set before CUDA starts. A value that the
    user has set stays.
    """
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
