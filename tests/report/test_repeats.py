"""Runs whose seeds change nothing are named."""

import json

import pytest

from tests.report.conftest import run_tool_file, write_run


def change_last_digit(folder):
    results = json.loads((folder / 'results.json').read_text())
    results['draws'][0]['HM'] += 1e-12
    (folder / 'results.json').write_text(json.dumps(results))


@pytest.mark.parametrize('tool', ['leaderboard.py', 'report.py'])
def test_runs_whose_seeds_change_nothing_are_named(tool, tmp_path, caplog):
    runs = [write_run(tmp_path / f'seed{seed}', seed=seed) for seed in (1, 2, 3)]
    runs.append(write_run(tmp_path / 'other', seed=4, depth=3))
    change_last_digit(runs[2])
    assert run_tool_file(tool, *runs, '-o', tmp_path / 'page.md') == 0
    (told,) = caplog.messages
    assert told.startswith(f'{runs[0]}, {runs[1]}: ') and 'seeds 1, 2 are identical' in told
    assert 'one run, not 2' in told and 'splits.py --seed' in told


@pytest.mark.parametrize('tool', ['leaderboard.py', 'report.py'])
def test_runs_that_differ_are_not_warned_of(tool, tmp_path, caplog):
    runs = [write_run(tmp_path / f'seed{seed}', seed=seed) for seed in (1, 2)]
    change_last_digit(runs[1])
    runs.append(write_run(tmp_path / 'again', seed=1))  # A copy is no repeat with another seed.
    assert run_tool_file(tool, *runs, '-o', tmp_path / 'page.md') == 0
    assert caplog.messages == []
