"""The results of a curriculum's tests, as stored in results.json."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.store_files import read_meta
from avzoo.engine.curriculum.plan import Phase, chosen_gamma, phase_config
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.history import FILE_NAME, read_history
from avzoo.engine.provenance import provenance
from avzoo.evaluation.functional import aggregate_draws
from avzoo.evaluation.report import interval_line, paired_text, results_rows, results_table
from avzoo.registry import MODELS
from avzoo.utils.regular_files import read_kept


def results_of(cfg: Config, state: CurriculumState, draws: Sequence[int]) -> dict[str, Any]:
    """Return the results of tested draws, without references.

    Args:
        cfg: The config of the curriculum.
        state: The state of the run.
        draws: The draws.
    """
    tests = {draw: state.tests[str(draw)] for draw in draws}
    rows = [dict({k: v for k, v in test.items() if k != 'per_class_recall'}, draw=draw) for draw, test in tests.items()]
    return dict(
        method=cfg.method,
        dataset=FeatureStore(cfg.data_root).name,
        num_shots=cfg.num_shots,
        seed=cfg.randomness.seed,
        gamma=chosen_gamma(cfg, state.phases),
        gamma_source=_gamma_source(cfg, state, rows),
        choices=state.choices,
        draws=rows,
        aggregate=aggregate_draws(rows),
        references={},
        paired=None,
        per_class_recall=_mean_recall(list(tests.values())),
    )


def results_text(results: dict[str, Any], work_dir: Path) -> str:
    """Return the results as shown on the screen, and where they were written."""
    return (
        f'{results["method"]} on {results["dataset"]}, {results["num_shots"]}-shot, per cent\n'
        f'{results_table(results_rows(results))}\n{interval_line(results["aggregate"])}\n'
        f'{paired_text(results["paired"])}'
        f'Written to {work_dir / "results.json"} and results.md'
    )


def provenance_of(cfg: Config, state: CurriculumState, started: datetime) -> dict[str, Any]:
    """Return the provenance of results that this process has computed, see :func:`provenance`.

    ``training_seconds`` is the total of all phases, some of which earlier commands may have trained; trials of
    ``curriculum.choices`` count if they are kept as stage 1. ``parameters`` is the number of the model's parameters
    without buffers.
    """
    store = read_meta(Path(cfg.data_root))
    found = provenance(started=started, settings=state.settings, store=store, sha256=state.store_sha256)
    seconds = sum(_seconds(state.path.parent / name) for name in state.phases)
    return dict(found, training_seconds=round(seconds, 3), parameters=_count_parameters(cfg, state))


def _count_parameters(cfg: Config, state: CurriculumState) -> int:
    run = phase_config(cfg, Phase(2, 'full', 0), state.phases, state.path.parent)
    with torch.random.fork_rng():
        model = MODELS.build(run.model)
    return sum(weight.numel() for weight in model.parameters())


def kept_provenance(work_dir: Path) -> dict[str, Any] | None:
    """Return the provenance in a folder's ``results.json``; ``None`` if there is none."""
    found = read_kept(work_dir / 'results.json').get('provenance')
    return found if isinstance(found, dict) else None


def _seconds(folder: Path) -> float:
    """Return how long the epochs of a phase took, as far as its history records it."""
    times = [line.get('seconds') for line in read_history(folder / FILE_NAME) if line['kind'] == 'epoch']
    return sum(time for time in times if isinstance(time, int | float))


def _gamma_source(cfg: Config, state: CurriculumState, draws: list[dict]) -> str:
    if not cfg.curriculum.validate:
        return 'not calibrated: there was no validation'
    if any(d['gamma'] != chosen_gamma(cfg, state.phases) for d in draws):
        return 'searched on the test set, as the released code does where validation chose 0'
    return 'chosen on validation'


def _mean_recall(tests: list[dict]) -> dict[str, float]:
    names = dict.fromkeys(name for test in tests for name in test['per_class_recall'])
    values = {n: [t['per_class_recall'][n] for t in tests if n in t['per_class_recall']] for n in names}
    return {name: sum(v) / len(v) for name, v in values.items()}
