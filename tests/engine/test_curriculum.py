"""The curriculum: its phases, what it hands on, and that it can be stopped anywhere."""

import copy
import json
import logging
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import print_log

from avzoo.checkpoints.training import load_checkpoint, save_checkpoint
from avzoo.config.settings import REFERENCES
from avzoo.datasets import gfsl_dataset
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum import generator_report
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.plan import Phase, outcome, phase_config, phase_epochs, plan_phases
from avzoo.engine.curriculum.preflight import describe_plan
from avzoo.engine.curriculum.state import finished_phases
from avzoo.engine.hooks import EpochSeedHook, PhaseHook, best_epoch
from avzoo.engine.log import log_line, log_to
from avzoo.evaluation.functional import gfsl_metrics
from avzoo.evaluation.paired import bootstrap_difference
from avzoo.evaluation.predictions import read_predictions
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError, DataError
from tests.conftest import AVDIFF, SMALL_AVDIFF, without_provenance


class Stopped(Exception):
    """Stands for the power cut."""


def states_equal(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def stop_in(monkeypatch, phase: str) -> None:
    """Stop once, in the second epoch of a phase."""
    stopped = []

    def stop(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.meta['phase'] == phase and runner.epoch == 1 and batch_idx == 1 and not stopped:
            stopped.append(1)
            raise Stopped

    monkeypatch.setattr(PhaseHook, 'before_train_iter', stop)


WHOLE = *SMALL_AVDIFF, f'curriculum.references={list(REFERENCES)}', 'curriculum.keep_optimizer=False'


@pytest.fixture
def small_avdiff(tiny_config):
    """A run as ``finished`` is one, with all references, and without the state of optimizers in the end."""
    return lambda work_dir, *options: tiny_config(work_dir, *WHOLE, *options)


@pytest.fixture(scope='module')
def finished(tmp_path_factory, tiny_configs):
    """The work directory and the results of one undisturbed run."""
    cfg = copy.deepcopy(tiny_configs(AVDIFF, WHOLE))
    work_dir = tmp_path_factory.mktemp('finished')
    cfg.work_dir = str(work_dir)
    return work_dir, CurriculumRunner(cfg).train()


def test_phases_come_in_the_papers_order():
    names = [p.name for p in plan_phases((0, 1, 2))]
    assert names == [
        'stage1_base',
        'stage1_full',
        'stage2_base',
        'stage2_full_draw0',
        'stage2_full_draw1',
        'stage2_full_draw2',
    ]


def test_novel_videos_never_enter_base_training(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    for stage in (1, 2):
        run = phase_config(cfg, Phase(stage, 'base'), {}, tmp_path)
        assert run.train_dataloader.dataset.splits == (f'stage{stage}_base',)
        assert run.train_dataloader.batch_sampler.subsets == ('base',)


def test_full_substage_freezes_the_fusion_and_starts_from_the_best_base_model(small_avdiff, tmp_path):
    run = phase_config(small_avdiff(tmp_path), Phase(1, 'full'), {}, tmp_path)
    assert tuple(run.model.frozen) == ('encoders', 'embedding', 'fusion')
    assert run.load_from == str(tmp_path / 'stage1_base' / 'best.pth')


def test_stage_two_repeats_the_epochs_the_drops_and_the_gamma_of_stage_one(tiny_config, tmp_path):
    cfg = tiny_config(tmp_path)
    history = [
        dict(epoch=e, lr=lr, loss=1.0, HM=hm, gamma=g)
        for e, lr, hm, g in [(1, 1.0, 10.0, 0.1), (2, 0.1, 30.0, 0.3), (3, 0.1, 20.0, 0.2)]
    ]
    decided = {'stage1_full': outcome(cfg, Phase(1, 'full'), history)}
    assert decided['stage1_full'] == dict(
        epochs=3, best_epoch=2, lr_drops=[1], metrics=dict(HM=30.0, gamma=0.3), gamma=0.3, last_gamma=0.2
    )
    phase = Phase(2, 'full', 0)
    run = phase_config(cfg, phase, decided, tmp_path)
    assert phase_epochs(cfg, phase, decided) == run.train_cfg.max_epochs == 2
    assert run.model.gamma == 0.3 and run.val_dataloader is None
    assert dict(run.param_scheduler[0]) == dict(type='MultiStepLR', milestones=[1], gamma=0.1)
    cfg.curriculum.gamma_epoch = 'last'
    assert phase_config(cfg, phase, decided, tmp_path).model.gamma == 0.2


def test_an_epoch_that_scores_zero_is_never_the_best_unless_all_do():
    assert best_epoch([dict(epoch=1, HM=0.0), dict(epoch=2, HM=5.0), dict(epoch=3, HM=5.0)], 'HM') == 2
    assert best_epoch([dict(epoch=1, HM=0.0), dict(epoch=2, HM=0.0)], 'HM') == 2


def test_run_ends_with_a_table_over_the_draws(finished):
    work_dir, results = finished
    assert [d['draw'] for d in results['draws']] == [0, 1]
    b, n = results['aggregate']['B'], results['aggregate']['N']
    assert results['aggregate']['HM'] == pytest.approx(2 * b * n / (b + n))
    assert json.loads((work_dir / 'results.json').read_text())['aggregate']['FSL'] == results['aggregate']['FSL']
    assert '| method / draw' in (work_dir / 'results.md').read_text()
    assert set(REFERENCES) == set(results['references'])


def test_run_is_compared_with_the_reference_that_is_strongest_on_validation(finished):
    work_dir, results = finished
    references, paired = results['references'], results['paired']
    assert paired['against'] == max(references, key=lambda name: references[name]['validation']['HM'])
    reference = references[paired['against']]
    differences = [
        ours['FSL'] - theirs['FSL'] for ours, theirs in zip(results['draws'], reference['draws'], strict=True)
    ]
    assert paired['draws']['FSL']['mean'] == pytest.approx(np.mean(differences))
    kept = [
        [read_predictions(work_dir / f'stage2_full_draw{draw}' / 'predictions.npz') for draw in (0, 1)],
        [read_predictions(work_dir / 'references' / f'{paired["against"]}_draw{draw}.npz') for draw in (0, 1)],
    ]
    assert paired['bootstrap'] == bootstrap_difference(*kept)
    again = [gfsl_metrics(one['scores'], one['label'], one['base_mask'], gamma=float(one['gamma'])) for one in kept[0]]
    assert [row['HM'] for row in again] == pytest.approx([row['HM'] for row in results['draws']])
    assert 'strongest reference on validation' in (work_dir / 'results.md').read_text()


def test_a_run_without_kept_predictions_is_compared_over_draws_alone(finished, small_avdiff, tmp_path):
    work_dir, results = finished
    shutil.copytree(work_dir, tmp_path / 'old')
    for path in (tmp_path / 'old').glob('stage2_full_draw*/predictions.npz'):
        path.unlink()
    shutil.rmtree(tmp_path / 'old' / 'references')
    again = CurriculumRunner(small_avdiff(tmp_path / 'old'), resume=True).train()
    assert again['paired'] == dict(results['paired'], bootstrap=None)
    assert len(list((tmp_path / 'old' / 'references').iterdir())) == 2 * len(REFERENCES)


def test_gamma_in_each_draws_checkpoint_is_that_of_validation(finished):
    work_dir, results = finished
    gamma = json.loads((work_dir / 'curriculum.json').read_text())['phases']['stage1_full']['gamma']
    assert load_checkpoint(work_dir / 'stage1_full' / 'best.pth')['state_dict']['gamma'].item() == gamma
    for draw in (0, 1):
        state = load_checkpoint(work_dir / f'stage2_full_draw{draw}' / 'last.pth')['state_dict']
        assert state['gamma'].item() == gamma == results['gamma']


def test_frozen_weights_do_not_move_in_the_full_substage(finished):
    work_dir, _ = finished
    before = load_checkpoint(work_dir / 'stage1_base' / 'best.pth')['state_dict']
    after = load_checkpoint(work_dir / 'stage1_full' / 'last.pth')['state_dict']
    frozen = [
        k
        for k in before
        if k.startswith(('encoders', 'embedding', 'fusion')) and 'running' not in k and 'tracked' not in k
    ]
    assert {k.split('.')[0] for k in frozen} == {'encoders', 'embedding', 'fusion'}
    assert all(torch.equal(before[k], after[k]) for k in frozen)
    assert not torch.equal(before['head.fc.weight'], after['head.fc.weight'])


@pytest.mark.parametrize('where', ['stage1_base', 'stage1_full', 'stage2_full_draw1'])
def test_a_stopped_and_resumed_run_equals_an_undisturbed_one_bit_for_bit(
    where, finished, small_avdiff, tmp_path, monkeypatch
):
    stop_in(monkeypatch, where)
    cfg = small_avdiff(tmp_path)
    with pytest.raises(Stopped):
        CurriculumRunner(cfg).train()
    results = CurriculumRunner(cfg, resume=True).train()
    work_dir, expected = finished
    assert without_provenance(results) == without_provenance(expected)
    for name in ('stage1_full/best.pth', 'stage2_full_draw0/last.pth', 'stage2_full_draw1/last.pth'):
        assert states_equal(
            load_checkpoint(work_dir / name)['state_dict'], load_checkpoint(tmp_path / name)['state_dict']
        )


def test_a_stop_between_a_checkpoint_and_its_validation_loses_no_choice(finished, small_avdiff, tmp_path, monkeypatch):
    calls = []
    write = PhaseHook._finish_epoch

    def stop_before_writing(self, runner, epoch):
        if self.meta['phase'] == 'stage1_full' and epoch == 2 and not calls:
            calls.append(1)
            raise Stopped
        write(self, runner, epoch)

    monkeypatch.setattr(PhaseHook, '_finish_epoch', stop_before_writing)
    cfg = small_avdiff(tmp_path)
    with pytest.raises(Stopped):
        CurriculumRunner(cfg, stage=1).train()
    CurriculumRunner(cfg, stage=1, resume=True).train()
    one, other = (json.loads((folder / 'curriculum.json').read_text())['phases'] for folder in (tmp_path, finished[0]))
    assert one == {name: other[name] for name in ('stage1_base', 'stage1_full')}


def test_a_finished_run_resumed_trains_nothing_and_says_so(finished, small_avdiff, monkeypatch):
    work_dir, expected = finished
    said = []
    monkeypatch.setattr('avzoo.engine.curriculum.runner.log_line', said.append)
    monkeypatch.setattr(CurriculumRunner, '_run_phase', lambda *a: pytest.fail('a finished phase was run again'))
    assert CurriculumRunner(small_avdiff(work_dir), resume=True).train()['aggregate'] == expected['aggregate']
    assert any('nothing was trained' in line for line in said)


def test_a_used_work_dir_is_refused_without_resume(finished, small_avdiff):
    with pytest.raises(AvzooError, match='--resume'):
        CurriculumRunner(small_avdiff(finished[0]))


def test_resuming_with_other_settings_is_refused(finished, small_avdiff):
    with pytest.raises(ConfigError, match=r'optim_wrapper\.optimizer\.lr'):
        CurriculumRunner(small_avdiff(finished[0], 'optim_wrapper.optimizer.lr=0.5'), resume=True)


def test_stage_two_without_stage_one_is_refused(small_avdiff, tmp_path):
    with pytest.raises(AvzooError, match='stage1_base'):
        CurriculumRunner(small_avdiff(tmp_path), stage=2).train()


def test_the_generator_is_checked_in_each_sub_stage_of_stage_1_and_at_each_test(finished):
    work_dir, results = finished
    state = json.loads((work_dir / 'curriculum.json').read_text())
    checks = {name: phase.get('generator_check') for name, phase in state['phases'].items()}
    assert {name for name, check in checks.items() if check} == {'stage1_base', 'stage1_full'}
    assert all('loss_shuffled' in draw['generator_check'] for draw in results['draws'])
    log, table = (work_dir / 'curriculum.log').read_text(), (work_dir / 'results.md').read_text()
    assert len(re.findall('generator: not learned \\(loss', log)) == 2 + len(results['draws'])
    assert table.count('(generator: not learned)') == 1 + len(results['draws'])


def test_the_generator_is_checked_on_features_where_training_holds_them(finished, small_avdiff, monkeypatch):
    asked, held = [], gfsl_dataset.held_store
    monkeypatch.setattr(gfsl_dataset, 'held_store', lambda store, device: asked.append(device) or held(store, device))
    monkeypatch.setattr(generator_report, 'log_line', lambda text: None)
    phases = json.loads((finished[0] / 'curriculum.json').read_text())['phases']
    cfg = small_avdiff(finished[0], 'train_dataloader.dataset.device=cpu')
    found = generator_report.report_generator(cfg, Phase(1, 'full'), phases, finished[0])
    assert set(asked) == {'cpu'} and found['generator_check'] == phases['stage1_full']['generator_check']


def test_parts_of_the_loss_are_kept_by_epoch_and_decide_nothing(finished):
    history = load_checkpoint(finished[0] / 'stage1_full/last.pth')['meta']['history']
    assert {'loss', 'loss_ce', 'loss_diffusion', 'loss_synthetic'} <= history[0].keys()
    # The synthetic loss comes with every second batch.
    parts = history[0]['loss_ce'] + history[0]['loss_diffusion'] + history[0]['loss_synthetic'] / 2
    assert history[0]['loss'] == pytest.approx(parts, rel=1e-4)
    metrics = json.loads((finished[0] / 'curriculum.json').read_text())['phases']['stage1_full']['metrics']
    assert not any(name.startswith('loss') for name in metrics)


def test_stages_and_draws_can_be_run_apart(finished, small_avdiff, tmp_path):
    assert CurriculumRunner(small_avdiff(tmp_path), stage=1).train() is None
    log = (tmp_path / 'curriculum.log').read_text()
    assert 'Stage 1 is finished. Validation chose epoch ' in log
    assert re.search(
        r'stage1_base .* loss \S+ \(ce \S+, diffusion \S+\)  B0 \S+  B \S+  N \S+  HM \S+  FSL \S+  lr ', log
    )
    assert re.search(r'stage1_full .* loss \S+ \(.*synthetic \S+\)  HM \S+  B \S+  N \S+  FSL \S+  lr ', log)
    CurriculumRunner(small_avdiff(tmp_path), resume=True, stage=2, draws=(1,)).train()
    results = CurriculumRunner(small_avdiff(tmp_path), resume=True).train()
    assert results['aggregate'] == finished[1]['aggregate']


def test_without_validation_all_configured_epochs_are_run(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, 'curriculum.validate=False', 'curriculum.num_draws=1', 'curriculum.references=[]')
    CurriculumRunner(cfg, stage=1).train()
    assert 'Stage 1 is finished. Repeat the command with --resume' in (tmp_path / 'curriculum.log').read_text()
    results = CurriculumRunner(cfg, resume=True).train()
    phases = json.loads((tmp_path / 'curriculum.json').read_text())['phases']
    assert [p['epochs'] for p in phases.values()] == [3, 3, 3, 3] and results['gamma'] == 0.0


def test_resume_from_a_checkpoint_of_another_phase_is_refused(small_avdiff, tmp_path, finished, monkeypatch):
    cfg = small_avdiff(tmp_path)
    CurriculumRunner(cfg, stage=1).train()
    runner = CurriculumRunner(cfg, resume=str(finished[0] / 'stage1_base' / 'last.pth'))
    with pytest.raises(AvzooError, match='continues with stage2_base'):
        runner.train()


def test_resume_from_a_file_that_is_not_there_is_refused_before_anything_is_written(small_avdiff, tmp_path):
    with pytest.raises(AvzooError, match=r'--resume .*gone\.pth'):
        CurriculumRunner(small_avdiff(tmp_path / 'run'), resume=str(tmp_path / 'gone.pth')).train()
    assert not (tmp_path / 'run').exists()


def test_resume_from_a_checkpoint_of_another_seed_or_without_its_optimizer_is_refused(
    small_avdiff, tmp_path, finished, monkeypatch
):
    content = load_checkpoint(finished[0] / 'stage1_base' / 'last.pth')
    save_checkpoint(tmp_path / 'seed.pth', dict(content, meta=dict(content['meta'], seed=7)))
    save_checkpoint(tmp_path / 'bare.pth', {key: value for key, value in content.items() if key != 'optimizer'})
    for name, words in (('seed.pth', 'continues with stage1_base and seed 42'), ('bare.pth', 'keep_optimizer=True')):
        with pytest.raises(CheckpointError, match=words):
            CurriculumRunner(small_avdiff(tmp_path / name[:4]), resume=str(tmp_path / name)).train()


def test_a_store_that_was_damaged_or_exchanged_is_refused(small_avdiff, tmp_path, tiny_store, finished):
    shutil.copytree(tiny_store, tmp_path / 'store')
    with (tmp_path / 'store' / 'audio.npy').open('r+b') as file:
        file.seek(-4, 2)
        file.write(b'\x00\x00\x80?')
    cfg = small_avdiff(tmp_path / 'run', f'data_root={tmp_path / "store"}')
    with pytest.raises(DataError, match='wrong checksum'):
        CurriculumRunner(cfg).train()
    shutil.copytree(finished[0], tmp_path / 'done')
    state = json.loads((tmp_path / 'done' / 'curriculum.json').read_text())
    (tmp_path / 'done' / 'curriculum.json').write_text(json.dumps(dict(state, store_sha256='0' * 64)))
    with pytest.raises(DataError, match='is not the store'):
        CurriculumRunner(small_avdiff(tmp_path / 'done'), resume=True).train()


@pytest.mark.parametrize('text', ['', '{', '[]', '{}', '{"phases": {"stage3": {}}}'])
def test_a_damaged_state_file_is_refused(small_avdiff, tmp_path, text):
    (tmp_path / 'curriculum.json').write_text(text)
    with pytest.raises(AvzooError, match=r'curriculum\.json is damaged'):
        CurriculumRunner(small_avdiff(tmp_path), resume=True)
    with pytest.raises(AvzooError, match=r'curriculum\.json is damaged'):
        finished_phases(tmp_path)


def test_a_loss_that_is_no_number_ends_the_run_with_the_cure(small_avdiff, tmp_path):
    with pytest.raises(AvzooError, match=r'training loss of stage1_base became (nan|inf).*lower optim_wrapper'):
        CurriculumRunner(small_avdiff(tmp_path, 'optim_wrapper.optimizer.lr=1e30')).train()


def test_a_checkpoint_of_the_base_substage_or_of_other_classes_is_not_tested(small_avdiff, tmp_path, finished):
    cfg, folder = small_avdiff(tmp_path), finished[0]
    with pytest.raises(CheckpointError, match='never saw a novel class'):
        evaluate_checkpoint(cfg, folder / 'stage2_base' / 'last.pth', split='test', draw=0, work_dir=tmp_path)
    content = load_checkpoint(folder / 'stage2_full_draw0' / 'last.pth')
    content['meta']['classes'] = content['meta']['classes'][::-1]
    save_checkpoint(tmp_path / 'other.pth', content)
    with pytest.raises(CheckpointError, match='trained on other classes'):
        evaluate_checkpoint(cfg, tmp_path / 'other.pth', split='test', draw=0, work_dir=tmp_path)


def test_a_store_whose_shots_were_drawn_anew_is_not_tested_on(small_avdiff, tmp_path, tiny_store, finished):
    shutil.copytree(tiny_store, tmp_path / 'store')
    lists = tmp_path / 'store' / 'splits' / '2shot'
    shots, rest = ((lists / f'{name}_novel_0.txt').read_text().splitlines() for name in ('stage2', 'test'))
    (lists / 'stage2_novel_0.txt').write_text('\n'.join([rest[0], *shots[1:]]))
    (lists / 'test_novel_0.txt').write_text('\n'.join([shots[0], *rest[1:]]))
    cfg = small_avdiff(tmp_path / 'run', f'data_root={tmp_path / "store"}')
    with pytest.raises(CheckpointError, match=r'not trained on the videos .* in stage2_novel_0'):
        evaluate_checkpoint(
            cfg, finished[0] / 'stage2_full_draw0' / 'last.pth', split='test', draw=None, work_dir=tmp_path
        )


def test_averaged_weights_are_those_that_are_chosen_kept_and_resumed(small_avdiff, tmp_path, monkeypatch):
    average = "custom_hooks=[{'type': 'FitHook'}, {'type': 'EMAHook', 'momentum': 0.3, 'update_buffers': True}]"
    average = (average, 'curriculum.average_epochs=0', 'val_evaluator.gamma_grid=[0.3]')
    whole = small_avdiff(tmp_path / 'whole', *average)
    CurriculumRunner(whole, stage=1).train()
    chosen = json.loads((tmp_path / 'whole' / 'curriculum.json').read_text())['phases']['stage1_full']['metrics']
    found = evaluate_checkpoint(
        whole, tmp_path / 'whole/stage1_full/best.pth', split='val', draw=None, work_dir=tmp_path
    )
    assert {k: found.metrics[k] for k in ('B', 'N', 'AUSUC')} == {k: chosen[k] for k in ('B', 'N', 'AUSUC')}
    assert found.metrics['gamma'] == 0.3  # Chosen, and no average of what was before.

    stop_in(monkeypatch, 'stage1_full')
    broken = small_avdiff(tmp_path / 'broken', *average)
    with pytest.raises(Stopped):
        CurriculumRunner(broken, stage=1).train()
    CurriculumRunner(broken, stage=1, resume=True).train()
    assert states_equal(
        *(load_checkpoint(tmp_path / name / 'stage1_full/last.pth')['state_dict'] for name in ('whole', 'broken'))
    )


def test_each_run_of_a_process_has_a_log_of_its_own(small_avdiff, tmp_path):
    short = ('curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1')
    for name in ('one', 'two'):
        CurriculumRunner(small_avdiff(tmp_path / name, *short), stage=1).train()
        assert 'stage1_full' in (tmp_path / name / 'curriculum.log').read_text()


def test_ranks_draw_different_noise_and_epochs_repeat(monkeypatch):
    def draw(rank, epoch):
        monkeypatch.setattr('avzoo.engine.hooks.get_rank', lambda: rank)
        EpochSeedHook._seed(SimpleNamespace(seed=3, epoch=epoch))
        return torch.rand(1).item()

    assert draw(0, 0) == draw(0, 0) and len({draw(0, 0), draw(1, 0), draw(0, 1)}) == 3


@pytest.mark.parametrize('frozen_mode', ['train', 'eval'])  # With the second the features of the fusion are kept.
def test_amp_trains_in_bfloat16(small_avdiff, tmp_path, frozen_mode):
    short = ('curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1', 'curriculum.references=[]')
    mode = f'curriculum.full.frozen_mode={frozen_mode}'
    cfg = small_avdiff(tmp_path, 'optim_wrapper.type=AutocastOptimWrapper', 'curriculum.num_draws=1', *short, mode)
    results = CurriculumRunner(cfg).train()
    assert 0 <= results['aggregate']['HM'] <= 100


def test_a_config_with_numpy_scalars_trains_and_its_checkpoint_can_be_read(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path, 'curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1')
    cfg.optim_wrapper.optimizer.lr, cfg.model.fusion.dropout = np.float32(1e-3), np.float64(0.25)
    CurriculumRunner(cfg, stage=1).train()
    config = load_checkpoint(tmp_path / 'stage1_full' / 'last.pth')['meta']['config']
    assert type(config['model']['fusion']['dropout']) is type(config['optim_wrapper']['optimizer']['lr']) is float


def test_a_config_that_no_checkpoint_can_carry_is_refused_before_training(small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path / 'run')
    cfg.model.fusion.dropout = torch.tensor(0.1)
    for refused in (lambda: CurriculumRunner(cfg), lambda: describe_plan(cfg)):
        with pytest.raises(ConfigError, match=r'model\.fusion\.dropout=tensor'):
            refused()
    assert not (tmp_path / 'run').exists()


def test_a_checkpoint_carries_its_config_as_data(finished):
    config = load_checkpoint(finished[0] / 'stage1_base' / 'last.pth')['meta']['config']
    assert config['model']['fusion']['type'] == 'MaskedTransformer' and config['num_shots'] == 2
    assert type(config['model']) is dict and json.loads(json.dumps(config))['model']['head'] == config['model']['head']


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path, finished):
    whole = (finished[0] / 'stage1_base' / 'last.pth').read_bytes()
    (tmp_path / 'cut.pth').write_bytes(whole[: len(whole) // 2])
    torch.save({'model': {}}, tmp_path / 'foreign.pth')
    torch.save({'meta': ['x']}, tmp_path / 'odd.pth')
    meta = {'format': 'avzoo-checkpoint'}
    torch.save({'meta': meta}, tmp_path / 'empty.pth')
    torch.save({'meta': meta, 'state_dict': {'a': 1}}, tmp_path / 'untensored.pth')
    cases = {
        'cut.pth': 'cut short',
        'foreign.pth': 'not an avzoo checkpoint',
        'no.pth': 'no checkpoint',
        'odd.pth': 'not an avzoo checkpoint',
        'empty.pth': 'no state_dict',
        'untensored.pth': 'no state_dict',
    }
    for name, words in cases.items():
        with pytest.raises(CheckpointError, match=words):
            load_checkpoint(tmp_path / name)


def test_a_checkpoint_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / 'ran'), 'w'))

    torch.save({'meta': {'format': 'avzoo-checkpoint'}, 'state_dict': Evil()}, tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='was not opened') as caught:
        load_checkpoint(tmp_path / 'evil.pth')
    assert 'weights_only' not in str(caught.value)  # torch's own words advise to open it all the same.
    assert not (tmp_path / 'ran').exists()


def test_the_log_keeps_what_is_said_and_no_debug_lines(tmp_path):
    log_to(tmp_path / 'curriculum.log')
    print_log('how a part was built', logger='avzoo', level=logging.DEBUG)
    log_line('epoch 1')
    assert re.fullmatch(r'\S+ \S+ - avzoo - INFO - epoch 1\n', (tmp_path / 'curriculum.log').read_text())


def test_a_work_directory_that_cannot_be_made_is_refused(small_avdiff, tmp_path):
    (tmp_path / 'file').write_text('')
    for place in (tmp_path / 'file', tmp_path / 'file' / 'run'):
        with pytest.raises(ConfigError, match=rf'{place} cannot be written to .*--work-dir'):
            CurriculumRunner(small_avdiff(place)).train()
