"""Extract clips in several processes."""

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from avzoo.extraction.build import build_extractor
from avzoo.extraction.clips import Clip
from avzoo.extraction.extract import Failure, Settings, extract_clip
from avzoo.extraction.extractor import Extractor

# What a process of the pool works with; set once, at its start.
_worker: dict[str, Any] = {}


def extract_in_processes(
    clips: list[Clip],
    out: Path,
    specs: Mapping[str, tuple[str, Mapping[str, Any]]],
    settings: Settings,
    *,
    jobs: int,
    device: str = 'cpu',
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Failure]:
    """Extract the clips in ``jobs`` processes of one thread each; returns those that failed.

    Args:
        clips: The clips.
        out: The folder that :func:`~avzoo.extraction.extract.open_folder` made.
        specs: Of each modality the extractor's spec and options.
        settings: How clips are read.
        jobs: Processes. Each builds its own extractors.
        device: Where they compute.
        on_progress: Called with (clips done, clips in all).
    """
    failures = []
    # Not forked: threads of torch, and CUDA, do not survive that.
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(
        max(1, min(jobs, len(clips))), context, initializer=_start, initargs=(specs, out, settings, device)
    )
    try:
        waiting = [pool.submit(_extract, clip) for clip in clips]
        for done, future in enumerate(as_completed(waiting), 1):
            failure = future.result()
            if failure is not None:
                failures.append(failure)
            if on_progress is not None:
                on_progress(done, len(clips))
    finally:
        pool.shutdown(cancel_futures=True)
    return failures


def build_all(specs: Mapping[str, tuple[str, Mapping[str, Any]]], device: str = 'cpu') -> dict[str, Extractor]:
    """Build the extractor of each modality."""
    return {modality: build_extractor(spec, modality, options, device) for modality, (spec, options) in specs.items()}


def _start(specs: Mapping[str, tuple[str, Mapping[str, Any]]], out: Path, settings: Settings, device: str) -> None:
    torch.set_num_threads(1)
    _worker.update(out=out, settings=settings, extractors=build_all(specs, device))


def _extract(clip: Clip) -> Failure | None:
    return extract_clip(clip, **_worker)
