"""Choose the settings that a config leaves to validation, before the curriculum proper."""

import shutil
from collections.abc import Callable
from pathlib import Path

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.config.choices import Alternative, choices_of, describe, with_alternatives
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.log import log_line

Trial = Callable[[Config, Path], float]
_FOLDER = 'choices'


def choose(cfg: Config, work_dir: Path, made: list[dict], trial: Trial, save: Callable[[], None]) -> Config:
    """Make the choices of a config one after the other, each with those before it made.

    Args:
        cfg: The config of the curriculum.
        work_dir: Its folder; trials run below it and leave nothing but the log.
        made: The choices made so far, dicts of ``chosen`` and ``scores``; it grows.
        trial: Runs stage 1 of a config in a folder and returns the validation metric to choose by.
        save: Called after each choice.

    Returns:
        The config with what was chosen.
    """
    choices = choices_of(cfg)
    for i, choice in enumerate(choices[len(made) :], len(made)):
        sofar = with_alternatives(cfg, [one['chosen'] for one in made])
        alternatives = _different(cfg, choice)
        scores: list[float | None] = []
        for j, alternative in enumerate(alternatives):
            folder = work_dir / _FOLDER / f'{i}_{j}'
            score = trial(with_alternatives(sofar, [alternative]), folder) if len(alternatives) > 1 else None
            scores.append(score)
            if score is not None:
                log_line(
                    f'choice {i + 1}/{len(choices)}  {describe(alternative)}: validation {cfg.curriculum.choose_by} '
                    f'{score:.2f}'
                )
        # The first of equal ones; rounded, so that those that are equal but for the order of summation stay equal.
        best = max(range(len(scores)), key=lambda j: round(scores[j] or 0.0, 9))
        made.append(
            dict(
                chosen=dict(alternatives[best]),
                scores=[dict(alternative=dict(a), score=s) for a, s in zip(alternatives, scores, strict=True)],
            )
        )
        dist.barrier()
        if dist.is_main_process():
            save()
            shutil.rmtree(work_dir / _FOLDER, ignore_errors=True)
        dist.barrier()
    return with_alternatives(cfg, [one['chosen'] for one in made])


def _different(cfg: Config, choice: list[Alternative]) -> list[Alternative]:
    """Leave out time bins where every video has one step, which they would only repeat."""
    store = FeatureStore(cfg.data_root)
    if any(int(store.lengths[m].max(initial=1)) > 1 for m in cfg.model.encoders):
        return choice
    return [one for one in choice if (one.get('data_preprocessor.time_bins') or 1) == 1] or choice[:1]
