"""The tools that show what finished runs found."""

import pytest

from tests.conftest import REPO
from tests.report.conftest import run_tool_file as run
from tests.report.conftest import write_run


@pytest.mark.parametrize(
    ('tool', 'pictures'),
    [
        ('curves', {'seen_unseen', 'learning_stage1_base', 'reliability'}),
        ('confusion', {'confusion'}),
        ('compare', {'draws', 'base_novel'}),  # That of the cost needs a record of it.
    ],
)
def test_each_picture_is_written_with_its_data(tmp_path, tool, pictures):
    folder = write_run(tmp_path / 'run')
    assert run(f'analysis_tools/{tool}.py', folder, '-o', tmp_path / 'out', '--format', 'png') == 0
    found = {path.name for path in (tmp_path / 'out').iterdir()}
    assert {f'{name}.{kind}' for name in pictures for kind in ('png', 'csv')} <= found
    assert (tmp_path / 'out' / f'{min(pictures)}.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize('suffix', ['html', 'md', 'csv', 'tex'])
def test_a_report_is_of_the_kind_that_its_name_says(tmp_path, suffix):
    assert run('report.py', write_run(tmp_path / 'run'), '-o', tmp_path / f'out.{suffix}') == 0
    start = dict(html='<!doctype html>', md='| method', csv='run,dataset', tex='% method')[suffix]
    assert (tmp_path / f'out.{suffix}').read_text().startswith(start)


@pytest.mark.parametrize('tool', ['report.py', 'leaderboard.py'])
def test_another_kind_of_file_is_refused_before_anything_is_read(tmp_path, tool, capsys):
    with pytest.raises(SystemExit):
        run(tool, tmp_path / 'nothing', '-o', 'out.docx')
    assert '.md' in capsys.readouterr().err


@pytest.mark.parametrize('suffix', ['md', 'html'])
def test_a_leaderboard_ranks_all_runs_below_a_folder(tmp_path, suffix):
    write_run(tmp_path / 'a')
    write_run(tmp_path / 'b', method='AV-Gauss')
    assert run('leaderboard.py', tmp_path, '-o', tmp_path / f'out.{suffix}') == 0
    text = (tmp_path / f'out.{suffix}').read_text()
    assert 'AV-Gauss' in text
    assert 'AV-DIFF' in text


def test_a_printed_config_is_whole_and_can_be_read_again(tmp_path, capsys):
    from avzoo.config.load import load_config

    assert run('print_config.py', 'avgauss_synth_5shot', '--cfg-options', 'randomness.seed=7') == 0
    path = tmp_path / 'printed.py'
    path.write_text(capsys.readouterr().out)
    printed, own = load_config(path), load_config(REPO / 'configs/avgauss/avgauss_synth_5shot.py')
    assert printed.randomness.seed == 7
    own.randomness.seed = 7
    assert printed.to_dict() == own.to_dict()
