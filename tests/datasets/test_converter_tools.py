"""The converter tools: their help, their exit codes, their one-line errors."""

from types import SimpleNamespace

import numpy as np
import pytest

from avzoo.utils.cli import run_tool
from avzoo.utils.errors import DataError
from tests.forked import run_tool_file


def run(repo_dir, tool, *args):
    path = repo_dir / 'tools' / 'dataset_converters' / f'{tool}.py'
    code, out, err = run_tool_file(path, *args, cwd=repo_dir)
    return SimpleNamespace(returncode=code, stdout=out, stderr=err)


@pytest.mark.parametrize('tool', ['official', 'features', 'splits', 'synth'])
def test_help_teaches_with_an_example(repo_dir, tool):
    done = run(repo_dir, tool, '--help')
    assert done.returncode == 0 and f'python tools/dataset_converters/{tool}.py ' in done.stdout


def test_splits_prints_table_1_and_writes_the_lists(repo_dir, shared_dir, tmp_path):
    done = run(repo_dir, 'splits', shared_dir / 'data/gzsl_lists/UCF', tmp_path / 'out', '--shots', 1, 5)
    assert done.returncode == 0
    assert [' '.join(line.split()) for line in done.stdout.strip().split('\n') if '---' not in line] == [
        'K V_B1 V_N1 Val_B Val_N V_B2 V_N2 Test_B Test_N',
        '1 3174 12 353 1455 4994 6 555 839',
        '5 3174 60 353 1407 4994 30 555 815',
    ]
    assert len((tmp_path / 'out/5shot/test_novel_2.txt').read_text().split()) == 815


def test_splits_of_incomplete_lists_say_what_is_missing(repo_dir, shared_dir, tmp_path):
    done = run(repo_dir, 'splits', shared_dir / 'data/gzsl_lists/VGGSound', tmp_path / 'out', '--shots', 5)
    assert done.returncode == 0 and 'lacks stage_1_train.csv' in done.stderr
    assert not (tmp_path / 'out/5shot/stage1_base.txt').exists()


def test_features_are_converted_and_summed_up(repo_dir, shared_dir, tmp_path):
    folder = shared_dir / 'data' / 'yt8m_fsl'
    done = run(
        repo_dir,
        'features',
        tmp_path / 'out',
        '--features',
        folder / 'features.npz',
        '--lists',
        folder,
        '--class-embeddings',
        folder / 'class_embeddings.npy',
        '--shots',
        5,
        '--seconds-visual',
        120,
    )
    assert done.returncode == 0, done.stderr
    assert '4223 videos, 48 classes' in done.stdout
    assert '5 1940 60 249 940 3189 30 434 570' in ' '.join(done.stdout.split())


@pytest.mark.parametrize(
    'tool, args',
    [
        ('official', ['nowhere', 'out']),
        ('splits', ['nowhere', 'out']),
        ('features', ['out', '--features', 'no.npz', '--lists', 'no', '--class-embeddings', 'no.npy']),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(repo_dir, tmp_path, tool, args):
    done = run(repo_dir, tool, *(tmp_path / arg if not arg.startswith('--') else arg for arg in args))
    errors = [line for line in done.stderr.split('\n') if line.startswith('error: ')]
    assert done.returncode == 2 and len(errors) == 1 and 'Traceback' not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_negative_seed_is_refused(repo_dir, tmp_path):
    done = run(repo_dir, 'synth', tmp_path / 'out', '--seed', -1)
    assert done.returncode == 2 and "'-1' is not a whole number of at least 0" in done.stderr


@pytest.mark.parametrize('raised, code', [(DataError('no such store'), 2), (KeyboardInterrupt(), 130)])
def test_run_tool_turns_errors_into_exit_codes(capsys, raised, code):
    def main(argv):
        raise raised

    assert run_tool(main, []) == code
    assert capsys.readouterr().err == ('error: no such store\n' if code == 2 else 'interrupted\n')


def test_run_tool_leaves_bugs_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda argv: 1 // 0)


def test_run_tool_passes_the_result_on():
    assert run_tool(lambda argv: None) == 0 and run_tool(lambda argv: len(argv), ['a', 'b', 'c']) == 3
    assert np.isscalar(run_tool(lambda argv: 0))
