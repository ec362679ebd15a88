"""Draws side by side: the numbers of one after the other, and nothing lost where one fails or the run is stopped."""

import json
import os
import re
import shutil
import sys
import weakref
from pathlib import Path

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.config.as_json import from_json
from avzoo.datasets import gfsl_dataset
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum import draws
from avzoo.engine.curriculum.draw_process import train_draw
from avzoo.engine.curriculum.draws import Together
from avzoo.engine.curriculum.plan import plan_phases
from avzoo.engine.curriculum.progress import Progress
from avzoo.engine.hooks import PhaseHook
from avzoo.engine.task_process import command
from avzoo.utils.errors import AvzooError, ConfigError, DataError
from tests.conftest import AVDIFF, SMALL_AVDIFF, without_provenance

FIRST, SECOND = 'stage2_full_draw0', 'stage2_full_draw1'
# What the frozen fusion gives is kept for the next draw; in processes of their own, each draw computes it.
OPTIONS = (
    *SMALL_AVDIFF,
    'curriculum.full.frozen_mode=eval',
    'curriculum.validate=False',
    'curriculum.base.max_epochs=1',
    'curriculum.full.max_epochs=2',
    'curriculum.references=[]',
    'curriculum.keep_optimizer=False',
    'cpu_kernels=torch',  # Where the answer cannot be kept, each process measures whether oneDNN is faster.
)


@pytest.fixture(scope='module')
def one_by_one(tmp_path_factory, tiny_configs):
    """The folder and the results of a run without jobs, and a copy of the folder as it was in the second draw.

    In the copy the first draw is missing.
    """
    folder = tmp_path_factory.mktemp('draws')
    whole, part = folder / 'whole', folder / 'part'

    def copy_once(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.meta['phase'] == SECOND and runner.epoch == 1 and not part.exists():
            shutil.copytree(whole, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhaseHook, 'before_train_iter', copy_once)
        results = CurriculumRunner(run_config(tiny_configs, whole)).train()
    shutil.rmtree(part / FIRST)
    state = json.loads((part / 'curriculum.json').read_text())
    del state['phases'][FIRST]
    (part / 'curriculum.json').write_text(json.dumps(state))
    return whole, results, part


def run_config(tiny_configs, work_dir):
    cfg = tiny_configs(AVDIFF, OPTIONS).copy()
    cfg.work_dir = str(work_dir)
    return cfg


@pytest.fixture
def cfg(one_by_one, tiny_configs, tmp_path):
    """The config of a run with two draws left, of which one was begun."""
    shutil.copytree(one_by_one[2], tmp_path / 'run')
    return run_config(tiny_configs, tmp_path / 'run')


@pytest.fixture
def program(monkeypatch):
    """A function that sets the code of each process; it has ``phase`` and ``tell``."""
    begin = 'import json, os, sys, time\ntell = lambda *what: print(json.dumps(what), flush=True)\n'
    begin += 'phase = dict(json.loads(input())["dict"])["phase"]\n'
    return lambda code: monkeypatch.setattr(draws, 'command', lambda module: [sys.executable, '-c', begin + code])


def finished(cfg):
    return json.loads(Path(cfg.work_dir, 'curriculum.json').read_text())['phases'].keys()


def test_draws_side_by_side_give_the_bits_of_one_after_the_other_and_go_on_where_they_were(
    one_by_one, cfg, tool_server, monkeypatch
):
    # Processes that need not import everything.
    monkeypatch.setattr(draws, 'command', lambda module: [*tool_server.python, *command(module)[1:]])
    whole, expected, _ = one_by_one
    results = CurriculumRunner(cfg, resume=True, jobs=2).train()
    assert without_provenance(results) == without_provenance(expected)
    for name in (FIRST, SECOND):
        ours, theirs = (load_checkpoint(Path(folder, name, 'last.pth')) for folder in (cfg.work_dir, whole))
        assert ours['meta']['history'] == theirs['meta']['history'] and len(theirs['meta']['history']) == 2
        assert ours['state_dict'].keys() == theirs['state_dict'].keys() and 'optimizer' not in ours
        assert all(torch.equal(ours['state_dict'][key], value) for key, value in theirs['state_dict'].items())
        assert Path(cfg.work_dir, name, 'output.log').is_file()
    lines = re.findall(r'INFO - \[[45]/5\] (\S+) +epoch  (\d)/2 .* left 0:00:\d\d\n', log_of(cfg).split('started')[-1])
    assert sorted(lines) == [(FIRST, '1'), (FIRST, '2'), (SECOND, '2')]
    logs = [path.read_text() for path in Path(cfg.work_dir, FIRST).glob('*/*.log')]
    assert any('Fused features of the training videos are kept' in text for text in logs)


def log_of(cfg):
    return Path(cfg.work_dir, 'curriculum.log').read_text()


def test_a_draw_that_fails_is_named_after_the_others_are_finished(cfg, program):
    program(f"""
if phase == {FIRST!r}:
    tell('error', 'the reason'); sys.exit(2)
tell('log', 'a line'); tell('done', dict(epochs=2))
""")
    with pytest.raises(AvzooError, match='--resume') as caught:
        CurriculumRunner(cfg, resume=True, jobs=2).train()
    assert caught.value.lines[0].startswith(f'{FIRST} failed')
    (why,) = caught.value.lines[1:]
    assert f'{FIRST}: the reason' in why and str(Path(cfg.work_dir, FIRST, 'output.log')) in why
    assert SECOND in finished(cfg) and FIRST not in finished(cfg) and 'INFO - a line\n' in log_of(cfg)


def test_a_draw_that_is_killed_is_told_by_its_exit_code(cfg, program):
    program(f"tell('done', dict(epochs=2)) if phase == {FIRST!r} else os._exit(9)")
    with pytest.raises(AvzooError, match=rf'{SECOND}: it ended with exit code 9 '):
        CurriculumRunner(cfg, resume=True, jobs=2).train()


def test_an_interruption_ends_the_processes_and_keeps_what_is_finished(cfg, program, monkeypatch):
    heard = []

    def interrupted(line):
        heard.append(line)
        if len([one for one in heard if one.isdigit()]) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(draws, 'log_line', interrupted)
    program(f"""
if phase == {FIRST!r}:
    tell('done', dict(epochs=2))
tell('log', str(os.getpid())); time.sleep(600)
""")
    with pytest.raises(KeyboardInterrupt):
        CurriculumRunner(cfg, resume=True, jobs=2).train()
    for pid in (int(line) for line in heard if line.isdigit()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert FIRST in finished(cfg) and SECOND not in finished(cfg)


@pytest.fixture
def task_of(cfg, monkeypatch):
    """A function that returns what the process of the first draw is told."""

    def task(**options):
        jobs = []
        monkeypatch.setattr(draws, 'run_side_by_side', lambda given, **others: jobs.extend(given) or [])
        with pytest.raises(AvzooError, match='--resume'):
            CurriculumRunner(cfg, resume=True, **options).train()
        assert [job.name for job in jobs] == [FIRST, SECOND]
        return from_json(jobs[0].task)

    return task


def test_a_draw_imports_your_parts_and_checks_the_store_as_its_run_does(task_of, tmp_path, monkeypatch):
    (tmp_path / 'parts_of_draws.py').write_text('')
    monkeypatch.syspath_prepend(str(tmp_path))
    task = task_of(jobs=2)
    task['cfg']['custom_imports'] = dict(imports=['parts_of_draws'])
    with pytest.raises(DataError, match=r'store\.json'):
        train_draw(dict(task, store_sha256='0' * 64))
    assert 'parts_of_draws' in sys.modules


def test_a_draw_whose_gpu_is_not_there_does_not_train_on_the_cpu(task_of, monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr('avzoo.engine.gpus._counts_seen_with', lambda names: [1])  # It was there a moment ago.
    task = task_of(gpus=['GPU-unknown'])
    with pytest.raises(ConfigError, match='--gpus'):
        train_draw(task)


def test_one_draw_is_trained_here_unless_it_has_a_gpu(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    base, first, second = plan_phases((0, 1), 2)
    assert Together(2).among([base, first, second]) == [first, second]
    assert Together(2).among([base, first]) == Together(1).among([first, second]) == []
    assert Together(1, ['1']).among([base, second]) == [second]
    with pytest.raises(ConfigError, match='no GPU 2'):
        Together(1, ['2'])


@pytest.mark.parametrize('jobs', [0, -1])
def test_less_than_one_job_is_refused(jobs):
    with pytest.raises(ConfigError, match=f'jobs={jobs}:'):
        Together(jobs, [])


def test_a_process_that_waits_for_draws_does_not_hold_the_store_on_a_device(cfg, monkeypatch):
    held = weakref.ref(gfsl_dataset.held_store(FeatureStore(cfg.data_root), 'cpu'))
    assert held() is not None
    monkeypatch.setattr(draws, 'run_side_by_side', lambda given, **others: pytest.fail('held') if held() else [])
    with pytest.raises(AvzooError, match='--resume'):
        CurriculumRunner(cfg, resume=True, jobs=2).train()


def test_processes_of_one_run_train_no_draws_side_by_side(monkeypatch):
    monkeypatch.setattr(draws, 'get_world_size', lambda: 2)
    with pytest.raises(ConfigError, match='--launcher'):
        Together(2)
    assert Together(1).jobs == 1


@pytest.mark.parametrize(
    ('jobs', 'at', 'later'),
    [
        (1, 2, [3, 4, 5]),
        (1, 3, [4, 5]),
        (2, 2, [3, 5]),
        (2, 3, [5]),
        (2, 4, []),
        (3, 2, [3]),
        (3, 3, []),
        (8, 1, [2, 3]),
    ],
)
def test_the_time_left_counts_the_draws_that_wait_for_this_one(cfg, jobs, at, later):
    phases = plan_phases((0, 1, 2))
    progress = Progress(cfg, phases, {}, jobs=jobs)
    progress.begin(phases[at], 0)
    assert progress._to_come() == [phases[i] for i in later]
