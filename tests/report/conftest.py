"""A finished run, written by hand: what each file holds is known."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from avzoo.checkpoints.training import TRAINING_FORMAT, save_checkpoint
from avzoo.evaluation.functional import aggregate_draws, gfsl_metrics, per_class_recall
from avzoo.evaluation.paired import PAIRED_METRICS, bootstrap_difference, paired_difference
from avzoo.evaluation.predictions import write_arrays
from avzoo.evaluation.report import write_results
from tests.conftest import REPO

CLASSES = ['playing piano', '<script>alert(1)</script>', 'dog, barking', 'rain']
BASE = np.array([True, True, False, False])


def predictions(seed: int, skill: float) -> dict[str, np.ndarray]:
    """Forty videos of four classes; the score of the right class is ``skill`` higher."""
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 4
    scores = rng.normal(size=(40, 4)).astype(np.float32)
    scores[np.arange(40), labels] += skill
    return dict(
        video_id=np.array([f'video{i:02}' for i in range(40)]),
        label=labels,
        scores=scores,
        classes=np.array(CLASSES),
        base_mask=BASE,
        gamma=np.float64(0.1),
    )


def metrics_of(one: dict[str, np.ndarray], draw: int) -> dict[str, float]:
    return dict(gfsl_metrics(one['scores'], one['label'], BASE, gamma=0.1), draw=draw)


def write_run(folder: Path, *, method: str = 'AV-DIFF', skill: float = 2.0, depth: int = 2, **changes) -> Path:
    """Write a run of three draws with a plain reference; ``changes`` go into its results."""
    draws = [predictions(seed, skill) for seed in range(3)]
    reference = [predictions(seed + 10, 0.5) for seed in range(3)]
    rows, plain = ([metrics_of(one, draw) for draw, one in enumerate(them)] for them in (draws, reference))
    check = dict(
        loss_true=0.4,
        loss_shuffled=0.5,
        mean_distance=1.0,
        shot_mean_distance=2.0,
        synthetic_accuracy=90.0,
        chance=50.0,
    )
    for row in rows:
        row['generator_check'] = dict(check, learned=True)
    recall = np.mean([per_class_recall(one['scores'], one['label'], 4) for one in draws], axis=0)
    paired = dict(
        against='logistic_regression',
        draws={metric: paired_difference(rows, plain, metric) for metric in PAIRED_METRICS},
        bootstrap=bootstrap_difference(draws, reference, num_resamples=20),
    )
    results = dict(
        method=method,
        dataset='tiny',
        num_shots=5,
        seed=0,
        gamma=0.1,
        gamma_source='chosen on validation',
        choices=[],
        draws=rows,
        aggregate=aggregate_draws(rows),
        references=dict(logistic_regression=dict(draws=plain, aggregate=aggregate_draws(plain))),
        paired=paired,
        per_class_recall=dict(zip(CLASSES, recall, strict=True)),
    )
    write_results(folder, results | changes)
    (folder / 'references').mkdir(exist_ok=True)
    phases = dict(stage1_base=dict(epochs=3, best_epoch=2, metrics=rows[0]))
    settings = dict(model=dict(depth=depth), data_root=str(folder), randomness=dict(seed=changes.get('seed', 0)))
    (folder / 'curriculum.json').write_text(json.dumps(dict(settings=settings, phases=phases), default=float))
    history = [dict(epoch=e + 1, lr=1e-3, loss=2.0 - e / 2, loss_ce=1.5 - e / 2, HM=10.0 * e) for e in range(3)]
    for name in ('stage1_base', *(f'stage2_full_draw{draw}' for draw in range(3))):
        (folder / name).mkdir()
        meta = dict(format=TRAINING_FORMAT, epoch=3, history=history)
        save_checkpoint(folder / name / 'last.pth', dict(meta=meta, state_dict=dict(weight=torch.zeros(7, depth))))
        (folder / name / 'avdiff_vgg_5shot.py').write_text('')
    for draw in range(3):
        write_arrays(folder / f'stage2_full_draw{draw}' / 'predictions.npz', draws[draw])
        write_arrays(folder / 'references' / f'logistic_regression_draw{draw}.npz', reference[draw])
    return folder


def run_tool_file(tool: str, *arguments) -> int:
    """Run a file of tools/ in this process; returns its exit code."""
    return runpy.run_path(str(REPO / 'tools' / tool))['main']([str(argument) for argument in arguments])


@pytest.fixture
def run_dir(tmp_path) -> Path:
    return write_run(tmp_path / 'first')
