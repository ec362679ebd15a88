"""How fast a method trains, samples, evaluates and predicts here, against a plain path and the machine's limit."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from avzoo.models.kernels.cpu_kernels import onednn_linear, onednn_pays
from avzoo.speed.cases import BASE_STEP, STREAMED, Case, Run, SpeedCases
from avzoo.speed.clip_steps import steps_of
from avzoo.speed.plain_path import plain_path

Clock = Callable[[], float]
_TIMES = ('plain', 'now', 'bf16', 'floor', 'graphs')


def measure(
    cfg: Config, info: Mapping[str, Any], *, device: str, seconds: float, clip: tuple[float, float]
) -> list[dict[str, Any]]:
    """Measure a method on synthetic features with its widths.

    Args:
        cfg: Config of the method.
        info: Facts about its data, see :class:`AVClassifier`.
        device: Where to compute.
        seconds: How long to repeat each measurement.
        clip: Shortest and longest clip in seconds.

    Returns:
        For each case its ``name``, seconds of the ``plain`` path and ``now``, their ``ratio``, seconds in ``bf16`` as
        with ``--amp`` (not for data), and the ``floor``: unavoidable products in float32 at this machine's rate, or for
        data the bytes at its copy rate. On a GPU also seconds as ``graphs``, and for these (or ``now`` if there are
        none) the number of ``kernels``, the number of ``waits`` for the GPU by any thread, and the share of time that
        it is ``busy``. Steps and evaluations there are several in a row.
    """
    steps_of(clip[1], info, cfg.model.encoders)  # Checked before any are made.
    clock = time.process_time if device == 'cpu' else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        work = SpeedCases(cfg, info, Path(folder), clip, device)
        cases = work.cases()
        counted = cases if device == 'cpu' else SpeedCases(cfg, info, Path(folder), clip, 'cpu').cases()
        rate = _product_rate(device, clock)
        floors = {name: _flops(case.run) / rate for name, case in counted.items()}
        floors['data'] = work.batch_bytes() / _copy_rate(device, clock)
        floors[STREAMED] = floors.get(BASE_STEP, 0.0)  # A CPU has no such case.
        return [dict(name=name, **_row(case, floors[name], seconds, clock, device)) for name, case in cases.items()]


def _row(case: Case, floor: float, seconds: float, clock: Clock, device: str) -> dict[str, Any]:
    """Measure a case; its floor is that of one round."""
    runs = dict(plain=_within(plain_path, case.plain or case.run), now=case.run)
    if case.multiplies:
        runs['bf16'] = _within(partial(torch.autocast, device, torch.bfloat16), case.run)
    runs = {name: _in_a_row(run, case.calls) for name, run in runs.items()}
    row: dict[str, Any] = _shortest(runs, seconds, clock, device)
    row['ratio'] = row['plain'] / row['now']
    if device != 'cpu':
        graph = case.graph()
        row |= _on_gpu(runs['now'], None if graph is None else _in_a_row(graph, case.calls), seconds)
    rounds = case.calls * case.rounds
    row |= {key: row[key] / rounds for key in _TIMES if key in row} | dict(floor=floor)
    row |= {key: row[key] // rounds for key in ('kernels', 'waits') if key in row}
    return row | {key: row[key] * 1000 / case.videos for key in _TIMES if key in row}


def _in_a_row(run: Run, times: int) -> Run:
    def repeated() -> object:
        for _ in range(times):
            run()
        return None

    return repeated


def _within(context: Callable[[], AbstractContextManager], run: Run) -> Run:
    def within() -> object:
        with context():
            return run()

    return within


def _shortest(runs: Mapping[str, Run], seconds: float, clock: Clock, device: str) -> dict[str, float]:
    """Run each in turn and return its shortest time."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    begin = time.monotonic()
    while len(next(iter(times.values()))) < 3 or time.monotonic() - begin < seconds:
        for name, run in runs.items():
            times[name].append(_time(run, clock, device))
    return {name: min(found) for name, found in times.items()}


def _time(run: Run, clock: Clock, device: str) -> float:
    begin = clock()
    run()
    if device != 'cpu':
        torch.cuda.synchronize()
    return clock() - begin


def _flops(run: Run) -> float:
    onednn_pays()  # Here, since the counter would count the measurements that this makes.
    # The counter knows only PyTorch's own operators.
    of_onednn = {torch.ops.mkldnn._linear_pointwise: _linear_flops} if torch.backends.mkldnn.is_available() else {}
    with FlopCounterMode(display=False, custom_mapping=of_onednn) as counter:
        run()
    return counter.get_total_flops()


def _linear_flops(x: torch.Size, weight: torch.Size, *args: Any, out_shape: torch.Size, **kwargs: Any) -> int:
    return 2 * x.numel() * weight[0]


def _product_rate(device: str, clock: Clock) -> float:
    """Return the multiply-adds per second, each counted twice, for products of the sizes found in models."""
    found = 0.0
    product = onednn_linear if device == 'cpu' and onednn_pays() else F.linear
    for rows, width, out in ((2048, 512, 512), (1024, 4096, 512)):
        x, weight = torch.randn(rows, width, device=device), torch.randn(out, width, device=device)
        least = min(_time(partial(product, x, weight), clock, device) for _ in range(9))
        found = max(found, 2 * rows * width * out / least)
    return found


def _copy_rate(device: str, clock: Clock) -> float:
    x = torch.ones(16 << 20, device=device)
    y = torch.empty_like(x)
    return x.nbytes / min(_time(lambda: y.copy_(x), clock, device) for _ in range(5))


def _on_gpu(run: Run, graph: Run | None, seconds: float) -> dict[str, float]:
    """Return the time as a graph, and what the GPU does: with the graph, or without if there is none."""
    found: dict[str, float] = {}
    if graph is not None:
        run = graph
        found |= _shortest(dict(graphs=run), seconds / 2, time.perf_counter, 'cuda')
    took = _time(run, time.perf_counter, 'cuda')
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        run()
        torch.cuda.synchronize()
    events = profiled.events()
    work = [e for e in events if e.device_type.name == 'CUDA' and not getattr(e, 'is_user_annotation', False)]
    kernels = [event.time_range.elapsed_us() for event in work]
    waits = sum(event.name in ('cudaStreamSynchronize', 'cudaEventSynchronize') for event in events)
    return dict(found, kernels=len(kernels), waits=waits, busy=sum(kernels) / 1e6 / took)
