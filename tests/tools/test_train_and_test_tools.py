"""The command lines of tools/train.py and tools/test.py, as a user types them."""

import json
import subprocess
import sys

import numpy as np
import pytest

from avzoo.checkpoints.training import load_checkpoint, save_checkpoint
from tests.conftest import SMALL_AVDIFF

CONFIG = 'configs/avdiff/avdiff_custom_5shot.py'
SMALL = (
    'num_shots=2',
    'train_dataloader.batch_size=8',
    'val_dataloader.batch_size=4',
    'test_dataloader.batch_size=4',
    'train_dataloader.batch_sampler.num_batches=2',
    'curriculum.base.max_epochs=2',
    'curriculum.full.max_epochs=2',
    'curriculum.num_draws=2',
    'optim_wrapper.optimizer.lr=1e-3',
    *SMALL_AVDIFF,
)


@pytest.fixture(scope='module')
def run(repo_dir):
    """Run a tool in a process of its own; returns exit code, standard output and standard error."""

    def call(tool, *arguments, processes=0):
        start = [sys.executable]
        if processes:
            start += ['-m', 'torch.distributed.run', f'--nproc_per_node={processes}', '--master_port=29577']
        done = subprocess.run(
            [*start, f'tools/{tool}.py', *map(str, arguments)],
            cwd=repo_dir,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture(scope='module')
def options(tiny_store):
    return ('--cfg-options', f'data_root={tiny_store}', *SMALL)


@pytest.fixture(scope='module')
def trained(run, options, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    code, out, err = run('train', CONFIG, '--work-dir', work_dir, *options)
    assert code == 0, err
    return work_dir, out + err


def test_training_reports_its_progress_and_ends_with_the_table(trained):
    work_dir, screen = trained
    assert '[2/5] stage1_full' in screen and 'epoch  2/2' in screen and ' left 0:' in screen
    assert 'AV-DIFF / draw 1' in screen and 'nearest class mean' in screen
    assert (work_dir / 'results.json').is_file() and (work_dir / 'config.py').is_file()


def test_testing_the_work_dir_gives_the_tables_own_numbers(trained, run, options, tmp_path):
    work_dir, _ = trained
    results = json.loads((work_dir / 'results.json').read_text())
    code, _, err = run('test', CONFIG, work_dir, '--work-dir', tmp_path, '--out', tmp_path / 'm.json', *options)
    assert code == 0, err
    found = json.loads((tmp_path / 'm.json').read_text())
    assert found['aggregate'] == results['aggregate']
    assert [{k: v for k, v in d.items() if k != 'draw'} for d in results['draws']] == list(found['draws'].values())


def test_predictions_hold_ids_labels_columns_and_scores(trained, run, options, tmp_path):
    work_dir, _ = trained
    checkpoint = work_dir / 'stage2_full_draw1' / 'last.pth'
    code, _, err = run(
        'test', CONFIG, checkpoint, '--work-dir', tmp_path, '--out', tmp_path / 'p.npz', '--out-item', 'pred', *options
    )
    assert code == 0, err
    found = np.load(tmp_path / 'p.npz')
    assert sorted(found.files) == ['classes', 'label', 'scores', 'video_id']
    assert found['scores'].shape == (len(found['video_id']), len(found['classes'])) == (30, 11)
    assert np.allclose(found['scores'].sum(1), 1, atol=1e-5)


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


def test_two_processes_train_and_evaluate_like_one(trained, run, options, tmp_path):
    code, _, err = run('train', CONFIG, '--launcher', 'pytorch', '--work-dir', tmp_path / 'two', *options, processes=2)
    assert code == 0, err
    files = {n: tmp_path / f'{n}.npz' for n in (0, 2)}
    for n, path in files.items():
        launcher = ('--launcher', 'pytorch') if n else ()
        code, _, err = run(
            'test',
            CONFIG,
            tmp_path / 'two',
            '--work-dir',
            tmp_path / 't',
            '--out',
            path,
            '--out-item',
            'pred',
            *launcher,
            *options,
            processes=n,
        )
        assert code == 0, err
    one, two = (np.load(path) for path in files.values())
    assert one.files == two.files and all(np.array_equal(one[k], two[k]) for k in one.files)


def test_dry_run_prints_the_plan_and_trains_nothing(run, options, tmp_path):
    code, out, err = run('train', CONFIG, '--dry-run', '--work-dir', tmp_path / 'w', *options)
    assert code == 0 and 'stage2_full_draw1' in out and not (tmp_path / 'w').exists(), err


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--cfg-options', 'data_root=nowhere'), 'nowhere'),
        (('--cfg-options', 'model.fusion.dept=2'), "Did you mean 'depth'"),
        (('--draws', '7'), '--draws 7'),
    ],
)
def test_bad_input_ends_in_one_error_line(run, arguments, words, tmp_path):
    code, _, err = run('train', CONFIG, '--work-dir', tmp_path / 'w', *arguments)
    errors = [line for line in err.splitlines() if line.startswith('error: ')]
    assert code == 2 and len(errors) == 1 and words in errors[0] and 'Traceback' not in err


def test_stated_width_that_contradicts_the_data_is_refused(run, tiny_store, tmp_path):
    code, _, err = run(
        'train',
        CONFIG,
        '--work-dir',
        tmp_path / 'w',
        '--cfg-options',
        f'data_root={tiny_store}',
        'num_shots=2',
        'model.encoders.visual.in_dim=4096',
    )
    assert code == 2 and 'model.encoders.visual.in_dim=4096' in err and '9' in err and 'Traceback' not in err


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


def test_help_teaches(run):
    for tool in ('train', 'test'):
        code, out, _ = run(tool, '--help')
        assert code == 0 and 'examples:' in out
