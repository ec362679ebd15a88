"""Execute the runs of a table, here or on a cluster."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from avzoo.config.options import parse_value
from avzoo.engine.gpus import check_gpus
from avzoo.engine.side_by_side import Job, run_side_by_side
from avzoo.importers.synthetic import ensure_synth
from avzoo.reproduction.plan import Run
from avzoo.utils.errors import AvzooError, ConfigError


def run_here(run: Run) -> bool:
    """Start or continue a run in its own process; return whether it succeeded."""
    return subprocess.run(run.command, check=False).returncode == 0


def run_together(
    runs: Sequence[Run],
    folder: str | os.PathLike[str],
    *,
    jobs: int,
    gpus: Sequence[str] = (),
    tell: Callable[[str], object] = print,
) -> list[Run]:
    """Start or continue runs side by side, each in its own process; return those that failed.

    Args:
        runs: The runs.
        folder: Folder for the output of each, ``NAME_seedS.log``.
        jobs: Maximum number of runs at once.
        gpus: GPUs that they share, see :func:`run_side_by_side`.
        tell: Called with a line when a run starts and when it ends.
    """
    check_gpus(gpus)
    for run in runs:  # Not by several at once.
        ensure_synth(run.load_config())
    by_name = {f'{run.name}_seed{run.seed}': run for run in runs}
    ended = run_side_by_side(
        [Job(name, run.command, Path(folder) / f'{name}.log') for name, run in by_name.items()],
        at_once=jobs,
        gpus=gpus,
        on_start=lambda job, gpu: tell(f'{job.name}: started' + (f' on GPU {gpu}' if gpu else '')),
        on_end=lambda end: tell(str(end)),
    )
    return [by_name[end.job.name] for end in ended if end.code]


def submit(
    runs: Sequence[Run], folder: str | os.PathLike[str], parameters: Mapping[str, Any], *, cluster: str = 'slurm'
) -> list[str]:
    """Submit runs as one job array; see :func:`submit_commands`."""
    return submit_commands([run.command for run in runs], folder, parameters, cluster=cluster)


def submit_commands(
    commands: Sequence[Sequence[str]],
    folder: str | os.PathLike[str],
    parameters: Mapping[str, Any],
    *,
    cluster: str = 'slurm',
) -> list[str]:
    """Submit commands as one job array.

    Args:
        commands: What to run. A job that is preempted or times out is restarted, and continues where it stopped.
        folder: Where submitit keeps scripts and logs.
        parameters: Parameters of submitit, e.g. ``dict(timeout_min=600, gpus_per_node=1, slurm_partition='gpu')``.
        cluster: Type of cluster, as submitit names it.

    Returns:
        Ids of the jobs.
    """
    try:  # An extra that is needed only on a cluster.
        import submitit
    except ImportError as error:
        raise AvzooError(
            '--launcher slurm needs submitit: pip install "avzoo[slurm]", or run locally with --launcher none.'
        ) from error
    try:
        executor = submitit.AutoExecutor(folder=str(folder), cluster=cluster)
        executor.update_parameters(**parameters)
    except (RuntimeError, NameError) as error:  # no such cluster here; an unknown parameter
        raise ConfigError(f'{error} Check that Slurm is installed here, and the --slurm options.') from error
    with executor.batch():
        jobs = [executor.submit(_Job(command)) for command in commands]
    return [job.job_id for job in jobs]


def slurm_parameters(options: Sequence[str]) -> dict[str, Any]:
    """Parse parameters of submitit written as ``KEY=VALUE``.

    Raises:
        ConfigError: If one is malformed.
    """
    parameters = {}
    for option in options:
        key, sign, text = option.partition('=')
        if not sign:
            raise ConfigError(f"--slurm expects key=value, got '{option}'.")
        parameters[key] = parse_value(text)
    return parameters


class _Job:
    """A command that may be started again at any time, as submitit runs it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)

    def __call__(self) -> None:
        subprocess.run(self.command, check=True)

    def checkpoint(self) -> Any:
        """Tell submitit what to submit when the job is preempted: the same command, which continues the run."""
        import submitit  # This runs inside a submitit job.

        return submitit.helpers.DelayedSubmission(self)
