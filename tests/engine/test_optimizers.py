"""The optimizer's state stays in a checkpoint for as long as anything can need it, and no longer."""

import copy
import json
import shutil
from pathlib import Path

import pytest

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum import optimizers
from avzoo.utils.errors import CheckpointError
from tests.conftest import AVDIFF, SMALL_AVDIFF, without_provenance
from tests.engine.test_curriculum import Stopped, states_equal, stop_in

QUICK = (
    'curriculum.base.max_epochs=2',
    'curriculum.full.max_epochs=2',
    'train_dataloader.batch_sampler.num_batches=2',
    'curriculum.num_draws=2',
    'curriculum.references=[]',
    'curriculum.keep_optimizer=False',
)
CARRY = 'curriculum.full.carry_optimizer=True'


@pytest.fixture(scope='module')
def stage_one(tmp_path_factory, tiny_configs):
    """The folder of a finished stage 1."""
    cfg = copy.deepcopy(tiny_configs(AVDIFF, (*SMALL_AVDIFF, *QUICK)))
    cfg.work_dir = str(tmp_path_factory.mktemp('finished') / 'run')
    CurriculumRunner(cfg, stage=1).train()
    return Path(cfg.work_dir)


@pytest.fixture
def finished(stage_one, small_avdiff, tmp_path):
    """The config of a finished stage 1 in a folder of the test."""
    shutil.copytree(stage_one, tmp_path / 'run')
    return small_avdiff(tmp_path / 'run', *QUICK)


def with_optimizer(work_dir):
    """Return the checkpoints that hold the state of an optimizer, by phase/name."""
    paths = sorted(work_dir.glob('stage*/*.pth'))
    return {str(path.relative_to(work_dir)) for path in paths if 'optimizer' in load_checkpoint(path)}


def damage(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_a_finished_run_holds_none_unless_told_to_keep_it(small_avdiff, tmp_path):
    CurriculumRunner(small_avdiff(tmp_path, *QUICK, 'curriculum.num_draws=1')).train()
    assert with_optimizer(tmp_path) == set()
    kept = tmp_path / 'kept'
    CurriculumRunner(small_avdiff(kept, *QUICK, 'curriculum.keep_optimizer=True'), stage=1).train()
    phases = ('stage1_base', 'stage1_full')
    assert with_optimizer(kept) == {f'{phase}/{name}.pth' for phase in phases for name in ('best', 'last')}
    for phase in phases:
        one, other = (load_checkpoint(folder / phase / 'last.pth') for folder in (kept, tmp_path))
        assert states_equal(one['state_dict'], other['state_dict'])
        assert one['meta']['history'] == other['meta']['history'] and one.keys() - other.keys() == {'optimizer'}
    CurriculumRunner(small_avdiff(kept, *QUICK), stage=1, resume=True).train()  # Told otherwise later.
    assert with_optimizer(kept) == set()


def test_what_a_later_phase_begins_with_stays_until_it_cannot_run_again(small_avdiff, tmp_path, monkeypatch):
    stop_in(monkeypatch, 'stage2_full_draw1')
    cfg = small_avdiff(tmp_path, *QUICK, CARRY)
    with pytest.raises(Stopped):
        CurriculumRunner(cfg).train()
    assert with_optimizer(tmp_path) == {'stage2_base/last.pth', 'stage2_full_draw1/last.pth'}
    damage(tmp_path / 'stage2_full_draw0' / 'last.pth')  # It was not tested yet, and runs again.
    results = CurriculumRunner(cfg, resume=True).train()
    assert with_optimizer(tmp_path) == set()
    whole = CurriculumRunner(small_avdiff(tmp_path / 'whole', *QUICK, CARRY)).train()
    assert without_provenance(results) == without_provenance(whole)


def test_draws_of_another_command_find_what_they_begin_with(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, *QUICK, CARRY)
    CurriculumRunner(cfg, draws=(0,)).train()
    assert with_optimizer(tmp_path) == {'stage2_base/last.pth'}
    CurriculumRunner(cfg, draws=(1,), resume=True).train()
    assert with_optimizer(tmp_path) == set()


@pytest.mark.parametrize('name', ['best', 'last'])
def test_a_finished_phase_whose_weights_are_lost_gives_the_same_again(finished, name):
    folder = Path(finished.work_dir)
    before = load_checkpoint(folder / 'stage1_base' / 'best.pth')['state_dict']
    shutil.rmtree(folder / 'stage1_full')
    state = json.loads((folder / 'curriculum.json').read_text())
    del state['phases']['stage1_full']  # As if it were under way: it begins with the weights of stage1_base.
    (folder / 'curriculum.json').write_text(json.dumps(state))
    damage(folder / 'stage1_base' / f'{name}.pth')
    CurriculumRunner(finished, stage=1, resume=True).train()
    assert states_equal(before, load_checkpoint(folder / 'stage1_base' / 'best.pth')['state_dict'])


@pytest.mark.parametrize('after', [0, 1])
def test_a_stop_while_files_are_rewritten_is_made_up_for(small_avdiff, tmp_path, monkeypatch, after):
    left = [after]

    def stops(*args):
        if not left[0]:
            raise Stopped
        left[0] -= 1
        save(*args)

    save = optimizers.save_checkpoint
    cfg = small_avdiff(tmp_path, *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(optimizers, 'save_checkpoint', stops)
        with pytest.raises(Stopped):
            CurriculumRunner(cfg, stage=1).train()
    assert with_optimizer(tmp_path)
    CurriculumRunner(cfg, stage=1, resume=True).train()
    assert with_optimizer(tmp_path) == set()


def test_a_full_disk_costs_no_finished_phase(small_avdiff, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, 'No space left on device', str(path))

    monkeypatch.setattr(optimizers, 'save_checkpoint', full)
    CurriculumRunner(small_avdiff(tmp_path, *QUICK), stage=1).train()
    assert len(with_optimizer(tmp_path)) == 4
    assert 'keeps the state of the optimizer' in (tmp_path / 'curriculum.log').read_text()


def test_what_needs_a_dropped_state_says_so(stage_one, small_avdiff, tmp_path):
    runner = CurriculumRunner(small_avdiff(tmp_path, *QUICK), resume=stage_one / 'stage1_base' / 'last.pth')
    with pytest.raises(CheckpointError, match=r'last\.pth.*keep_optimizer=True'):
        runner.train()
