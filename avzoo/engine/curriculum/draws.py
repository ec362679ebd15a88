"""Train the draws of stage 2 side by side, each in its own process."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import get_world_size

from avzoo.config.as_data import as_plain
from avzoo.config.as_json import to_json
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.engine.gpus import check_gpus
from avzoo.engine.log import log_line
from avzoo.engine.memory import free_memory
from avzoo.engine.side_by_side import Ended, Job, run_side_by_side
from avzoo.engine.task_process import command
from avzoo.utils.errors import AvzooError, ConfigError


@dataclass(frozen=True)
class Together:
    """How many draws are trained at the same time, and on which GPUs.

    Raises:
        ConfigError: If there are no jobs, the run has several processes, or a GPU is not there.
    """

    jobs: int = 1
    gpus: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigError(f'jobs={self.jobs}: at least one draw must be trained at a time. Set jobs to 1 or more.')
        if (self.jobs > 1 or self.gpus) and get_world_size() > 1:
            raise ConfigError(
                'Draws are trained side by side only in a run of one process. Omit --launcher, or --jobs and --gpus.'
            )
        check_gpus(self.gpus)

    def among(self, phases: Sequence[Phase]) -> list[Phase]:
        """Return which of the given phases are trained in their own processes."""
        draws = [phase for phase in phases if phase.draw is not None]
        return draws if self.gpus or min(self.jobs, len(draws)) > 1 else []


def train_draws(
    runs: Mapping[Phase, Config],
    cfg: Config,
    phases: Sequence[Phase],
    state: CurriculumState,
    finish: Callable[[Phase, dict], object],
    together: Together,
) -> None:
    """Train draws side by side; one that fails does not stop the others.

    Args:
        runs: The phases to train, and the config of each.
        cfg: The config of the curriculum.
        phases: All phases of its run.
        state: What it has decided so far.
        finish: Called with each finished phase and what it decided.
        together: How many to train at once, and where.

    Raises:
        AvzooError: If draws failed; names them and their errors.
    """
    left, errors = {phase.name: phase for phase in runs}, dict[str, str]()

    def hear(job: Job, line: str) -> None:
        kind, what = json.loads(line)
        if kind == 'done':
            finish(left.pop(job.name), what)
        elif kind == 'error':
            errors[job.name] = what
        else:
            log_line(what)

    free_memory()  # From here on this process only waits.
    ended = run_side_by_side(
        [_job(phase, run, cfg, phases, state, together) for phase, run in runs.items()],
        at_once=together.jobs,
        gpus=together.gpus,
        on_start=lambda job, gpu: log_line(f'{job.name}: started' + (f' on GPU {gpu}' if gpu else '')),
        on_line=hear,
    )
    if left:
        raise AvzooError(
            f'{", ".join(left)} failed. Finished draws are kept. Repeat the command with --resume, without a path, '
            'to continue.',
            details=[_failure(end, errors) for end in ended if end.job.name in left],
        )


def _job(
    phase: Phase, run: Config, cfg: Config, phases: Sequence[Phase], state: CurriculumState, together: Together
) -> Job:
    task = dict(
        phase=phase.name,
        run=as_plain(run),
        cfg=as_plain(cfg),
        text=cfg.text,
        filename=cfg.filename,
        phases=[one.name for one in phases],
        outcomes=state.phases,
        chosen=[one['chosen'] for one in state.choices],
        store_sha256=state.store_sha256,
        **vars(together),
    )
    program = command('avzoo.engine.curriculum.draw_process')
    return Job(phase.name, program, Path(run.work_dir) / 'output.log', to_json(task))


def _failure(end: Ended, errors: Mapping[str, str]) -> str:
    said = errors.get(end.job.name, f'it ended with {end.how} before it could report why.')
    return f'{end.job.name}: {said} Its output is in {end.job.log}.'
