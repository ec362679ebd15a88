"""Choose one released run, and one checkpoint in it, among those that were found."""

import re
from collections.abc import Sequence

from avzoo.avdiff_release.runs import ReleasedFile, ReleasedRun
from avzoo.avdiff_release.settings import check_settings
from avzoo.avdiff_release.tensors import shown
from avzoo.utils.errors import CheckpointError


def choose_run(runs: Sequence[ReleasedRun], dataset: str | None, shots: int | None, stage: int | None) -> ReleasedRun:
    """Return the one run that has these facts, or whose settings leave them open.

    Raises:
        CheckpointError: If none or several have; says what tells them apart.
    """
    if len(runs) == 1 and not runs[0].args:
        return runs[0]
    wanted: dict[str, str | int | None] = dict(dataset=dataset, shots=shots, stage=stage)
    unreadable = [run.problem for run in runs if run.problem]
    runs = [run for run in runs if not run.problem]
    fitting = [run for run in runs if all(v in (None, getattr(run, k)) for k, v in wanted.items())] or [
        run for run in runs if all(v is None or run.may_be(k, v) for k, v in wanted.items())
    ]
    if len(fitting) == 1:
        return fitting[0]
    raise CheckpointError(_choice_problem(wanted, fitting, runs, unreadable))


def _choice_problem(
    wanted: dict[str, str | int | None],
    fitting: Sequence[ReleasedRun],
    runs: Sequence[ReleasedRun],
    unreadable: Sequence[str],
) -> str:
    asked = ', '.join(f'{k} {v}' for k, v in wanted.items() if v is not None) or 'nothing in particular'
    found = '; '.join(str(run) for run in (fitting or runs)[:6]) + ('; ...' if len(fitting or runs) > 6 else '')
    problem = 'several runs fit' if fitting else 'no run fits'
    if unreadable and not fitting:
        problem = f'{unreadable[0].rstrip(".")}. Of the runs whose settings can be read, {problem}'
    apart = [f'--{key}' for key in wanted if len({getattr(run, key) for run in fitting or runs}) > 1]
    if apart:
        hint = f'Choose with {" and ".join(apart)}.'
    elif fitting:
        hint = 'They differ in none of these options: name the (unpacked) folder of one.'
    else:
        hint = 'Leave out the option that does not fit, or name another SRC.'
    return f'{problem} (asked for: {asked}): {found}. {hint}'


def complete_facts(run: ReleasedRun, dataset: str | None, shots: int | None, stage: int | None) -> tuple[str, int, int]:
    """Return data set, K and stage of a run: as its settings say, else as asked.

    Raises:
        CheckpointError: If one is unknown, or its settings are not those of AV-DIFF.
    """
    if run.args:
        check_settings(run.args, run.name)
    dataset, shots, stage = run.dataset or dataset, run.shots or shots, run.stage or stage
    if dataset is not None and shots is not None and stage is not None:
        return dataset, shots, stage
    facts = dict(dataset=dataset, shots=shots, stage=stage)
    missing = ' and '.join(f'--{name}' for name, value in facts.items() if value is None)
    if run.args:
        raise CheckpointError(f'{run.name}: its args.yaml does not say what it was trained on; give {missing}.')
    for file in run.files.values():  # A file that is not a checkpoint at all is reported as such.
        file.load()
    raise CheckpointError(
        f'{run.name}: there is no args.yaml that says what it was trained on. Put it beside the checkpoint, or give '
        f"{missing}; the authors' best settings are then used."
    )


def choose_draw(run: ReleasedRun, stage: int, draw: int | None) -> int | None:
    """Return the draw of a checkpoint: ``None`` in stage 1, else as asked, or as its folder says."""
    if stage == 1:
        if draw is not None:
            raise CheckpointError(f'{run} belongs to stage 1, which has no draws; leave --draw out.')
        return None
    path = next(iter(run.files.values())).path if run.bare else None
    own = re.fullmatch(r'checkpoints(?:_([0-9]))?', path.parent.name) if path else None
    if own and draw not in (None, int(own[1] or 0)):
        raise CheckpointError(f'{path} belongs to draw {int(own[1] or 0)}, as its folder says, not to draw {draw}.')
    return int(own[1] or 0) if own else draw or 0


def choose_file(run: ReleasedRun, draw: int | None) -> ReleasedFile:
    """Return the checkpoint that the released code tests: the best of stage 1, the last of a draw of stage 2."""
    if run.bare:
        return next(iter(run.files.values()))
    if draw is not None:
        folder = 'checkpoints' + (f'_{draw}' if draw else '')
        epochs = {
            int(m[1]): f
            for name, f in run.files.items()
            if (m := re.fullmatch(rf'{folder}/AVDiff_score_ckpt_([0-9]{{1,6}})\.pt', name))
        }
        if epochs:
            return epochs[max(epochs)]
    if 'AVDiff_score.pt' in run.files and not draw:
        return run.files['AVDiff_score.pt']
    wanted = [] if draw is None else [f'checkpoints{f"_{draw}" if draw else ""}/AVDiff_score_ckpt_N.pt']
    wanted += [] if draw else ['AVDiff_score.pt']
    raise CheckpointError(
        f'{run} holds no checkpoint'
        + (f' of draw {draw}' if draw is not None else '')
        + f'; its .pt files: {", ".join(map(shown, sorted(run.files)[:5])) or "none"}. Expected: '
        f'{" or ".join(wanted)}. You can also name a .pt itself; unpack it first if '
        'it is in an archive.'
    )
