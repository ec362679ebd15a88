"""Settings that validation chooses (curriculum.choices): which are taken, from what data, and who may use them."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from avzoo.apis.adapt import adapt
from avzoo.apis.hub import get_model
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.training import load_checkpoint
from avzoo.config.choices import describe, with_alternatives
from avzoo.datasets import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.choose import choose
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.engine.curriculum.state import CurriculumState
from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.zoo.publish import publish_checkpoint
from tests.conftest import CONFIGS, FITTED, SMALL_FITTED
from tests.support_clips import write_support

BINS = [{'data_preprocessor.time_bins': n} for n in (1, 2, 3)]
GAINS = [{'data_preprocessor.gain.audio': g} for g in (0.1, 1.0)]


def option(*choices):
    return f'curriculum.choices={list(choices)}'


def record_videos(patch):
    """Note which videos' features are read, by {when: set of positions}; returns the notes and a dict of ``when``."""
    seen, now = {}, dict(when='choices')

    def note(method):
        real = getattr(FeatureStore, method)

        def noting(self, modality, videos, *args, **kwargs):
            seen.setdefault(now['when'], set()).update(np.asarray(videos).tolist())
            return real(self, modality, videos, *args, **kwargs)

        patch.setattr(FeatureStore, method, noting)

    for method in ('gather', 'temporal_mean'):
        note(method)
    return seen, now


@pytest.fixture(scope='module')
def chosen(tmp_path_factory, tiny_configs, hard_store):
    """A finished run with two choices, its results, and which videos were read before it was tested, and when."""
    cfg = copy.deepcopy(tiny_configs(FITTED, (*SMALL_FITTED, f'data_root={hard_store}', option(BINS, GAINS))))
    cfg.work_dir = str(tmp_path_factory.mktemp('chosen') / 'run')
    with pytest.MonkeyPatch.context() as patch:
        seen, now = record_videos(patch)
        run_phase, test = CurriculumRunner._run_phase, CurriculumRunner.test

        def in_phase(self, phase, progress):
            now['when'] = phase.name
            return run_phase(self, phase, progress)

        def in_test(self):
            now['when'] = 'test'
            return test(self)

        patch.setattr(CurriculumRunner, '_run_phase', in_phase)
        patch.setattr(CurriculumRunner, 'test', in_test)
        results = CurriculumRunner(cfg).train()
    return cfg, results, seen


def split_videos(cfg, *names):
    store = FeatureStore(cfg.data_root)
    return set(np.concatenate([store.split(cfg.num_shots, name) for name in names]).tolist())


def test_settings_are_chosen_from_stage_one_alone(chosen):
    cfg, _, seen = chosen
    stage_one = split_videos(cfg, 'stage1_base', 'stage1_novel', 'val_base', 'val_novel')
    assert seen['choices'] == seen['stage1_full'] == stage_one


def test_no_test_video_is_read_before_the_test(chosen):
    cfg, _, seen = chosen
    draws = {'stage2_full_draw0': ['test_novel_0'], 'stage2_full_draw1': ['test_novel_1']}
    assert {'choices', 'stage1_base', 'stage1_full', 'stage2_base', 'test', *draws} == seen.keys()
    for when in seen.keys() - {'test'}:
        # The shots of a draw are test videos of another one; phases without a draw see neither.
        forbidden = draws.get(when, ['test_novel_0', 'test_novel_1'])
        assert seen[when] and not seen[when] & split_videos(cfg, 'test_base', *forbidden), when
    assert seen['test'] >= split_videos(cfg, 'test_base', 'test_novel_0', 'test_novel_1')


def test_the_alternative_of_the_best_validation_is_taken(chosen):
    cfg, results, _ = chosen
    state = json.loads(Path(cfg.work_dir, 'curriculum.json').read_text())
    assert state['choices'] == results['choices'] and len(results['choices']) == 2
    for choice, alternatives in zip(results['choices'], (BINS, GAINS), strict=True):
        assert [row['alternative'] for row in choice['scores']] == alternatives
        scores = [row['score'] for row in choice['scores']]
        assert choice['chosen'] == alternatives[int(np.argmax(scores))] and len(set(scores)) > 1


def test_later_choices_are_made_with_the_earlier_ones_and_the_run_repeats_the_best(chosen):
    cfg, results, _ = chosen
    stage_one = json.loads(Path(cfg.work_dir, 'curriculum.json').read_text())['phases']['stage1_full']
    assert stage_one['metrics']['AUSUC'] == max(row['score'] for row in results['choices'][1]['scores'])
    written = Path(cfg.work_dir, 'config.py').read_text()
    assert f'time_bins={results["choices"][0]["chosen"]["data_preprocessor.time_bins"]}' in written


def test_what_was_chosen_is_in_every_checkpoint_and_its_config(chosen):
    cfg, results, _ = chosen
    for name in ('stage1_full/best.pth', 'stage2_full_draw1/last.pth'):
        meta = load_checkpoint(Path(cfg.work_dir, name))['meta']
        assert meta['choices'] == [choice['chosen'] for choice in results['choices']]
        bins = results['choices'][0]['chosen']['data_preprocessor.time_bins']
        assert meta['config']['model']['data_preprocessor']['time_bins'] == bins


def test_trials_leave_nothing_but_the_log(chosen):
    cfg, _, _ = chosen
    assert not Path(cfg.work_dir, 'choices').exists()
    log = Path(cfg.work_dir, 'curriculum.log').read_text()
    assert log.count('choice 1/2') == 3 + 1 and log.count('choice 2/2') == 2 + 1


@pytest.fixture
def config(tiny_config, hard_store, tmp_path):
    options = (*SMALL_FITTED, f'data_root={hard_store}')
    return lambda *choices: tiny_config(tmp_path, *options, option(*choices), config=FITTED)


def trials(work_dir, scores):
    """A stand-in for training: each trial leaves a folder and the next score; also the list of what was tried."""
    found, tried = iter(scores), []

    def trial(cfg, chosen, place):
        tried.append(chosen[-1])
        (work_dir / 'stage1_full').mkdir()
        return dict(stage1_full=dict(metrics=dict(AUSUC=next(found))))

    return trial, tried


@pytest.mark.parametrize(('metric', 'best'), [('HM', 0), ('FSL', 1), ('AUSUC', 1)])
def test_every_metric_can_choose(config, tmp_path, metric, best):
    found = iter([dict(HM=2.0, FSL=1.0, AUSUC=1.0), dict(HM=1.0, FSL=2.0, AUSUC=3.0)])
    cfg, state = config(GAINS), CurriculumState(tmp_path, {}, processes=1)
    cfg.curriculum.choose_by = metric

    def trial(cfg, chosen, place):
        (tmp_path / 'stage1_full').mkdir()
        return dict(stage1_full=dict(metrics=next(found)))

    choose(cfg, tmp_path, state, trial)
    assert state.choices[0]['chosen'] == GAINS[best]


@pytest.mark.parametrize('scores', [(50.0, 50.0), (100.0, 100.00000000000001), (0.0, 0.0)])
def test_of_equal_alternatives_the_first_is_taken(config, tmp_path, scores):
    state = CurriculumState(tmp_path, {}, processes=1)
    cfg = choose(config(GAINS), tmp_path, state, trials(tmp_path, scores)[0])
    assert state.choices[0]['chosen'] == GAINS[0] and cfg.data_preprocessor.gain.audio == 0.1


def test_an_only_alternative_needs_no_trial(config, tmp_path):
    state = CurriculumState(tmp_path, {}, processes=1)
    cfg = choose(config(GAINS[:1]), tmp_path, state, lambda *a: pytest.fail('tried'))
    assert state.choices == [dict(chosen=GAINS[0], scores=[dict(alternative=GAINS[0], score=None)])]
    assert cfg.data_preprocessor.gain.audio == 0.1


def test_a_run_that_was_stopped_does_not_repeat_the_choices_that_were_made(config, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    tried, real = [], CurriculumRunner._try

    def trial(self, cfg, chosen, place):
        tried.append(chosen[-1])
        if tried == [*BINS, *GAINS]:
            raise Stopped
        return real(self, cfg, chosen, place)

    monkeypatch.setattr(CurriculumRunner, '_try', trial)
    with pytest.raises(Stopped):
        CurriculumRunner(config(BINS, GAINS)).train()
    CurriculumRunner(config(BINS, GAINS), resume=True, stage=1).train()
    assert tried[5:] == GAINS
    tried.clear()
    CurriculumRunner(config(BINS, GAINS), resume=True).train()
    assert not tried and not (tmp_path / 'choices').exists()


def test_resumed_choices_end_as_those_of_an_undisturbed_run(chosen, config, tmp_path, monkeypatch):
    made = []

    def stop_after_one(self, cfg, chosen, place, real=CurriculumRunner._try):
        made.append(chosen)
        if len(made) == 4:
            raise KeyboardInterrupt
        return real(self, cfg, chosen, place)

    monkeypatch.setattr(CurriculumRunner, '_try', stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        CurriculumRunner(config(BINS, GAINS)).train()
    results = CurriculumRunner(config(BINS, GAINS), resume=True).train()
    assert results['choices'] == chosen[1]['choices'] and results['aggregate'] == chosen[1]['aggregate']


def test_a_run_cannot_go_on_with_other_choices(chosen):
    cfg = copy.deepcopy(chosen[0])
    cfg.curriculum.choices = [BINS]
    with pytest.raises(ConfigError, match=r'curriculum\.choices'):
        CurriculumRunner(cfg, resume=True)


def test_time_bins_are_not_tried_where_every_video_has_one_step(config, tmp_path):
    rng = np.random.default_rng(0)
    widths = dict(audio=dict(dim=2, seconds_per_step=1.0), visual=dict(dim=3, seconds_per_step=1.0))
    with FeatureStoreWriter(tmp_path / 'pooled', name='pooled', modalities=widths, classes=['a', 'b']) as writer:
        for i in range(4):
            writer.add(f'v{i}', 'ab'[i % 2], {m: rng.normal(size=(1, e['dim'])) for m, e in widths.items()})
        writer.finish()
    cfg = config(BINS, GAINS)
    cfg.data_root = str(tmp_path / 'pooled')
    (trial, tried), state = trials(tmp_path, (1.0, 1.0)), CurriculumState(tmp_path, {}, processes=1)
    choose(cfg, tmp_path, state, trial)
    assert tried == GAINS and [one['chosen'] for one in state.choices] == [BINS[0], GAINS[0]]


def other_than(chosen):
    """The plain config, whose own settings are not those that were chosen."""
    cfg, results, _ = chosen
    plain = copy.deepcopy(cfg)
    for choice in results['choices']:
        kept = [row['alternative'] for row in choice['scores'] if row['alternative'] != choice['chosen']]
        plain = with_alternatives(plain, kept[:1])
    return plain, Path(cfg.work_dir, 'stage2_full_draw0', 'last.pth')


def test_the_plain_config_tests_a_checkpoint_with_what_was_chosen_for_it(chosen, tmp_path):
    plain, path = other_than(chosen)
    found = evaluate_checkpoint(plain, path, split='test', draw=None, work_dir=tmp_path)
    assert {k: found.metrics[k] for k in ('B', 'N', 'HM', 'AUSUC')} == {
        k: chosen[1]['draws'][0][k] for k in ('B', 'N', 'HM', 'AUSUC')
    }


def test_a_choice_that_the_config_does_not_offer_is_refused(chosen, tmp_path):
    plain, path = other_than(chosen)
    for choices in ([], [GAINS], [[{'data_preprocessor.time_bins': 7}], GAINS]):
        plain.curriculum.choices = choices
        for use in (
            lambda: evaluate_checkpoint(plain, path, split='test', draw=None, work_dir=tmp_path),
            lambda: Inferencer(plain, path, device='cpu'),
            lambda: get_model(plain, pretrained=path),
        ):
            with pytest.raises(CheckpointError, match=r'time_bins=\d, which curriculum\.choices does not offer'):
                use()


def test_a_setting_beside_the_choices_must_be_that_of_the_training(chosen):
    plain, path = other_than(chosen)
    plain.data_preprocessor.gain.visual = 5.0
    with pytest.raises(CheckpointError, match=r'data_preprocessor\.gain\.visual'):
        Inferencer(plain, path, device='cpu')


def test_published_weights_carry_what_was_chosen(chosen, tmp_path):
    plain, path = other_than(chosen)
    file = publish_checkpoint(path, tmp_path / 'mine.safetensors', name='mine')
    ids = [str(name) for name in FeatureStore(plain.data_root).video_ids[:5]]
    ours, published = (
        Inferencer(plain, source, device='cpu')(plain.data_root, video_ids=ids) for source in (path, file)
    )
    assert ours == published


def test_predictions_rank_and_are_as_sure_as_the_test_is(chosen, tmp_path):
    plain, path = other_than(chosen)
    found = evaluate_checkpoint(plain, path, split='test', draw=None, work_dir=tmp_path)
    arrays, state = found.predictions, load_checkpoint(path)['state_dict']
    classify = Inferencer(plain, path, device='cpu')
    ids = [str(name) for name in arrays['video_id'][:12]]
    ours = classify(plain.data_root, video_ids=ids, top=len(classify.classes))
    lowered = arrays['scores'] - state['gamma'].item() * np.asarray(classify.base_mask)
    names = np.asarray(arrays['classes'])
    for row, entry in enumerate(ours):
        ranked = [p['class'] for p in entry['predictions']]
        assert ranked == names[np.argsort(-lowered[row], kind='stable')].tolist()
        logits = torch.tensor(arrays['scores'][row]) * state['scale'].item()  # Without the scale they are sure.
        expected = dict(zip(names.tolist(), logits.softmax(0).tolist(), strict=True))
        assert {p['class']: p['probability'] for p in entry['predictions']} == pytest.approx(expected, abs=1e-4)


@pytest.fixture
def support(tmp_path):
    return write_support(tmp_path / 'support')


def test_a_fitted_model_is_taught_new_classes_and_keeps_its_base_classes(chosen, support, tmp_path):
    plain, _ = other_than(chosen)
    base = Path(chosen[0].work_dir, 'stage2_base', 'last.pth')
    done = adapt(plain, base, support=support, shots=2, out=tmp_path / 'taught.pth')
    assert done['novel_classes'] == ['blowing glass', 'tap dance'] and len(done['base_classes']) == 9
    taught, before = load_checkpoint(tmp_path / 'taught.pth'), load_checkpoint(base)
    assert taught['meta']['choices'] == before['meta']['choices']
    stage_one = load_checkpoint(Path(chosen[0].work_dir, 'stage1_full', 'best.pth'))['state_dict']
    assert all(taught['state_dict'][k] == stage_one[k] for k in ('gamma', 'scale'))
    classify = Inferencer(plain, tmp_path / 'taught.pth', device='cpu')
    found = classify(support, top=1)
    assert all(entry['predictions'][0]['class'] == entry['video_id'].split('/')[0] for entry in found)

    store = FeatureStore(plain.data_root)
    videos = store.split(2, 'test_base')
    ids, truth = [str(store.video_ids[v]) for v in videos], [store.class_names[store.labels[v]] for v in videos]
    right = {entry['video_id']: entry['predictions'][0]['class'] for entry in classify(plain.data_root, video_ids=ids)}
    assert np.mean([right[name] == label for name, label in zip(ids, truth, strict=True)]) > 0.3  # Chance: 1 / 11.


def test_taught_the_curriculums_classes_a_model_is_the_curriculums_own_stage_two(chosen, tmp_path):
    plain, path = other_than(chosen)
    base = Path(chosen[0].work_dir, 'stage2_base', 'last.pth')
    adapt(plain, base, support=plain.data_root, shots=2, out=tmp_path / 'taught.pth')
    taught, trained = load_checkpoint(tmp_path / 'taught.pth')['state_dict'], load_checkpoint(path)['state_dict']
    assert all(torch.equal(value, taught[key]) for key, value in trained.items())


def test_epochs_are_refused_where_nothing_trains(chosen, support, tmp_path):
    base = Path(chosen[0].work_dir, 'stage2_base', 'last.pth')
    with pytest.raises(ConfigError, match=r'epochs=3.*max_epochs=0'):
        adapt(chosen[0], base, support=support, shots=2, out=tmp_path / 'taught.pth', epochs=3)


@pytest.mark.parametrize(
    ('choices', 'message'),
    [
        ([[{'data_preprocessor.time_bin': 3}]], r'data_preprocessor\.time_bin'),
        ([[{'model.projector.within': 0.5}]], r'model\.projector\.within'),
        ([[{'data_preprocessor.time_bins': 'three'}]], r'data_preprocessor\.time_bins'),
        ([[{'model.head.heads': [{'type': 'NoHead'}]}]], 'NoHead'),
        ([[]], r'curriculum\.choices\.0'),
        ([GAINS, ['data_preprocessor.time_bins']], r'curriculum\.choices\.1'),
        (
            [GAINS, [{'data_preprocessor.time_bins': 3}, {'data_preprocessor.time_bins': 'x'}]],
            r'^curriculum\.choices\.1\.1: ',
        ),
        ([[{1: 2}]], r'curriculum\.choices\.0.* 1'),
        ([[{'num_shots': 1}]], r"curriculum\.choices\.0 sets 'num_shots'"),
        ([[{'randomness.seed': 1}]], r"curriculum\.choices\.0 sets 'randomness\.seed'"),
        ([[{'curriculum.choices': []}]], r"curriculum\.choices\.0 sets 'curriculum\.choices'"),
    ],
)
def test_a_bad_choice_is_an_error_when_the_config_is_read(tiny_config, tmp_path, choices, message):
    with pytest.raises(ConfigError, match=message):
        tiny_config(tmp_path, *SMALL_FITTED, option(*choices), config=FITTED)


@pytest.mark.parametrize(
    'impossible',
    [{'model.projector.within_shrinkage': 2}, {'model.generator': None, 'model.conditioner': None}],
)
def test_an_alternative_that_cannot_be_built_is_found_before_any_is_tried(config, impossible):
    with pytest.raises(ConfigError, match=r'^curriculum\.choices\.1\.2: .*(within_shrinkage|generator)'):
        describe_plan(config(BINS, [*GAINS, impossible]))


def test_choices_without_validation_are_refused(tiny_config, tmp_path):
    with pytest.raises(ConfigError, match=r'curriculum\.choices.*curriculum\.validate'):
        tiny_config(tmp_path, *SMALL_FITTED, option(GAINS), 'curriculum.validate=False', config=FITTED)


def test_the_plan_counts_the_trials(config):
    assert 'choices            5 runs of stage 1; the best validation AUSUC' in describe_plan(config(BINS, GAINS))
    assert 'choices' not in describe_plan(config(GAINS[:1]))


def test_every_choice_of_the_shipped_configs_is_offered_in_words():
    from avzoo.config.load import load_config

    cfg = load_config(CONFIGS / FITTED)
    alternatives = [one for choice in cfg.curriculum.choices for one in choice]
    assert all(0 < len(describe(one)) < 160 for one in alternatives)
    assert len({describe(one) for one in alternatives}) == len(alternatives)
    assert describe({}) == 'as the config has it'
