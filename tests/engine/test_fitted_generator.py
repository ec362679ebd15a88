"""A generator that is fitted to the frozen features, through the whole curriculum."""

import json
import re

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.models.generators import FeatureDiffusion
from avzoo.utils.errors import ConfigError

GENERATOR = (
    "model.generator={'_delete_':True,'type':'FeatureDiffusion','steps':20,'sample_steps':4,'batch_size':8,"
    "'schedule':{'type':'CosineSchedule','num_steps':8},"
    "'noise_predictor':{'type':'EmbeddedPredictor','hidden_dim':8}}"
)
FITTED = (GENERATOR, "curriculum.full.fit=('generator',)", 'curriculum.references=[]', 'curriculum.num_draws=1')


@pytest.fixture
def fitted(small_avdiff):
    """``small_avdiff`` with a fitted generator in place of DDPM."""
    return lambda work_dir, *options: small_avdiff(work_dir, *FITTED, *options)


def weights(folder, prefix):
    state = load_checkpoint(folder / 'last.pth')['state_dict']
    return {name: value for name, value in state.items() if name.startswith(prefix)}


def test_it_is_fitted_in_the_full_sub_stage_alone_and_then_gives_synthetic_features(fitted, tmp_path):
    results = CurriculumRunner(fitted(tmp_path)).train()
    phases = json.loads((tmp_path / 'curriculum.json').read_text())['phases']
    assert {name for name, phase in phases.items() if 'generator_check' in phase} == {'stage1_full'}
    assert 'loss_shuffled' in results['draws'][0]['generator_check']
    log = (tmp_path / 'curriculum.log').read_text()
    assert re.search(r'stage1_full .* loss \S+ \(ce \S+, synthetic \S+\)', log)
    assert not re.search(r'stage1_base .* loss \S+ \(', log)  # One part only: the generator has no loss.
    before, after = (weights(tmp_path / f'stage2_{name}', 'generator.') for name in ('base', 'full_draw0'))
    assert all(torch.equal(x, torch.ones_like(x)) for name, x in before.items() if name.endswith('_std'))
    assert not torch.equal(
        before['generator.noise_predictor.out.weight'], after['generator.noise_predictor.out.weight']
    )


def test_the_base_sub_stage_is_that_of_a_run_without_a_generator(fitted, small_avdiff, tmp_path):
    CurriculumRunner(fitted(tmp_path / 'with'), stage=1).train()
    without = small_avdiff(tmp_path / 'without')
    without.model.generator = without.model.conditioner = None
    CurriculumRunner(without, stage=1).train()
    one, other = (
        weights(tmp_path / name / 'stage1_base', ('encoders.', 'fusion.', 'head.')) for name in ('with', 'without')
    )
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_resumed_run_does_not_fit_again(fitted, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(*args, **kwargs):
        raise Stopped

    fits, fit = [], FeatureDiffusion.fit
    monkeypatch.setattr(FeatureDiffusion, 'fit', lambda self, training: fits.append(1) or fit(self, training))
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(
            'avzoo.engine.curriculum.train_phase.outcome',
            lambda cfg, phase, history: stop() if phase.substage == 'full' else dict(epochs=len(history)),
        )
        CurriculumRunner(fitted(tmp_path, 'curriculum.validate=False'), stage=1).train()
    CurriculumRunner(fitted(tmp_path, 'curriculum.validate=False'), stage=1, resume=True).train()
    assert len(fits) == 1


def test_a_generator_that_nothing_fits_is_refused_before_training(fitted, tmp_path):
    with pytest.raises(ConfigError, match=r'curriculum\.full\.fit.*FeatureDiffusion'):
        describe_plan(fitted(tmp_path, 'curriculum.full.fit=()'))
