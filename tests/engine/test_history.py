"""history.jsonl: what a phase measured, always of the same epochs as its last checkpoint."""

import copy
import json
import os
import shutil
from pathlib import Path

import pytest

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.history import HistoryHook, read_history
from avzoo.evaluation.report import plain
from tests.conftest import SMALL_AVDIFF
from tests.engine.test_curriculum import Stopped, stop_in

OPTIONS = (
    'default_hooks.runtime_info.interval=2',
    'curriculum.base.max_epochs=2',
    'curriculum.full.max_epochs=2',
    'train_dataloader.batch_sampler.num_batches=2',
)
PARTS = {'loss', 'loss_ce', 'loss_diffusion'}


@pytest.fixture(scope='module')
def whole(tmp_path_factory, tiny_configs):
    """The work directory of an undisturbed stage 1."""
    cfg = copy.deepcopy(tiny_configs('avdiff/avdiff_custom_5shot.py', (*SMALL_AVDIFF, *OPTIONS)))
    cfg.work_dir = str(tmp_path_factory.mktemp('whole'))
    CurriculumRunner(cfg, stage=1).train()
    return cfg.work_dir


def lines(work_dir, phase='stage1_full'):
    """Return the lines of a phase, without what differs from run to run."""
    text = Path(work_dir, phase, 'history.jsonl').read_text(encoding='utf-8')
    return [without_time(json.loads(line)) for line in text.splitlines()]


def without_time(line):
    return {key: value for key, value in line.items() if key not in ('seconds', 'memory_mb')}


def test_each_epoch_has_a_line_with_what_the_last_checkpoint_says_of_it(whole):
    for phase, steps in (('stage1_base', 2), ('stage1_full', 4)):
        history = load_checkpoint(os.path.join(whole, phase, 'last.pth'))['meta']['history']
        known = dict(kind='epoch', phase=phase)
        wanted = [dict(known, step=steps * entry['epoch'], **plain(entry)) for entry in history]
        assert [line for line in lines(whole, phase) if line['kind'] == 'epoch'] == wanted
        assert {'HM', 'AUSUC', 'lr'} | PARTS <= wanted[0].keys()


def test_each_interval_has_a_line_with_the_mean_of_each_part_of_the_loss(whole):
    found = lines(whole)
    assert [(line['epoch'], line['step'], line['kind']) for line in found] == [
        (1, 2, 'step'),
        (1, 4, 'step'),
        (1, 4, 'epoch'),
        (2, 6, 'step'),
        (2, 8, 'step'),
        (2, 8, 'epoch'),
    ]
    for part in PARTS | {'loss_synthetic'}:  # It comes with every second batch.
        assert sum(line[part] for line in found[:2]) / 2 == pytest.approx(found[2][part], rel=1e-4)


def test_lines_have_time_and_memory(whole):
    seconds = [line['seconds'] for line in read_history(os.path.join(whole, 'stage1_full', 'history.jsonl'))]
    assert 0 < seconds[0] <= seconds[1] <= seconds[2] and seconds[3] > 0
    assert all(line['memory_mb'] > 50 for line in read_history(os.path.join(whole, 'stage1_base', 'history.jsonl')))


def test_times_do_not_enter_the_checkpoints(whole):
    meta = load_checkpoint(os.path.join(whole, 'stage1_full', 'last.pth'))['meta']
    assert not {'seconds', 'memory_mb'} & {key for entry in meta['history'] for key in entry}


@pytest.fixture(scope='module')
def stopped(tmp_path_factory, tiny_configs):
    """The work directory of a stage 1 that was stopped in its full sub-stage."""
    cfg = copy.deepcopy(tiny_configs('avdiff/avdiff_custom_5shot.py', (*SMALL_AVDIFF, *OPTIONS)))
    cfg.work_dir = str(tmp_path_factory.mktemp('stopped'))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_in(patch, 'stage1_full')
        CurriculumRunner(cfg, stage=1).train()
    return cfg.work_dir


@pytest.mark.parametrize('damage', ['none', 'torn', 'lost', 'foreign', 'behind'])
def test_a_resumed_phase_has_the_history_of_an_undisturbed_one(whole, stopped, small_avdiff, tmp_path, damage):
    cfg = small_avdiff(shutil.copytree(stopped, tmp_path, dirs_exist_ok=True), *OPTIONS)
    path = tmp_path / 'stage1_full' / 'history.jsonl'
    text = path.read_text(encoding='utf-8')
    changed = dict(
        none=text,
        torn=text + text.splitlines()[0][:30],
        lost='',
        foreign='5\n[1]\n{"kind":"epoch"}\n{"kind":"epoch","phase":"other","epoch":1,"step":1}\n\0\n' + text,
        behind=text + text.replace('"epoch": 1', '"epoch": 2'),  # Of an epoch that no checkpoint has.
    )
    path.write_text(changed[damage], encoding='utf-8')
    CurriculumRunner(cfg, stage=1, resume=True).train()
    # What no checkpoint holds cannot come back: the steps of an epoch.
    assert lines(tmp_path) == lines(whole)[2 if damage == 'lost' else 0 :]


@pytest.mark.parametrize('kind', ['folder', 'pipe', 'bytes'])
def test_a_history_that_cannot_be_kept_stops_nothing(small_avdiff, tmp_path, kind):
    folder = tmp_path / 'stage1_base'
    cfg = small_avdiff(tmp_path, *OPTIONS)
    runner = CurriculumRunner(cfg, stage=1)
    folder.mkdir()
    path = folder / 'history.jsonl'
    path.mkdir() if kind == 'folder' else os.mkfifo(path) if kind == 'pipe' else path.write_bytes(b'\xff\xfe\x00')
    runner.train()
    assert (folder / 'last.pth').is_file() and (tmp_path / 'stage1_full' / 'history.jsonl').is_file()
    told = 'is not complete' in (tmp_path / 'curriculum.log').read_text()
    assert told == (kind != 'bytes') and (told or len(lines(tmp_path, 'stage1_base')) == 4)


def test_losses_are_read_from_the_device_at_the_interval_alone(small_avdiff, tmp_path, monkeypatch):
    read, since = [], HistoryHook._losses_since
    monkeypatch.setattr(HistoryHook, '_losses_since', lambda self: read.append(1) or since(self))
    CurriculumRunner(small_avdiff(tmp_path, *OPTIONS, 'default_hooks.runtime_info.interval=3'), stage=1).train()
    assert len(read) == 4 // 3 + 8 // 3
    assert not any(line['kind'] == 'step' and line['step'] % 3 for line in lines(tmp_path))
