"""The plain references reported with a curriculum's results, and the differences from the strongest of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
from mmengine.config import Config

from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.log import log_line
from avzoo.evaluation.linear_references import evaluate_references, predictions_file, strongest_reference
from avzoo.evaluation.paired import PAIRED_METRICS, bootstrap_difference, paired_difference
from avzoo.evaluation.predictions import read_predictions, write_arrays
from avzoo.utils.files import atomic_write_text
from avzoo.utils.regular_files import read_kept

_FOLDER = 'references'  # Their predictions.


def keep_predictions(work_dir: Path, draw: int, predictions: Mapping[str, np.ndarray]) -> None:
    """Store what a run predicted on the test set of a draw, in ``predictions.npz`` of the draw's folder."""
    write_arrays(_predictions_of(work_dir, draw), predictions)


def compare_with_references(
    work_dir: Path, store: FeatureStore, cfg: Config, draws: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Evaluate the plain references on the draws of a run, and compare the run with the strongest.

    Args:
        work_dir: Folder of the curriculum.
        store: Features and splits.
        cfg: The config of the whole curriculum.
        draws: The run's metrics of each draw, including ``draw``.

    Returns:
        ``references``, see :func:`evaluate_references`, and ``paired``: ``against``, the name of the reference with the
        best HM on validation; ``draws``, by metric the result of :func:`paired_difference`; and ``bootstrap``, the
        result of :func:`bootstrap_difference`, or None if an older run did not store its predictions. Without
        references ``paired`` is None.
    """
    numbers = [int(row['draw']) for row in draws]
    references = _keep_references(work_dir, store, cfg, numbers)
    against = strongest_reference(references)
    if against is None:
        return dict(references=references, paired=None)
    own = [_predictions_of(work_dir, draw) for draw in numbers]
    bootstrap = None
    if all(path.is_file() for path in own):
        theirs = [predictions_file(work_dir / _FOLDER, against, draw) for draw in numbers]
        bootstrap = bootstrap_difference(*([read_predictions(path) for path in paths] for paths in (own, theirs)))
    differences = {metric: paired_difference(draws, references[against]['draws'], metric) for metric in PAIRED_METRICS}
    return dict(references=references, paired=dict(against=against, draws=differences, bootstrap=bootstrap))


def _keep_references(work_dir: Path, store: FeatureStore, cfg: Config, draws: list[int]) -> dict[str, Any]:
    """Evaluate the plain references once; they are kept in ``references.json``, their predictions in ``references``.

    A finished run does not fail because of them: if they cannot be evaluated, the log says why, and there are none.
    """
    path = work_dir / 'references.json'
    methods = list(cfg.curriculum.references)
    key = dict(methods=methods, draws=draws)
    if not methods:
        return {}
    kept = read_kept(path)
    complete = all(predictions_file(work_dir / _FOLDER, name, draw).is_file() for name in methods for draw in draws)
    dist.barrier()  # No process writes before all have looked.
    if kept.get('key') != key or not complete:
        if dist.is_main_process():
            _evaluate(path, store, cfg, key)
        dist.barrier()
        kept = read_kept(path)
    return kept['references'] if kept.get('key') == key else {}


def _evaluate(path: Path, store: FeatureStore, cfg: Config, key: dict[str, Any]) -> None:
    """Write the references under a key, or log why there are none."""
    path.unlink(missing_ok=True)
    try:
        found = evaluate_references(
            store,
            cfg.num_shots,
            draws=key['draws'],
            methods=key['methods'],
            modalities=tuple(cfg.model.encoders),
            predictions_dir=path.parent / _FOLDER,
        )
        atomic_write_text(path, json.dumps(dict(key=key, references=found), indent=2) + '\n')
    except Exception as error:  # Whatever it is, it is not the run's fault.
        log_line(
            f'WARNING: the plain references could not be evaluated ({type(error).__name__}: {error}). The results '
            'of the run are valid without them; --resume tries again, and curriculum.references=[] omits them.'
        )


def _predictions_of(work_dir: Path, draw: int) -> Path:
    return work_dir / Phase(2, 'full', draw).name / 'predictions.npz'
