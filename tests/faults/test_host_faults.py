"""Faults of the machine, made: limits, places that cannot be written to, folders that vanish. Each is one line."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import write_store
from tests.faults.harness import content_of, undisturbed
from tests.faults.test_every_event import CONFIG, TINY, case


@pytest.fixture(scope='module')
def options(tmp_path_factory):
    return ['--cfg-options', f'data_root={write_store(tmp_path_factory.mktemp("data") / "store")}', *TINY]


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    return tmp_path_factory.mktemp('host')


@pytest.fixture(scope='module')
def train(work, options):
    """A function that returns a training run in a work directory, by default ``run`` of its folder."""

    def make(work_dir='run', *more):
        argv = [CONFIG, '--work-dir', work / 'box' / work_dir, *options, *more]
        return case(work, 'train', argv, 'box', again=['--resume'])

    return make


@pytest.fixture(scope='module')
def baseline(server, train):
    """The events and the result of a run that nothing disturbs."""
    return undisturbed(server, train())


def error_of(server, one, code=2, **how):
    """Run a command that fails, and return its error, which is a line."""
    found = server_run(server, one, **how)
    text = Path(f'{one.box}.log').read_text()
    assert found['code'] == code and 'Traceback' not in text, text[-3000:]
    return text.splitlines()[-1]


def without_damaged(box):
    """Return what is left, but for the checkpoints that were given up, which are kept under another name."""
    return {name: content for name, content in content_of(box).items() if not name.endswith('.damaged')}


def server_run(server, one, **how):
    Path(f'{one.box}.log').unlink(missing_ok=True)
    return one.run(server, **how)


@pytest.mark.parametrize(
    ('limits', 'fact'),
    [(dict(FSIZE=20_000), 'ulimit -f'), (dict(NOFILE=14), 'ulimit -n'), (dict(AS=1 << 30), 'memory')],
)
def test_a_limit_of_the_system_is_named(server, train, limits, fact):
    one = train()
    one.fresh()
    line = error_of(server, one, **limits)
    assert line.startswith('error: ') and fact in line


@pytest.mark.parametrize(
    ('work_dir', 'prepare', 'fact'),
    [
        ('file', lambda box: (box / 'file').write_text(''), 'file'),
        ('file/below', lambda box: (box / 'file').write_text(''), 'file'),
        ('link', lambda box: (box / 'link').symlink_to('nowhere/at/all'), 'link'),
        ('circle', lambda box: (box / 'circle').symlink_to('circle'), 'circle'),
        ('n' * 300, lambda box: None, 'too long'),
        ('run', lambda box: (box / 'run' / '.lock').mkdir(parents=True), '.lock'),
    ],
)
def test_a_work_directory_that_cannot_be_is_refused_in_a_line_before_training(server, train, work_dir, prepare, fact):
    one = train(work_dir)
    one.fresh()
    prepare(one.box)
    before = content_of(one.box)
    line = error_of(server, one)
    assert line.startswith('error: ') and work_dir in line and fact in line
    assert content_of(one.box) == before


def test_a_work_directory_that_is_removed_meanwhile_is_named(server, train, baseline):
    one, (events, _) = train(), baseline
    number = next(i for i, event in enumerate(events, 1) if 'stage2_base/..next' in event)
    one.fresh()
    line = error_of(server, one, die_at=number, by=str(one.box / 'run'))
    assert line.startswith('error: ') and 'run/stage2_base' in line and 'removed' in line


def emptied():
    """All checkpoints of a run; an ordinary run of the tests tries one."""
    for phase in PHASES:
        for name in ('best.pth', 'last.pth') if phase.startswith('stage1') else ('last.pth',):
            ordinary = (phase, name) == ('stage1_base', 'best.pth')
            yield pytest.param(phase, name, marks=() if ordinary else pytest.mark.every_event)


PHASES = ('stage1_base', 'stage1_full', 'stage2_base', 'stage2_full_draw0')


@pytest.mark.parametrize(('phase', 'name'), list(emptied()))
def test_a_checkpoint_emptied_by_a_power_cut_costs_a_copy_or_its_phase(server, train, baseline, phase, name):
    one, (events, wanted) = train(), baseline
    # The moment after the last epoch, before anything is known to be finished.
    number = max(i for i, event in enumerate(events, 1) if f'run/{phase}/.next.pth' in event) + 2
    one.fresh()
    assert one.run(server, number)['code'] == -9
    os.truncate(one.box / 'run' / phase / name, 0)
    assert server_run(server, one, again=True)['code'] == 0, Path(f'{one.box}.log').read_text()
    assert without_damaged(one.box) == wanted


@pytest.mark.every_event
def test_a_finished_phase_whose_weights_are_lost_runs_again(server, train, baseline):
    one, (events, wanted) = train(), baseline
    one.fresh()
    assert one.run(server, next(i for i, event in enumerate(events, 1) if 'run/stage1_full' in event))['code'] == -9
    for name in ('best.pth', 'last.pth'):
        os.truncate(one.box / 'run' / 'stage1_base' / name, 0)
    assert server_run(server, one, again=True)['code'] == 0
    assert 'stage1_base runs again' in Path(f'{one.box}.log').read_text()
    assert without_damaged(one.box) == wanted


@pytest.mark.every_event
def test_a_best_checkpoint_of_an_earlier_epoch_costs_its_phase(server, train):
    one = train('run', 'curriculum.base.max_epochs=4', 'optim_wrapper.optimizer.lr=0.3')
    events, wanted = undisturbed(server, one)
    decided = json.loads((one.box / 'run' / 'curriculum.json').read_text())['phases']['stage1_base']
    assert decided['best_epoch'] < decided['epochs']
    one.fresh()
    assert one.run(server, next(i for i, event in enumerate(events, 1) if 'run/stage1_full' in event))['code'] == -9
    os.truncate(one.box / 'run' / 'stage1_base' / 'best.pth', 0)
    assert server_run(server, one, again=True)['code'] == 0, Path(f'{one.box}.log').read_text()
    assert without_damaged(one.box) == wanted
