"""What is kept of a frozen fusion is constant: all that makes it vary is noticed, and only rounding is left."""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from avzoo.engine.fusion_cache import Fused, FusionCacheHook
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.data_preprocessors import AVPreprocessor
from avzoo.models.fusions import MaskedTransformer
from avzoo.models.heads import LinearHead
from avzoo.models.layers.fit_once import digest_of
from avzoo.registry import FUSIONS, HEADS, HOOKS, MODELS
from avzoo.utils.errors import ConfigError
from tests.conftest import write_store
from tests.engine.test_fusion_cache import FROZEN, METHODS, NARROW, SHORT, train

PLAIN = 'curriculum.full.fusion_cache_mib=0'
ONE_EPOCH = (*FROZEN, 'curriculum.full.max_epochs=1')


class NoisyFusion(MaskedTransformer):
    def forward(self, tokens, masks):
        fused = super().forward(tokens, masks)
        return fused + torch.randn_like(fused)


class CuriousHead(LinearHead):
    """Reads what the encoders give, where it is."""

    def loss(self, c_o, labels, context=None):
        found = super().loss(c_o, labels, context)
        return dict(found, read=torch.tensor(float(bool(context and 'encoded' in context))))


class NoisyModel(AVClassifier):
    def _fuse(self, inputs):
        fused, context = super()._fuse(inputs)
        return (fused + torch.randn_like(fused) if self.training else fused), context


class ThawingHook(Hook):
    def before_train_epoch(self, runner):
        runner.plain_model.fusion.requires_grad_(runner.epoch > 0)


class ShiftingHook(Hook):
    def before_train_epoch(self, runner):
        next(runner.plain_model.fusion.parameters()).add_(1.0)


@pytest.fixture
def registered():
    parts = {FUSIONS: [NoisyFusion], HEADS: [CuriousHead], MODELS: [NoisyModel], HOOKS: [ThawingHook, ShiftingHook]}
    for registry, classes in parts.items():
        for part in classes:
            registry.register_module(module=part)
    yield
    for registry, classes in parts.items():
        for part in classes:
            del registry._module_dict[part.__name__]


@pytest.mark.usefixtures('registered')
@pytest.mark.parametrize(
    'option, said',
    [
        ('model.fusion.type=NoisyFusion', 'draws random numbers in evaluation mode'),
        ('model.head.type=CuriousHead', 'CuriousHead reads the output of the encoders, or does not set'),
        ('model.type=NoisyModel', 'is not from avzoo'),
    ],
)
def test_parts_of_a_user_that_vary_are_computed_for_each_batch(option, said, small_avdiff, tmp_path):
    cached, _ = train(small_avdiff(tmp_path / 'cached', *ONE_EPOCH, option))
    plain, _ = train(small_avdiff(tmp_path / 'plain', *ONE_EPOCH, option, PLAIN))
    assert {found[0] for found in cached.kinds} == {'audio'}
    assert cached.losses == plain.losses and torch.equal(cached.random, plain.random)
    assert said in ''.join(path.read_text() for path in (tmp_path / 'cached').rglob('*.log'))


@pytest.mark.usefixtures('registered')
@pytest.mark.parametrize('hook', ['ThawingHook', 'ShiftingHook'])
def test_a_hook_that_changes_what_is_frozen_is_refused(hook, small_avdiff, tmp_path):
    options = (*FROZEN, f"custom_hooks=[{{'type':'{hook}'}}]", 'curriculum.full.max_epochs=2')
    with pytest.raises(ConfigError, match='fusion_cache_mib=0'):
        train(small_avdiff(tmp_path / 'cached', *options))
    train(small_avdiff(tmp_path / 'plain', *options, PLAIN))


def test_parts_are_fitted_in_full_precision_whatever_the_steps_are_computed_in(tiny_config, tmp_path):
    options = (
        *NARROW[:-2],
        *FROZEN,
        'model.fusion.switch_after=1',
        'model.generator.steps=2',
        'model.generator.schedule.num_steps=20',
        'model.generator.sample_steps=4',
        'model.head.synthetic_per_class=2',
        'curriculum.full.max_epochs=0',
        'optim_wrapper.type=AutocastOptimWrapper',
    )
    config = 'avdiff/avdiff_custom_5shot_gen.py'
    _, cached = train(tiny_config(tmp_path / 'cached', *options, config=config))
    _, plain = train(tiny_config(tmp_path / 'plain', *options, PLAIN, config=config))
    state = plain.plain_model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in cached.plain_model.state_dict().items())


def test_features_of_a_store_that_was_written_anew_are_computed_anew(small_avdiff, tmp_path):
    losses = []
    for number, noise in enumerate((1.0, 3.0)):
        (tmp_path / 'store').unlink(missing_ok=True)
        (tmp_path / 'store').symlink_to(write_store(tmp_path / f'store{number}', noise=noise))
        options = (*ONE_EPOCH, f'data_root={tmp_path / "store"}')
        losses.append(train(small_avdiff(tmp_path / str(number), *options))[0].losses)
    FusionCacheHook.forget()
    losses.append(train(small_avdiff(tmp_path / 'anew', *options))[0].losses)
    assert losses[0] != losses[1] == losses[2]


class DoubleRunner(PhaseRunner):
    """Trains in float64."""

    def train(self):
        self.model.double()
        return super().train()


@pytest.mark.parametrize('method', ['avdiff', 'perceiver'])  # All of them: test_fusion_cache.py.
def test_kept_features_differ_by_rounding_alone(method, tiny_config, tmp_path, monkeypatch):
    """Adam makes steps of 1e-3 of it in float32, and a difference of losses of 1e-5; in float64 there is none."""
    prepare = AVPreprocessor._modality

    def prepared(self, *args, **kwargs):
        x, mask, seconds = prepare(self, *args, **kwargs)
        return x.double(), mask, seconds.double()

    monkeypatch.setattr(AVPreprocessor, '_modality', prepared)
    monkeypatch.setattr('tests.engine.test_fusion_cache.PhaseRunner', DoubleRunner)
    adam = "optim_wrapper.optimizer={'_delete_':True,'type':'Adam','lr':0.001}"
    options, config = (*SHORT[:-1], adam, *METHODS[method]), f'{method}/{method}_custom_5shot.py'
    cached, runner = train(tiny_config(tmp_path / 'cached', *options, config=config))
    plain, _ = train(tiny_config(tmp_path / 'plain', *options, PLAIN, config=config))
    assert runner.train_dataloader.dataset.computed.x.dtype == torch.float64
    for a, b in zip(cached.losses, plain.losses, strict=True):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-12)


def test_a_readout_behind_one_that_does_not_count_is_served():
    x, mask = torch.arange(8.0).view(2, 4, 1), torch.tensor([[True, False, True, False], [True, False, False, False]])
    batch = Fused(x, mask, True, np.arange(2))(np.array([0, 1]))
    assert batch['fused'].shape == (2, 3, 1) and batch['readout_mask'].tolist() == mask[:, :3].tolist()


def test_a_digest_takes_any_state():
    values = [torch.ones(2), torch.ones(2, dtype=torch.bfloat16), torch.ones(()), torch.ones(2) > 0, dict(a=1), None]
    assert len({digest_of(value) for value in values}) == len(values)
    assert digest_of(torch.ones(3, 2).t()) == digest_of(torch.ones(2, 3))
