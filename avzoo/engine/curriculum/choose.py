"""Choose the settings that a config leaves to validation, before the curriculum proper."""

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.config.choices import Alternative, choices_of, describe, with_alternatives
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.plan import Phase, plan_phases
from avzoo.engine.curriculum.progress import Place, training_steps
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.log import log_line

# Runs stage 1 of a config with these alternatives chosen, in the run's own folder; returns what each of its phases
# decided, by name.
Trial = Callable[[Config, list[Alternative], Place], dict[str, dict]]
_FOLDER = 'choices'
_STAGE_ONE = tuple(phase.name for phase in plan_phases((), 1))


def choose(
    cfg: Config, work_dir: Path, state: CurriculumState, trial: Trial, phases: Sequence[Phase] = (), jobs: int = 1
) -> Config:
    """Make the choices of a config one after the other, each with the earlier ones applied.

    Stage 1 of the last choice's best alternative becomes that of the curriculum: it is kept and not trained again. All
    other trials leave only the log.

    Args:
        cfg: The config of the curriculum.
        work_dir: Its folder.
        state: The choices and phases so far; it is written after each choice.
        trial: Runs stage 1.
        phases: All phases of the run, to estimate the time left.
        jobs: Number of draws trained side by side.

    Returns:
        The config with the chosen alternatives.
    """
    choices = [_different(cfg, choice) for choice in choices_of(cfg)]
    for i in range(len(state.choices), len(choices)):
        alternatives, tried = choices[i], _Tried([None])
        if len(alternatives) > 1:
            # After the last choice stage 1 is done, unless nothing was tried.
            after = training_steps(cfg, [p for p in phases if p.stage == 2 or len(choices[-1]) == 1], jobs)
            title = f'choice {i + 1}/{len(choices)}'
            tried = _compare(cfg, work_dir, title, _chosen(state), choices[i:], trial, after)
        kept = _STAGE_ONE if i + 1 == len(choices) and set(tried.outcomes) == set(_STAGE_ONE) else ()
        _on_main(_move, work_dir / _FOLDER, work_dir, kept)
        # Only after the folders are in place: an interruption before this line repeats the choice.
        state.phases.update({name: tried.outcomes[name] for name in kept})
        state.choices.append(
            dict(
                chosen=dict(alternatives[tried.best]),
                scores=[dict(alternative=dict(a), score=s) for a, s in zip(alternatives, tried.scores, strict=True)],
            )
        )
        _on_main(state.write)
    _on_main(_remove, work_dir, [_FOLDER])  # Even if an earlier process was killed before doing so.
    return with_alternatives(cfg, _chosen(state))


@dataclass
class _Tried:
    """The score of each alternative, the best one, and what the phases of its stage 1 decided."""

    scores: list[float | None] = field(default_factory=list)
    best: int = 0
    outcomes: dict[str, dict] = field(default_factory=dict)


def _compare(
    cfg: Config,
    work_dir: Path,
    title: str,
    chosen: list[Alternative],
    choices: Sequence[Sequence[Alternative]],
    trial: Trial,
    after: Counter[str],
) -> _Tried:
    """Try the alternatives of the first choice; the phases of the best remain in the work directory's ``choices``.

    ``after`` holds the training steps after all choices, by sub-stage.
    """
    tried, best, metric = _Tried(), -math.inf, cfg.curriculum.get('choose_by', 'AUSUC')
    alternatives = choices[0]
    to_try = [one for choice in choices if len(choice) > 1 for one in choice]  # Of this choice and later ones.
    cfgs = [with_alternatives(cfg, [*chosen, one]) for one in to_try]
    steps = [training_steps(one, plan_phases((), 1)) for one in cfgs]
    for j, alternative in enumerate(alternatives):
        _on_main(_remove, work_dir, _STAGE_ONE)
        place = Place(f'{title} alternative {j + 1}/{len(alternatives)}', sum(steps[j + 1 :], after))
        outcomes = trial(cfgs[j], [*chosen, alternative], place)
        score = float(outcomes['stage1_full']['metrics'][metric])
        log_line(f'{title}  {describe(alternative)}: validation {metric} {score:.2f}')
        tried.scores.append(score)
        # The first if tied; rounded, so that scores that differ only by the order of summation are equal.
        if round(score, 9) > best:
            best, tried.best, tried.outcomes = round(score, 9), j, outcomes
            _on_main(_move, work_dir, work_dir / _FOLDER, outcomes)
    log_line(f'{title}  validation chose {describe(alternatives[tried.best])}: {metric} {best:.2f}')
    _on_main(_remove, work_dir, _STAGE_ONE)
    return tried


def _move(source: Path, target: Path, names: Iterable[str]) -> None:
    """Move the folders of some phases, replacing existing ones."""
    target.mkdir(exist_ok=True)
    for name in names:
        shutil.rmtree(target / name, ignore_errors=True)
        (source / name).rename(target / name)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)


def _on_main(work: Callable[..., None], *arguments: Any) -> None:
    """Change files in the main process while the others wait."""
    dist.barrier()
    if dist.is_main_process():
        work(*arguments)
    dist.barrier()


def _chosen(state: CurriculumState) -> list[Alternative]:
    return [one['chosen'] for one in state.choices]


def _different(cfg: Config, choice: list[Alternative]) -> list[Alternative]:
    """Leave out time bins if every video has one step, which they would only repeat."""
    store = FeatureStore(cfg.data_root)
    if any(int(store.lengths[m].max(initial=1)) > 1 for m in cfg.model.encoders):
        return choice
    return [one for one in choice if (one.get('data_preprocessor.time_bins') or 1) == 1] or choice[:1]
