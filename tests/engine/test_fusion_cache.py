"""Features of a frozen fusion that are computed once: the numbers of computing them for each batch."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from avzoo.checkpoints.training import load_checkpoint
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.engine.fusion_cache import FusionCacheHook
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from tests.conftest import SMALL_GAN

FROZEN = ("curriculum.full.freeze=('encoders','embedding','fusion')", 'curriculum.full.frozen_mode=eval')
SHORT = (
    *FROZEN,
    'train_dataloader.batch_sampler.num_batches=13',
    'curriculum.full.max_epochs=2',
    # Adam makes large steps of rounding: the gradient of a bias before BatchNorm is nothing else.
    "optim_wrapper.optimizer={'_delete_':True,'type':'SGD','lr':0.001}",
)
GENERATOR = (
    "model.generator={'_delete_':True,'type':'FeatureDiffusion','steps':20,'sample_steps':4,'batch_size':8,"
    "'schedule':{'type':'CosineSchedule','num_steps':8},"
    "'noise_predictor':{'type':'EmbeddedPredictor','hidden_dim':8}}"
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


def train(cfg, phase=Phase(1, 'full')) -> tuple[Recorder, PhaseRunner]:
    """Train a phase by itself, from the weights that its seed gives."""
    run = phase_config(cfg, phase, {}, cfg.work_dir)
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


@pytest.mark.parametrize('method', METHODS)
def test_losses_of_fifty_steps_and_metrics_are_those_of_computing_anew(method, tiny_config, tmp_path):
    options, config = (*SHORT, *METHODS[method]), f'{method}/{method}_custom_5shot.py'
    cached, _ = train(tiny_config(tmp_path / 'cached', *options, config=config))
    plain, _ = train(tiny_config(tmp_path / 'plain', *options, 'curriculum.full.fusion_cache_mib=0', config=config))
    assert len(cached.losses) == len(plain.losses) == 52
    assert {kinds[0] for kinds in cached.kinds} == {'fused'} and {kinds[0] for kinds in plain.kinds} == {'audio'}
    for a, b in zip(cached.losses + cached.metrics, plain.losses + plain.metrics, strict=True):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)
    assert torch.equal(cached.random, plain.random)  # The same random numbers were drawn.
