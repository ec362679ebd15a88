"""A run on a GPU that was stopped goes on bit for bit, with deterministic algorithms, also as CUDA graphs."""

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.hooks import PhaseHook
from tests.conftest import without_provenance

PHASES = ('stage1_base', 'stage1_full', 'stage2_full_draw1')


class Stopped(Exception):
    """Stands for the power cut."""


def stop_in(monkeypatch, phase: str) -> None:
    """Stop in the second epoch of a phase."""

    def stop(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.meta['phase'] == phase and runner.epoch == 1 and batch_idx == 1:
            raise Stopped

    monkeypatch.setattr(PhaseHook, 'before_train_iter', stop)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
@pytest.mark.parametrize('graphs', [False, True], ids=['plain', 'graphs'])
def test_a_resumed_run_on_a_gpu_equals_an_undisturbed_one_bit_for_bit(graphs, small_avdiff, tmp_path, deterministic):
    options = 'randomness.deterministic=True', f'default_hooks.graphs.enabled={graphs}'
    devices = [f'{name}_dataloader.dataset.device=cuda' for name in ('train', 'val', 'test')]
    expected = CurriculumRunner(small_avdiff(tmp_path / 'undisturbed', *options, *devices)).train()
    cfg = small_avdiff(tmp_path / 'stopped', *options, *devices)
    for i, phase in enumerate(PHASES):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            stop_in(patch, phase)
            CurriculumRunner(cfg, resume=i > 0).train()
    results = CurriculumRunner(cfg, resume=True).train()
    assert without_provenance(results) == without_provenance(expected)
    for name in ('stage1_full/best.pth', 'stage2_full_draw0/last.pth', 'stage2_full_draw1/last.pth'):
        found, wanted = (load_checkpoint(tmp_path / run / name)['state_dict'] for run in ('stopped', 'undisturbed'))
        assert found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in found)
