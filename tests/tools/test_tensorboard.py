"""Scalars for TensorBoard, where they are asked for."""

import pytest

from avzoo.engine import CurriculumRunner

BACKEND = "visualizer.vis_backends=[{'type': 'TensorboardVisBackend'}]"
OFTEN = ('default_hooks.runtime_info.interval=2', 'default_hooks.logger.interval=2')


@pytest.mark.parametrize(('options', 'wanted'), [((BACKEND,), True), ((), False)])
def test_event_files_lie_in_the_folder_of_each_phase_if_asked_for(small_avdiff, tmp_path, options, wanted):
    pytest.importorskip('tensorboard')
    cfg = small_avdiff(tmp_path / 'w', 'curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1', *OFTEN, *options)
    CurriculumRunner(cfg, stage=1).train()
    found = {path.relative_to(tmp_path / 'w').parts[0] for path in (tmp_path / 'w').rglob('events.out.tfevents*')}
    assert found == ({'stage1_base', 'stage1_full'} if wanted else set())
    if wanted:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        path = next((tmp_path / 'w' / 'stage1_full').rglob('events.out.tfevents*'))
        found = set(EventAccumulator(str(path)).Reload().Tags()['scalars'])
        assert {'HM', 'B', 'N', 'FSL', 'lr'} <= found
        assert {'loss', 'loss_ce', 'loss_diffusion', 'loss_synthetic'} <= found
