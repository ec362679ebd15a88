"""The command line of tools/test.py, as a user types it."""

import json

import numpy as np
import pytest

from avzoo.checkpoints.training import load_checkpoint, save_checkpoint
from avzoo.evaluation.functional import gfsl_metrics
from tests.tools.tool_runs import CONFIG


def test_testing_the_work_dir_gives_the_tables_own_numbers(trained, run, options, tmp_path):
    work_dir, _ = trained
    results = json.loads((work_dir / 'results.json').read_text())
    code, _, err = run('test', CONFIG, work_dir, '--work-dir', tmp_path, '--out', tmp_path / 'm.json', *options)
    assert code == 0, err
    found = json.loads((tmp_path / 'm.json').read_text())
    assert found['aggregate'] == results['aggregate']
    beside = ('draw', 'generator_check')
    draws = [{k: v for k, v in d.items() if k not in beside} for d in results['draws']]
    assert draws == list(found['draws'].values())


def test_predictions_hold_all_that_the_metrics_need(trained, run, options, tmp_path):
    work_dir, _ = trained
    checkpoint = work_dir / 'stage2_full_draw1' / 'last.pth'
    code, _, err = run(
        'test', CONFIG, checkpoint, '--work-dir', tmp_path, '--out', tmp_path / 'p.npz', '--out-item', 'pred', *options
    )
    assert code == 0, err
    found = np.load(tmp_path / 'p.npz')
    assert sorted(found.files) == ['base_mask', 'classes', 'gamma', 'label', 'scores', 'video_id']
    assert found['scores'].shape == (len(found['video_id']), len(found['classes'])) == (30, 11)
    assert np.allclose(found['scores'].sum(1), 1, atol=1e-5)
    metrics = gfsl_metrics(found['scores'], found['label'], found['base_mask'], gamma=float(found['gamma']))
    tested = json.loads((work_dir / 'curriculum.json').read_text())['tests']['1']
    assert metrics == pytest.approx({key: tested[key] for key in metrics})
    kept = np.load(checkpoint.with_name('predictions.npz'))
    assert all(np.array_equal(found[name], kept[name]) for name in kept.files)


def test_a_name_of_the_zoo_stands_for_the_config(trained, run, options, tmp_path):
    code, _, err = run('test', 'avdiff_custom_5shot', trained[0], '--work-dir', tmp_path, *options)
    assert code == 0, err


def test_validation_split_takes_the_model_of_stage_one(trained, run, options, tmp_path):
    code, out, err = run('test', CONFIG, trained[0], '--split', 'val', '--work-dir', tmp_path, *options)
    assert code == 0 and 'validation' in out, err


@pytest.mark.parametrize('choice', ['search', 0.05, 0.0, None])
def test_another_calibration_than_that_of_the_checkpoint(trained, run, options, tmp_path, choice):
    chosen = json.loads((trained[0] / 'curriculum.json').read_text())['phases']['stage1_full']['metrics']
    best = load_checkpoint(trained[0] / 'stage1_full' / 'best.pth')
    best['state_dict']['gamma'].fill_(0.85)  # Not the one that validation chose.
    save_checkpoint(tmp_path / 'it.pth', best)
    flags = () if choice is None else ('--gamma', choice)
    code, out, err = run(
        'test',
        CONFIG,
        tmp_path / 'it.pth',
        '--split',
        'val',
        *flags,
        '--work-dir',
        tmp_path,
        '--out',
        tmp_path / 'm.json',
        *options,
    )
    assert code == 0, err
    (found,) = json.loads((tmp_path / 'm.json').read_text())['draws'].values()
    want = {'search': chosen['gamma'], None: 0.85}.get(choice, choice)
    origin = {'search': 'the best on validation', None: 'from the checkpoint'}.get(choice, 'given')
    assert found['gamma'] == want and f'calibration gamma: {want:g} ({origin})' in out
    assert (found['HM'] == pytest.approx(chosen['HM'])) or choice != 'search'


def test_the_calibration_is_never_searched_on_the_test_set(trained, run, options, tmp_path):
    code, _, err = run('test', CONFIG, trained[0], '--gamma', 'search', '--work-dir', tmp_path, *options)
    assert code == 2 and 'never on the test set' in err and 'Traceback' not in err


def test_a_checkpoint_of_another_architecture_is_refused(trained, run, options, tmp_path):
    code, _, err = run('test', CONFIG, trained[0], '--work-dir', tmp_path, *options, 'model.fusion.depth=3')
    assert code == 2 and 'model.fusion.depth was 2 and is now 3' in err and 'Traceback' not in err


def test_metrics_of_one_checkpoint_are_read_without_unpickling(trained, run, options, tmp_path):
    code, _, err = run(
        'test',
        CONFIG,
        trained[0] / 'stage2_full_draw0' / 'last.pth',
        '--work-dir',
        tmp_path,
        '--out',
        tmp_path / 'm.npz',
        *options,
    )
    assert code == 0, err
    found = np.load(tmp_path / 'm.npz')
    assert all(np.issubdtype(found[name].dtype, np.number) for name in found.files)
    assert np.isnan(found['aggregate.ci95']) and found['aggregate.num_draws'] == 1


def test_scores_in_half_precision_differ_a_little(trained, run, options, tmp_path):
    scores = {}
    for flags in ((), ('--amp',)):
        code, _, err = run(
            'test',
            CONFIG,
            trained[0] / 'stage2_full_draw0' / 'last.pth',
            '--work-dir',
            tmp_path,
            '--out',
            tmp_path / 'p.npz',
            '--out-item',
            'pred',
            *flags,
            *options,
        )
        assert code == 0, err
        scores[flags] = np.load(tmp_path / 'p.npz')['scores']
    difference = np.abs(scores[()] - scores[('--amp',)]).max()
    assert 0 < difference < 0.05
