"""Phases whose parts are fitted: what they do, that they can be stopped, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.engine.hooks import PhaseHook
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.registry import DATASETS, MODELS
from avzoo.utils.errors import ConfigError

CHECKPOINTS = ('stage1_full/best.pth', 'stage2_full_draw0/last.pth', 'stage2_full_draw1/last.pth')


class Stopped(Exception):
    """Stands for the power cut."""


def weights(folder, names=CHECKPOINTS):
    return {f'{name} {k}': v for name in names for k, v in load_checkpoint(folder / name)['state_dict'].items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture(scope='module')
def finished(tmp_path_factory, tiny_configs):
    """The work directory and the results of one undisturbed run."""
    import copy

    from tests.conftest import FITTED, SMALL_FITTED

    cfg = copy.deepcopy(tiny_configs(FITTED, SMALL_FITTED))
    cfg.work_dir = str(tmp_path_factory.mktemp('fitted') / 'run')
    results = CurriculumRunner(cfg).train()
    return cfg, results


def test_a_fitted_curriculum_ends_with_results_better_than_chance(finished):
    _, results = finished
    assert [d['draw'] for d in results['draws']] == [0, 1] and results['aggregate']['AUSUC'] > 100 / 11
    assert results['gamma_source'] == 'chosen on validation'


def test_every_phase_validates_and_saves_once_without_a_training_step(finished):
    cfg, _ = finished
    phases = json.loads(Path(cfg.work_dir, 'curriculum.json').read_text())['phases']
    assert {p['epochs'] for p in phases.values()} == {1}
    for name in phases:
        meta = load_checkpoint(f'{cfg.work_dir}/{name}/last.pth')['meta']
        assert (meta['epoch'], meta['iter']) == (1, 0) and meta['history'][0]['loss'] is None


def test_the_calibration_of_logits_reaches_every_draw(finished):
    cfg, results = finished
    stage_one = json.loads(Path(cfg.work_dir, 'curriculum.json').read_text())['phases']['stage1_full']
    row = load_checkpoint(f'{cfg.work_dir}/stage1_full/last.pth')['meta']['history'][0]
    assert {'gamma', 'scale', 'offset'} <= row.keys()
    assert (stage_one['gamma'], stage_one['scale']) == (row['gamma'], row['scale']) and row['scale'] != 1.0
    for draw in results['draws']:
        state = load_checkpoint(f'{cfg.work_dir}/stage2_full_draw{draw["draw"]}/last.pth')['state_dict']
        assert (state['gamma'].item(), state['scale'].item()) == (row['gamma'], row['scale'])


def test_parts_are_fitted_to_the_training_set_of_their_phase(finished):
    cfg, _ = finished
    base, full, draw = (
        load_checkpoint(f'{cfg.work_dir}/{name}/last.pth')['state_dict']['generator.counts']
        for name in ('stage1_base', 'stage1_full', 'stage2_full_draw1')
    )
    assert base[:6].min() > 0 and base[6:].sum() == 0
    assert (full[6:9] == 2).all() and (draw[9:] == 2).all() and draw[:9].min() > 0


def stop_before(monkeypatch, phase, method):
    """Stop once in a phase, before a method of its hook."""
    stopped, real = [], getattr(PhaseHook, method)

    def stop(self, *args, **kwargs):
        if self.meta['phase'] == phase and not stopped:
            stopped.append(1)
            raise Stopped
        return real(self, *args, **kwargs)

    monkeypatch.setattr(PhaseHook, method, stop)


@pytest.mark.parametrize('method', ['before_train', '_finish_epoch'])
@pytest.mark.parametrize('phase', ['stage1_full', 'stage2_full_draw1'])
def test_a_stopped_and_resumed_run_equals_an_undisturbed_one_bit_for_bit(
    phase, method, finished, small_fitted, tmp_path, monkeypatch
):
    cfg, expected = finished
    stop_before(monkeypatch, phase, method)
    with pytest.raises(Stopped):
        CurriculumRunner(small_fitted(tmp_path)).train()
    results = CurriculumRunner(small_fitted(tmp_path), resume=True).train()
    assert results['aggregate'] == expected['aggregate'] and results['gamma'] == expected['gamma']
    assert same(weights(tmp_path), weights(Path(cfg.work_dir)))


def test_a_stop_after_a_phase_was_saved_does_not_fit_it_again(finished, small_fitted, tmp_path, monkeypatch):
    calls, write = [], CurriculumRunner._run_phase

    def stop_after(self, phase, progress):
        before = dict(self.state.phases)
        write(self, phase, progress)
        if phase.name == 'stage1_full' and not calls:
            calls.append(1)
            self.state.phases.clear()
            self.state.phases.update(before)
            self.state.write()  # As if the state had not been written.
            raise Stopped

    monkeypatch.setattr(CurriculumRunner, '_run_phase', stop_after)
    with pytest.raises(Stopped):
        CurriculumRunner(small_fitted(tmp_path)).train()
    fitted = []
    fit = AVClassifier.fit
    monkeypatch.setattr(AVClassifier, 'fit', lambda self, *a, **k: fitted.append(1) or fit(self, *a, **k))
    results = CurriculumRunner(small_fitted(tmp_path), resume=True).train()
    assert len(fitted) == 3  # Stage 2: base and two draws.
    assert results['aggregate'] == finished[1]['aggregate']


def test_the_free_offset_is_chosen_where_the_config_says_so(finished, small_fitted, tmp_path):
    cfg = small_fitted(tmp_path, 'curriculum.calibration=offset')
    results = CurriculumRunner(cfg).train()
    row = load_checkpoint(tmp_path / 'stage1_full/last.pth')['meta']['history'][0]
    grid = load_checkpoint(f'{finished[0].work_dir}/stage1_full/last.pth')['meta']['history'][0]
    assert results['gamma'] == row['gamma'] == row['offset'] != grid['gamma']
    assert row['offset'] == pytest.approx(grid['offset'], abs=1e-3)
    assert row['HM'] >= grid['HM'] and row['AUSUC'] == pytest.approx(grid['AUSUC'])
    best = tmp_path / 'stage1_full/best.pth'
    again = evaluate_checkpoint(cfg, best, split='val', draw=None, work_dir=tmp_path / 'val', gamma='search')
    assert again.metrics['gamma'] == pytest.approx(row['gamma'], abs=1e-3)


def test_no_epochs_without_parts_to_fit_is_refused(small_fitted, tmp_path):
    for name in ('base', 'full'):
        with pytest.raises(ConfigError, match=rf'curriculum\.{name}\.max_epochs=0.*curriculum\.{name}\.fit'):
            small_fitted(tmp_path, f'curriculum.{name}.fit=[]')


@pytest.mark.parametrize('name', ['fusion', 'encoders', 'data_preprocessor', 'heads'])
def test_a_part_that_cannot_be_fitted_is_named_before_training(small_fitted, tmp_path, name):
    cfg = small_fitted(tmp_path / 'run', f"curriculum.full.fit=('{name}',)")
    with pytest.raises(ConfigError, match=rf"curriculum\.full\.fit.*'{name}'.*projector, generator, head"):
        CurriculumRunner(cfg).train()
    assert not (tmp_path / 'run' / 'stage1_base').exists()


def test_several_readouts_cannot_be_fitted(small_fitted, tmp_path):
    cfg = small_fitted(tmp_path / 'run', 'model.fusion.type=SegmentConcat')
    with pytest.raises(ConfigError, match='one readout'):
        describe_plan(cfg)


def test_the_plan_names_the_parts_that_are_fitted(small_fitted, tmp_path):
    text = describe_plan(small_fitted(tmp_path, 'curriculum.full.max_epochs=2'))
    base, full = (next(line for line in text.splitlines() if f'stage1_{name}' in line) for name in ('base', 'full'))
    assert 'projector, generator, head fitted' in base and 'epochs' not in base
    assert 'fitted' in full and '2 epochs' in full


def test_fitted_parts_may_train_on_by_gradients(small_fitted, tmp_path):
    cfg = small_fitted(
        tmp_path,
        'curriculum.full.max_epochs=2',
        'curriculum.num_draws=1',
        "model.head={'type':'LinearHead','rank_by':'logits','_delete_':True}",
        "curriculum.base.fit=('projector','generator')",
        "curriculum.full.fit=('projector','generator')",
    )
    CurriculumRunner(cfg, stage=1).train()
    before, after = (load_checkpoint(tmp_path / f'stage1_{n}/last.pth')['state_dict'] for n in ('base', 'full'))
    assert not torch.equal(before['head.fc.weight'], after['head.fc.weight'])
    history = load_checkpoint(tmp_path / 'stage1_full/last.pth')['meta']['history']
    assert len(history) == 2 and all(np.isfinite(row['loss']) and row['scale'] > 0 for row in history)


def test_the_order_of_the_names_does_not_matter(small_fitted, tmp_path):
    run = phase_config(small_fitted(tmp_path), Phase(1, 'full'), {}, tmp_path)
    data, states = DATASETS.build(run.train_dataloader.dataset), []
    for parts in (('projector', 'generator', 'head'), ('head', 'generator', 'projector')):
        torch.manual_seed(0)
        model = MODELS.build(run.model)
        model.read_constants(data)
        log = model.fit(data, parts)
        states.append(model.state_dict())
    assert same(*states)
    assert {'projector.dimensions', 'generator.text_error', 'head.1.cross_entropy'} <= log.keys()


def test_fitting_leaves_the_training_mode_alone(small_fitted, tmp_path):
    run = phase_config(small_fitted(tmp_path), Phase(1, 'full'), {}, tmp_path)
    data = DATASETS.build(run.train_dataloader.dataset)
    model = MODELS.build(run.model).train()
    model.read_constants(data)
    model.fit(data, ('projector',))
    assert model.training


class CountedVideos:
    """A training set that counts the batches that are read of it."""

    def __init__(self, data):
        self.data, self.base_mask, self.batches = data, data.base_mask, 0

    def __len__(self):
        return len(self.data)

    def __getitems__(self, indices):
        self.batches += 1
        return self.data.__getitems__(indices)


def test_large_features_are_computed_anew_for_each_pass(small_fitted, tmp_path, monkeypatch):
    run = phase_config(small_fitted(tmp_path), Phase(1, 'full'), {}, tmp_path)
    data, states = DATASETS.build(run.train_dataloader.dataset), []
    for kept in (1 << 20, 0):
        monkeypatch.setattr('avzoo.models.classifiers.fits_parts._KEPT_BYTES', kept)
        torch.manual_seed(0)
        model = MODELS.build(run.model)
        model.read_constants(data)
        counted = CountedVideos(data)
        model.fit(counted, ('projector', 'generator', 'head'))
        states.append((model.state_dict(), counted.batches))
    assert same(states[0][0], states[1][0])
    assert states[0][1] == 3 < states[1][1]


def test_statistics_of_the_training_set_travel_with_the_weights(small_fitted, tmp_path, monkeypatch):
    norm = "data_preprocessor.norm={'audio':'z_score','visual':'z_score'}"
    cfg = small_fitted(tmp_path, norm, 'data_preprocessor.time_bins=2', 'curriculum.num_draws=1')
    results = CurriculumRunner(cfg).train()
    path = tmp_path / 'stage2_full_draw0/last.pth'
    state = load_checkpoint(path)['state_dict']
    assert state['data_preprocessor.visual_mean'].shape == (9,) and (state['data_preprocessor.visual_std'] != 1).all()

    monkeypatch.setattr('avzoo.models.data_preprocessors.AVPreprocessor.read_constants', lambda *a: pytest.fail('read'))
    monkeypatch.setattr(AVClassifier, 'fit', lambda *a, **k: pytest.fail('fitted'))
    found = evaluate_checkpoint(cfg, path, split='test', draw=0, work_dir=tmp_path / 'test')
    assert found.metrics['HM'] == results['draws'][0]['HM']
