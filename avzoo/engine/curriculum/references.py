"""The plain references beside the results of a curriculum."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.datasets.feature_store import FeatureStore
from avzoo.evaluation.linear_references import evaluate_references
from avzoo.utils.files import atomic_write_text


def keep_references(work_dir: Path, store: FeatureStore, cfg: Config, draws: Sequence[int]) -> dict[str, Any]:
    """Evaluate the plain references once; they stay in ``references.json`` of the work directory."""
    path = work_dir / 'references.json'
    methods = list(cfg.curriculum.references)
    key = dict(methods=methods, draws=list(draws))
    if not methods:
        return {}
    kept = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
    dist.barrier()  # Nobody writes before all have looked.
    if kept.get('key') != key:
        if dist.is_main_process():
            found = evaluate_references(
                store, cfg.num_shots, draws=draws, methods=methods, modalities=tuple(cfg.model.encoders)
            )
            atomic_write_text(path, json.dumps(dict(key=key, references=found), indent=2) + '\n')
        dist.barrier()
        kept = json.loads(path.read_text(encoding='utf-8'))
    return kept['references']
