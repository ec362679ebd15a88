"""Which library's kernels a CPU uses."""

import hashlib
import os
import platform
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from avzoo.config.settings import CPUKernels
from avzoo.utils.cache import cache_home, has_home
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_write_text
from avzoo.utils.lock import locked

_ROWS, _ROUNDS = 1024, 5
_WIDTHS = ((300, 512), (512, 300))  # Those of AV-DIFF's attention.
_FASTER = 0.9  # Of the time of PyTorch's own kernel; where both are about as fast, the choice must not change.
_chosen: CPUKernels = 'auto'
_answer: bool | None = None  # The last one since then, whether oneDNN pays.


def choose_cpu_kernels(choice: CPUKernels) -> CPUKernels:
    """Choose the kernels of this process; returns what was chosen before.

    Args:
        choice: ``torch`` are those of PyTorch. ``onednn`` computes large linear layers by oneDNN, and ``auto`` does so
            where a measurement has shown that it is faster. It is measured once for a machine and kept, so that a run
            can be repeated bit for bit. Both also let other parts compute in avzoo's own ways, see :func:`may_replace`.
    """
    global _chosen, _answer
    before, _chosen, _answer = _chosen, choice, None
    return before


def may_replace(x: Tensor) -> bool:
    """Return whether avzoo's own ways may compute with x: fp32 numbers on a CPU that no transform follows.

    Those are linear layers (``fast_linear``), dropout (``fast_dropout``), attention of few queries and filled-up keys
    (``layers.transformer_layer``), and Adam's step (``avzoo.engine.optim``). Under autocast x may be in bfloat16, too.
    """
    mixed = x.dtype == torch.bfloat16 and torch.is_autocast_enabled('cpu')
    return _chosen != 'torch' and x.device.type == 'cpu' and (x.dtype == torch.float32 or mixed) and not is_followed()


def is_followed() -> bool:
    """Return whether a tracer, a compiler or a transform follows what is computed; only PyTorch's own code suits it."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


def onednn_pays() -> bool:
    """Return whether large linear layers are computed with oneDNN."""
    global _answer
    _answer = _chosen == 'onednn' or (_chosen == 'auto' and _onednn_is_faster(torch.get_num_threads()))
    return _answer


def kernels_in_use() -> dict[str, str | None]:
    """Return the ``choice`` of this process and whose kernels compute its large ``linear`` layers; measures nothing.

    ``linear`` is ``onednn`` or ``torch``; ``None`` if ``auto`` has not measured yet, since no layer was large enough.
    """
    answers = {None: None, True: 'onednn', False: 'torch'}
    return dict(choice=_chosen, linear=answers[_answer] if _chosen == 'auto' else _chosen)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x (..., k) times the transposed weight (n, k), plus bias (n,), with oneDNN and without gradients."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'none', [], '')


def cpu_name() -> str:
    """Return the name of the processor."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


@cache
def _onednn_is_faster(threads: int) -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    if not (os.environ.get('AVZOO_HOME') or has_home()):
        return _measure()
    machine = (cpu_name(), torch.__version__, torch.backends.cpu.get_cpu_capability(), str(threads))
    name = hashlib.sha256('\n'.join(machine).encode()).hexdigest()[:16]
    path = cache_home() / 'cpu_kernels' / f'{name}.txt'
    try:
        with locked(path):
            return _kept(path)
    except (OSError, AvzooError):  # A folder that cannot be written to must not stop a run.
        return _measure()


def _kept(path: Path) -> bool:
    """Return what was measured before, or measure it now."""
    names = {'onednn': True, 'torch': False}
    found = path.read_text(encoding='utf-8', errors='replace').strip() if path.is_file() else None
    if found not in names:
        found = 'onednn' if _measure() else 'torch'
        atomic_write_text(path, f'{found}\n')
    return names[found]


def _measure() -> bool:
    """Time both kernels in turn, in processor time, which other programs disturb least."""
    own = other = 0.0
    with torch.inference_mode():
        for width, out in _WIDTHS:
            x, weight = torch.ones(_ROWS, width), torch.ones(out, width)
            runs = partial(F.linear, x, weight), partial(onednn_linear, x, weight)
            times = [[_seconds(run) for run in runs] for _ in range(_ROUNDS)]
            own, other = own + min(a for a, _ in times), other + min(b for _, b in times)
    return other < _FASTER * own


def _seconds(run: Callable[[], object]) -> float:
    begin = time.thread_time()
    run()
    return time.thread_time() - begin
