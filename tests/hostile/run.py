"""Make inputs and run them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.hostile.child import Job
from tests.hostile.corpus import Input
from tests.hostile.material import Material
from tests.hostile.sandbox import Outcome, run_all

_TOGETHER = 30  # Inputs that share a child.


def run_inputs(inputs: Sequence[Input], material: Material, folder: Path) -> Iterator[tuple[Input, Outcome, str]]:
    """Yield each input with its outcome, and what is wrong with that; empty where nothing is."""
    alone = [one for one in inputs if one.alone]
    shared = [one for one in inputs if not one.alone]
    groups = [[one] for one in alone] + [shared[i : i + _TOGETHER] for i in range(0, len(shared), _TOGETHER)]
    for number, group in enumerate(groups):
        jobs = [_job(one, material, folder / f'{number}_{i}') for i, one in enumerate(group)]
        for one, outcome in zip(group, run_all(jobs), strict=True):
            wrong = '' if outcome.kind in one.expected else f'was {outcome.kind}, not {one.expected}'
            yield one, outcome, '; '.join(outcome.faults) or wrong


def _job(one: Input, material: Material, folder: Path) -> Job:
    folder.mkdir()
    call = one.make(folder, material)
    return Job(call.main, [str(argument) for argument in call.argv], folder)
