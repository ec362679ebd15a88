"""Runs side by side: one process each, with its own log and GPU; none outlives the tool."""

import os
import signal
import subprocess
import sys
import time

import pytest

from avzoo.engine import gpus
from avzoo.engine.gpus import check_gpus
from avzoo.engine.side_by_side import Job, run_side_by_side
from avzoo.reproduction import gpu_ids, run_together
from avzoo.utils.errors import ConfigError
from tests.conftest import REPO


def python(code, name, folder):
    return Job(name, [sys.executable, '-c', code], folder / 'logs' / f'{name}.log')


def test_a_job_that_fails_does_not_stop_the_others_and_each_has_its_log(tmp_path):
    jobs = [python('print("one")', 'a', tmp_path), python('print("two"); raise SystemExit(5)', 'b', tmp_path)]
    ended = run_side_by_side([*jobs, python('print("three")', 'c', tmp_path)], at_once=1)
    assert [(one.job.name, one.code) for one in ended] == [('a', 0), ('b', 5), ('c', 0)]
    assert [(tmp_path / 'logs' / f'{name}.log').read_text() for name in 'abc'] == ['one\n', 'two\n', 'three\n']
    assert 'b: failed with exit code 5' in str(ended[1]) and 'b.log' in str(ended[1])


def test_jobs_run_at_once_and_no_more_than_asked(tmp_path):
    code = f"""
import os, pathlib, time
folder = pathlib.Path({str(tmp_path)!r}); mine = folder / f'{{os.getpid()}}.running'
mine.touch(); most, end = 0, time.monotonic() + 30
while time.monotonic() < end and not (folder / 'met').exists():
    most = max(most, len(list(folder.glob('*.running'))))
    if most == 2:
        time.sleep(0.5); (folder / 'met').touch()
print(most); mine.unlink()
"""
    ended = run_side_by_side([python(code, name, tmp_path) for name in 'abc'], at_once=2)
    assert [one.code for one in ended] == [0, 0, 0] and (tmp_path / 'met').exists()
    assert {(tmp_path / 'logs' / f'{name}.log').read_text() for name in 'ab'} <= {'2\n', '0\n', '1\n'}


def test_each_process_sees_one_gpu_and_its_share_of_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: range(12), raising=False)
    code = 'import os; print(os.environ["CUDA_VISIBLE_DEVICES"], os.environ["OMP_NUM_THREADS"])'
    ended = run_side_by_side([python(code, name, tmp_path) for name in 'abc'], at_once=3, gpus=['4', '6'])
    found = {one.job.name: one.job.log.read_text().split() for one in ended}
    assert found == dict(a=['4', '4'], b=['6', '4'], c=['4', '4'])


def test_what_the_user_set_for_threads_stays(tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '7')
    code = 'import os; print(os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES"))'
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    (ended,) = run_side_by_side([python(code, 'a', tmp_path)], at_once=2)
    assert ended.job.log.read_text().split() == ['7', 'None']


# It imports one file of the package, not all that the package does.
PARENT = """
import sys, types
from pathlib import Path
package = sys.modules['avzoo.engine'] = types.ModuleType('avzoo.engine')
package.__path__ = ['avzoo/engine']
from avzoo.engine.side_by_side import Job, run_side_by_side
from avzoo.utils.cli import run_tool
code = 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'
jobs = [Job(name, [sys.executable, '-c', code], Path(sys.argv[1]) / name) for name in ('a', 'b')]
sys.exit(run_tool(lambda argv: len(run_side_by_side(jobs, at_once=2))))
"""


def wait_for(parent, logs, ending=''):
    """Wait until each job of a parent has written a line with this ending."""
    deadline = time.monotonic() + 120
    while not all(log.exists() and log.read_text().endswith(f'{ending}\n') for log in logs):
        assert parent.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)


def test_more_processes_than_jobs_leave_no_core_idle(tmp_path, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: range(12), raising=False)
    code = 'import os; print(os.environ["OMP_NUM_THREADS"])'
    ended = run_side_by_side([python(code, name, tmp_path) for name in 'ab'], at_once=10**12)
    assert [one.job.log.read_text().split() for one in ended] == [['6'], ['6']]
    assert run_side_by_side([], at_once=3) == []


@pytest.mark.parametrize(('number', 'told'), [(15, 'SIGTERM after'), (9, 'SIGKILL, perhaps'), (40, 'signal 40 after')])
def test_a_killed_job_is_told_by_its_signal(tmp_path, number, told):
    code = f'import os; os.kill(os.getpid(), {number})'
    (ended,) = run_side_by_side([python(code, 'a', tmp_path)], at_once=1)
    assert f'a: failed with {told}' in str(ended)


@pytest.mark.skipif(os.name == 'nt', reason='signals of POSIX')
def test_a_second_interruption_kills_processes_that_will_not_end(tmp_path):
    stubborn = PARENT.replace("code = 'import", "code = 'import signal; signal.signal(15, signal.SIG_IGN); import")
    parent = subprocess.Popen([sys.executable, '-c', stubborn, str(tmp_path)], cwd=REPO)
    logs = [tmp_path / name for name in 'ab']
    wait_for(parent, logs)
    parent.send_signal(signal.SIGTERM)
    time.sleep(1)
    begin = time.monotonic()
    parent.send_signal(signal.SIGINT)
    parent.wait(60)
    assert time.monotonic() - begin < 15  # Not the 20 seconds that a single one leaves them.
    for log in logs:
        with pytest.raises(ProcessLookupError):
            os.kill(int(log.read_text()), 0)


@pytest.mark.skipif(os.name == 'nt', reason='signals of POSIX')
@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_processes_end_with_the_tool(tmp_path, number, code):
    parent = subprocess.Popen([sys.executable, '-c', PARENT, str(tmp_path)], cwd=REPO)
    logs = [tmp_path / name for name in 'ab']
    wait_for(parent, logs)
    parent.send_signal(number)
    assert parent.wait(60) == code
    for log in logs:
        with pytest.raises(ProcessLookupError):
            os.kill(int(log.read_text()), 0)


@pytest.mark.parametrize(
    'text, ids',
    [('0-3', ['0', '1', '2', '3']), ('0, 2', ['0', '2']), ('1,4-5', ['1', '4', '5']), ('GPU-8f', ['GPU-8f'])],
)
def test_gpus_are_read(text, ids):
    assert gpu_ids(text) == ids


@pytest.mark.parametrize('text', ['', '3-1', '0-', '0-x', '1,1', '0-2,1', '1,01', 'a', '-1', '0,', '0-99999999999'])
def test_what_names_no_gpus_is_refused(text):
    with pytest.raises(ConfigError, match='--gpus'):
        gpu_ids(text)


@pytest.mark.parametrize(
    'visible, ids, there',
    [
        (None, ['2'], '0, 1'),
        ('4,6', ['4', '5'], '4, 6'),
        ('', ['0'], 'none'),
        ('', ['GPU-8f'], 'none'),
        ('4,6', ['4', '6'], None),
    ],
)
def test_a_gpu_that_is_not_there_is_refused_before_a_run_trains_on_the_cpu(visible, ids, there, monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0 if visible == '' else 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if visible is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    if there is None:
        check_gpus(ids)
        assert not run_together([], 'logs', jobs=2, gpus=ids)
    else:
        with pytest.raises(ConfigError, match=f'there is no GPU {ids[-1]} here; available: {there}'):
            run_together([], 'logs', jobs=2, gpus=ids)


def test_numbers_are_not_believed_where_no_gpu_works(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    with pytest.raises(ConfigError, match='there is no GPU 0 here; available: none'):
        check_gpus(['0'])


def test_a_wrong_name_of_a_gpu_is_refused_before_anything_is_started(monkeypatch, tmp_path):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    (tmp_path / 'torch.py').write_text('print(1); raise SystemExit')  # Not what is asked.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r'there is no GPU GPU-wrong here\. nvidia-smi -L'):
        run_together([], 'logs', jobs=1, gpus=['GPU-wrong'])


def test_a_name_by_which_a_process_sees_a_gpu_is_accepted(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
    monkeypatch.setattr(gpus, '_counts_seen_with', lambda names: [1] * len(names))
    check_gpus(['GPU-8f', 'MIG-1'])


def test_a_job_reads_its_task_and_its_whole_lines_are_heard_before_its_end(tmp_path):
    code = 'import sys; task = input(); print(task, 1); print("noise", file=sys.stderr); print(task, "2\\ncut", end="")'
    jobs = [Job(name, [sys.executable, '-c', code], tmp_path / name, f'task {name}') for name in 'ab']
    heard = []
    run_side_by_side(
        jobs,
        at_once=1,
        on_line=lambda job, line: heard.append((job.name, line)),
        on_end=lambda end: heard.append((end.job.name, end.code)),
    )
    assert heard == [(name, what) for name in 'ab' for what in (f'task {name} 1', f'task {name} 2', 0)]
    assert [(tmp_path / name).read_text() for name in 'ab'] == ['noise\n', 'noise\n']


def test_a_job_that_ends_without_reading_its_task_is_told_by_its_code(tmp_path):
    job = Job('a', [sys.executable, '-c', 'raise SystemExit(3)'], tmp_path / 'a', 'x' * 10**6)
    (ended,) = run_side_by_side([job], at_once=1)
    assert ended.code == 3


def test_the_input_of_a_job_ends_when_its_parent_is_killed(tmp_path):
    code = 'import sys; input(); print("begun", flush=True); sys.stdin.read(); print("alone", flush=True)'
    parent = PARENT.replace(PARENT[PARENT.index("code = '") :].partition('\n')[0], f'code = {code!r}')
    parent = parent.replace('/ name)', '/ name, "task")')
    process = subprocess.Popen([sys.executable, '-c', parent, str(tmp_path)], cwd=REPO)
    wait_for(process, [tmp_path / name for name in 'ab'], 'begun')
    process.kill()
    process.wait(60)
    deadline = time.monotonic() + 60
    while not all((tmp_path / name).read_text().endswith('alone\n') for name in 'ab'):
        assert time.monotonic() < deadline
        time.sleep(0.1)
