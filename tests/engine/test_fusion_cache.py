"""Features of a frozen fusion that are computed once: the numbers of computing them for each batch."""

import re

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from avzoo.checkpoints.training import load_checkpoint
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.engine.fusion_cache import Fused, FusionCacheHook, _Rows
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from tests.conftest import SMALL_GAN
from tests.engine.test_curriculum import Stopped, stop_in

ON_GPU = torch.cuda.is_available()
FROZEN = ("curriculum.full.freeze=('encoders','embedding','fusion')", 'curriculum.full.frozen_mode=eval')
SHORT = (
    *FROZEN,
    'train_dataloader.batch_sampler.num_batches=13',
    'curriculum.full.max_epochs=2',
    # Adam makes large steps of rounding: the gradient of a bias before BatchNorm is nothing else.
    "optim_wrapper.optimizer={'_delete_':True,'type':'SGD','lr':0.001}",
)


class Recorder(Hook):
    """Keeps the losses of each step, the metrics of each epoch, and which kinds of batches were served."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.losses, self.metrics, self.kinds = [], [], set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({name: float(value) for name, value in outputs.items()})
        self.kinds.add(tuple(data_batch['features']))

    def after_val_epoch(self, runner, metrics=None):
        self.metrics.append(metrics)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.kinds.add(tuple(data_batch['features']))

    def after_train(self, runner):
        self.random = torch.rand(4)


def train(cfg) -> tuple[Recorder, PhaseRunner]:
    """Train a phase by itself, from the weights that its seed gives."""
    run = phase_config(cfg, Phase(1, 'full'), {}, cfg.work_dir)
    run.load_from = None
    runner, recorder = PhaseRunner.from_cfg(run), Recorder()
    runner.register_hook(recorder)
    runner.train()
    return recorder, runner


NARROW = (
    *(f'model.encoders.{m}.{width}' for m in ('audio', 'visual') for width in ('hidden_dim=16', 'out_dim=12')),
    *(f'model.fusion.{size}' for size in ('depth=2', 'num_heads=2', 'head_dim=8', 'mlp_dim=8')),
    'model.projector.hidden_dim=16',
    'model.projector.out_dim=8',
)
METHODS = {
    'avdiff': (*NARROW, 'model.fusion.switch_after=1', 'model.generator.schedule.num_steps=5'),
    'tcaf': NARROW,
    'mbt': (*NARROW, 'model.fusion.fusion_layer=1'),
    'perceiver': (*NARROW, 'model.fusion.num_latents=4'),
    'tsl': (*SMALL_GAN, "curriculum.full.freeze=('encoders','fusion','projector')"),
}


def assert_equal_but_for_rounding(cached: list[dict[str, float]], plain: list[dict[str, float]]) -> None:
    """Kept features come of larger batches, which a GPU rounds otherwise, by about 1e-6.

    Steps multiply that: to 6e-3 for TCAF on an H100, as noise of this size does on a CPU. Metrics are left out: they
    jump by a whole video.
    """
    for step, (a, b) in enumerate(zip(cached, plain, strict=True)):
        assert a == pytest.approx(b, rel=1e-4 if step < 5 else 2e-2), step


@pytest.mark.parametrize('method', METHODS)
def test_losses_of_fifty_steps_and_metrics_are_those_of_computing_anew(method, tiny_config, tmp_path):
    options, config = (*SHORT, *METHODS[method]), f'{method}/{method}_custom_5shot.py'
    cached, _ = train(tiny_config(tmp_path / 'cached', *options, config=config))
    plain, _ = train(tiny_config(tmp_path / 'plain', *options, 'curriculum.full.fusion_cache_mib=0', config=config))
    assert len(cached.losses) == len(plain.losses) == 52
    assert {kinds[0] for kinds in cached.kinds} == {'fused'} and {kinds[0] for kinds in plain.kinds} == {'audio'}
    if ON_GPU:
        assert_equal_but_for_rounding(cached.losses, plain.losses)
    else:
        for a, b in zip(cached.losses + cached.metrics, plain.losses + plain.metrics, strict=True):
            assert a == pytest.approx(b, rel=1e-5, abs=1e-6)
    assert torch.equal(cached.random, plain.random)  # The same random numbers were drawn.


def test_a_resumed_run_repeats_an_undisturbed_one_bit_for_bit(small_avdiff, tmp_path, monkeypatch):
    options = (*FROZEN[1:], 'curriculum.base.max_epochs=1', 'curriculum.references=[]')
    CurriculumRunner(small_avdiff(tmp_path / 'once', *options)).train()
    for phase in ('stage1_full', 'stage2_full_draw1'):
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            stop_in(patch, phase)
            CurriculumRunner(small_avdiff(tmp_path / 'twice', *options), resume=True).train()
        FusionCacheHook._last = None  # As in a process of its own.
    CurriculumRunner(small_avdiff(tmp_path / 'twice', *options), resume=True).train()
    for phase in ('stage1_full', 'stage2_full_draw0', 'stage2_full_draw1'):
        one, other = (load_checkpoint(tmp_path / name / phase / 'last.pth') for name in ('once', 'twice'))
        assert one['meta']['history'] == other['meta']['history'], phase
        assert all(torch.equal(one['state_dict'][key], value) for key, value in other['state_dict'].items()), phase


def test_base_videos_are_fused_once_for_all_draws(small_avdiff, tmp_path, monkeypatch):
    fused, compute = [], AVClassifier.fused_batches

    def counted(self, data, batches):
        fused.append((data.splits, [len(batch) for batch in batches]))
        return compute(self, data, batches)

    monkeypatch.setattr(AVClassifier, 'fused_batches', counted)
    monkeypatch.setattr('avzoo.models.classifiers.fits_parts._VIDEOS_AT_ONCE', 10)
    options = (*FROZEN[1:], 'curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1', 'curriculum.references=[]')
    CurriculumRunner(small_avdiff(tmp_path, *options, 'model.generator=None', 'model.conditioner=None')).train()
    # Of two videos each phase checks the scores.
    first, second = (sizes for splits, sizes in fused if splits[0] == 'stage2_base' and sizes != [2])
    assert len(first) > 5 and second == first[-1:]  # The last batch alone has shots.


def test_what_is_fitted_is_fitted_to_kept_features_alike(tiny_config, tmp_path, monkeypatch):
    options = (
        *NARROW[:-2],
        'model.fusion.switch_after=1',
        'model.generator.steps=30',
        'model.generator.schedule.num_steps=20',
        'model.generator.sample_steps=4',
        'model.head.synthetic_per_class=5',
        'curriculum.full.max_epochs=0',
    )
    read, gather = [], GFSLDataset._features
    monkeypatch.setattr(GFSLDataset, '_features', lambda self, index: read.append(len(index)) or gather(self, index))
    config = 'avdiff/avdiff_custom_5shot_gen.py'
    cached, one = train(tiny_config(tmp_path / 'cached', *FROZEN, *options, config=config))
    once = sum(read)
    plain, other = train(
        tiny_config(tmp_path / 'plain', *FROZEN, *options, 'curriculum.full.fusion_cache_mib=0', config=config)
    )
    assert once == len(one.train_dataloader.dataset) + len(one.val_dataloader.dataset) < sum(read) - once
    # Rounding of a GPU: Adam makes steps of it, of which 30 came to 3e-4 with noise of 1e-6 on a CPU.
    tolerance = 1e-3 if ON_GPU else 0
    for found, wanted in zip(cached.metrics, plain.metrics, strict=True):
        assert found == pytest.approx(wanted, rel=tolerance, abs=0)
    states = one.plain_model.state_dict(), other.plain_model.state_dict()
    torch.testing.assert_close(*states, rtol=0, atol=tolerance)


WINDOW = "train_dataloader.dataset.window={'_delete_':True,'steps':%d,'position':'random','long_only':%s}"


@pytest.mark.parametrize(
    ('options', 'kinds', 'said'),
    [
        ((), {'fused'}, 'training videos are kept'),
        ((WINDOW % (2, True),), {'audio', 'fused'}, 'training .* windows of long videos are random'),
        ((WINDOW % (2, False),), {'audio', 'fused'}, 'training .* windows of long videos are random'),
        ((WINDOW % (4, False),), {'fused'}, 'training videos are kept'),
        (("curriculum.full.freeze=('fusion',)",), {'audio'}, 'encoders is not frozen'),
        (('curriculum.full.fusion_cache_mib=0.001',), {'audio'}, 'training .* fusion_cache_mib'),
        (('curriculum.full.fusion_cache_mib=0',), {'audio'}, None),
        (('curriculum.full.frozen_mode=train',), {'audio'}, None),
    ],
)
def test_features_that_are_not_constant_or_too_many_are_computed_for_each_batch(
    options, kinds, said, small_avdiff, tmp_path
):
    cfg = small_avdiff(tmp_path, *FROZEN, 'curriculum.full.max_epochs=1', *options)
    recorder, _ = train(cfg)
    assert {found[0] for found in recorder.kinds} == kinds
    log = ''.join(path.read_text() for path in tmp_path.rglob('*.log'))
    assert re.search(f'Fused features of the {said}' if said and said.startswith('training') else said or '', log)
    assert said or 'Fused features' not in log


def test_a_head_that_reads_what_the_encoders_give_gets_it(tiny_config, tmp_path):
    freeze = (*FROZEN, 'curriculum.full.max_epochs=1')
    recorder, _ = train(tiny_config(tmp_path, *freeze, config='avca/avca_custom_5shot.py'))
    assert {found[0] for found in recorder.kinds} == {'audio'}


def test_padded_readouts_never_enter_statistics_that_train(tiny_config, tmp_path):
    options = (*SMALL_GAN, "curriculum.full.freeze=('encoders','fusion')", FROZEN[1], 'curriculum.full.max_epochs=1')
    recorder, _ = train(tiny_config(tmp_path, *options, config='tsl/tsl_custom_5shot.py'))
    assert {found[0] for found in recorder.kinds} == {'audio'}


def test_loader_workers_and_mixed_precision_serve_kept_features_too(small_avdiff, tmp_path):
    options = (
        *SHORT,
        'curriculum.full.max_epochs=1',
        'train_dataloader.num_workers=1',
        'optim_wrapper.type=AutocastOptimWrapper',
    )
    cached, _ = train(small_avdiff(tmp_path / 'cached', *options))
    plain, _ = train(small_avdiff(tmp_path / 'plain', *options, 'curriculum.full.fusion_cache_mib=0'))
    assert {found[0] for found in cached.kinds} == {'fused'}
    for a, b in zip(cached.losses, plain.losses, strict=True):
        assert a == pytest.approx(b, rel=0.02)


def test_what_is_frozen_keeps_nothing_for_gradients(small_avdiff, tmp_path):
    """In the released mode, too: no sequence and no frozen weight asks for one."""
    graphs, fuse = [], AVClassifier._fuse

    def watched(self, inputs):
        fused, context = fuse(self, inputs)
        graphs.append(self.training and fused.requires_grad)
        return fused, context

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AVClassifier, '_fuse', watched)
        train(small_avdiff(tmp_path, 'curriculum.full.max_epochs=1'))
    assert graphs and not any(graphs)


def test_readouts_of_a_batch_are_those_of_its_longest_video():
    rows = _Rows(3, 1000, 'cpu')
    assert rows.put(np.array([2]), torch.ones(1, 1, 2), torch.ones(1, 1, dtype=torch.bool))
    assert rows.put(np.array([0]), torch.ones(1, 3, 2), torch.ones(1, 3, dtype=torch.bool))
    assert rows.put(np.array([1]), torch.ones(1, 2, 2), torch.ones(1, 2, dtype=torch.bool))
    shapes = {cut: Fused(rows.x, rows.mask, cut, np.arange(3))(np.array([1, 2])) for cut in (True, False)}
    assert {cut: batch['fused'].shape[1] for cut, batch in shapes.items()} == {True: 2, False: 3}
    assert shapes[True]['readout_mask'].tolist() == [[True, True], [True, False]]
    assert not _Rows(3, 1, 'cpu').put(np.array([0]), torch.ones(1, 2), None)
