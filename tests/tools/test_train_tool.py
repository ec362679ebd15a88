"""The command line of tools/train.py, as a user types it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from avzoo import Inferencer, get_model
from tests.tools.tool_runs import CONFIG


def test_training_reports_its_progress_and_ends_with_the_table(trained):
    work_dir, screen = trained
    for line in ('Loading PyTorch', 'Checking the config and the data', f'Everything is written to {work_dir}'):
        assert line in screen
    assert '[2/5] stage1_full' in screen and 'epoch  2/2' in screen and ' left 0:' in screen
    assert 'AV-DIFF / draw 1' in screen and 'nearest class mean' in screen
    assert (work_dir / 'results.json').is_file() and (work_dir / 'config.py').is_file()


def test_the_folder_of_a_run_is_its_model(trained, run, tiny_store, tmp_path):
    folder, _ = trained
    found = []
    config, clip = folder / 'config.py', 'class00_stage_1_train_0'
    for model in ((folder,), (config,), (config, folder / 'stage2_full_draw0/last.pth')):
        code, out, err = run('predict', *model, '--features', tiny_store, '--video-id', clip, '--json')
        assert code == 0 and ('Using stage2_full_draw0/last.pth' in err) == (len(model) == 1), err
        found.append(out)
    assert found[0] == found[1] == found[2]
    (answer,) = Inferencer(folder, device='cpu')(tiny_store, video_ids=clip)
    assert answer == json.loads(found[0])[0]
    assert get_model(folder, pretrained=True).meta['phase'] == 'stage2_full_draw0'
    code, out, err = run(
        'adapt', folder, '--support', tiny_store, '--shots', '2', '--epochs', '1', '--out', tmp_path / 'taught.pth'
    )
    assert code == 0 and 'Using stage2_base/last.pth' in err, err
    moved = Path(shutil.copytree(folder, tmp_path / 'moved'))
    (moved / 'results.json').unlink()
    before = (folder / 'results.json').stat()
    code, out, err = run('train', moved, '--resume')
    assert code == 0 and (moved / 'results.json').is_file() and (folder / 'results.json').stat() == before, err
    code, out, err = run('test', folder, folder)
    assert code == 0 and 'draw 1' in out and (folder / 'test').is_dir(), err


def test_two_processes_train_and_evaluate_like_one(options, tool_server, repo_dir, tmp_path):
    options = *options, 'curriculum.num_draws=1', 'curriculum.references=[]'
    on_cpu = dict(CUDA_VISIBLE_DEVICES='')  # Two processes need two GPUs, or none.
    group = dict(on_cpu, WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT='29577')
    envs = [dict(group, RANK=n, LOCAL_RANK=n) for n in ('0', '1')]  # As torchrun starts them.

    def together(tool, *arguments):
        both = tool_server.run_together(repo_dir / tool, *arguments, cwd=repo_dir, envs=envs)
        assert [code for code, _, _ in both] == [0, 0], both

    together('tools/train.py', CONFIG, '--launcher', 'pytorch', '--work-dir', tmp_path / 'two', *options)
    files = {n: tmp_path / f'{n}.npz' for n in (1, 2)}

    def test(file, *more):
        out = '--work-dir', tmp_path / 't', '--out', file, '--out-item', 'pred'
        return CONFIG, tmp_path / 'two', *out, *more, *options

    code, _, err = tool_server.run(repo_dir / 'tools/test.py', *test(files[1]), cwd=repo_dir, **on_cpu)
    assert code == 0, err
    together('tools/test.py', *test(files[2], '--launcher', 'pytorch'))
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


def test_help_teaches(run):
    for tool in ('train', 'test'):
        code, out, _ = run(tool, '--help')
        assert code == 0 and 'examples:' in out
