"""Which weights answer for the folder of a run."""

import json
from pathlib import Path

import pytest

from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.zoo.build import config_of, config_path
from avzoo.zoo.runs import is_run, run_weights


@pytest.fixture
def run_folder(tmp_path):
    """A function that makes the folder of a run whose finished phases have files of weights."""

    def make(*finished, files=()):
        (tmp_path / 'config.py').write_text('')
        (tmp_path / 'curriculum.json').write_text(json.dumps(dict(phases={name: {} for name in finished})))
        for file in files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(b'')
        return tmp_path

    return make


def test_the_config_of_a_run_is_that_in_its_folder(run_folder):
    assert config_path(run_folder()) == run_folder() / 'config.py'


def test_a_name_of_the_zoo_means_its_model_wherever_a_run_lies(run_folder, tmp_path, monkeypatch):
    folder = run_folder().rename(tmp_path.parent / 'avdiff_synth_5shot')
    monkeypatch.chdir(folder.parent)
    assert config_path('avdiff_synth_5shot').parent.name == 'avdiff'
    for path in ('./avdiff_synth_5shot', 'avdiff_synth_5shot/', folder):
        assert config_path(path) == Path(path) / 'config.py'


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('nowhere', 'no model .*There is no folder nowhere of a run or a classifier either'),
        ('./nowhere', 'There is no config nowhere.* Nor is it the folder of a run or a classifier'),
        ('work_dirs/nowhere', 'There is no config work_dirs/nowhere.* Nor is it the folder of a run or a classifier'),
        ('configs/nowhere.py', 'The configs are in configs/METHOD'),
    ],
)
def test_a_mistyped_folder_is_not_only_sought_in_the_zoo(name, told):
    with pytest.raises(ConfigError, match=told):
        config_of(name)


def test_a_name_that_no_file_can_have_is_an_unknown_one():
    with pytest.raises(ConfigError, match='no model'):
        config_path('a' * 300)


@pytest.mark.parametrize('missing', ['config.py', 'curriculum.json'])
def test_a_folder_without_config_or_progress_is_no_run(run_folder, missing):
    folder = run_folder()
    (folder / missing).unlink()
    assert not is_run(folder) and config_path(folder) == folder


BASE, DRAW_0, DRAW_1 = 'stage2_base', 'stage2_full_draw0', 'stage2_full_draw1'
ALL = ('stage1_base', 'stage1_full', BASE, DRAW_0, DRAW_1)


@pytest.mark.parametrize(
    ('finished', 'files', 'full', 'base'),
    [
        (ALL, [f'{phase}/last.pth' for phase in ALL], f'{DRAW_0}/last.pth', f'{BASE}/last.pth'),
        (ALL, [f'{DRAW_0}/last.pth', f'{DRAW_0}/best.pth'], f'{DRAW_0}/best.pth', f'{DRAW_0}/best.pth'),
        (
            (BASE, 'stage2_full_draw10', 'stage2_full_draw9'),
            [f'stage2_full_draw{n}/last.pth' for n in (9, 10)],
            'stage2_full_draw9/last.pth',
            'stage2_full_draw9/last.pth',
        ),
        ((BASE, DRAW_1), [f'{p}/last.pth' for p in (DRAW_0, DRAW_1)], f'{DRAW_1}/last.pth', f'{DRAW_1}/last.pth'),
    ],
)
def test_the_first_finished_draw_answers_and_the_base_model_is_taught(run_folder, finished, files, full, base, capsys):
    folder = run_folder(*finished, files=files)
    assert run_weights(folder, 'full') == folder / full and full in capsys.readouterr().err
    assert run_weights(folder, 'base') == folder / base


@pytest.mark.parametrize('text', ['{}', '[]', '{"phases": [1]}', '{"phases": null}', '{"phases": {"a', ''])
def test_a_run_whose_progress_is_damaged_is_refused_with_the_way_around(run_folder, text):
    folder = run_folder(files=[f'{DRAW_0}/last.pth'])
    (folder / 'curriculum.json').write_text(text)
    with pytest.raises(
        CheckpointError, match=rf'{folder}/curriculum\.json, .* is damaged .*or add a checkpoint'
    ) as found:
        run_weights(folder, 'full')
    assert '--resume' not in str(found.value)


def test_a_run_without_a_finished_draw_is_refused(run_folder):
    folder = run_folder('stage1_full', files=['stage1_full/last.pth', f'{DRAW_0}/last.pth'])
    with pytest.raises(CheckpointError, match=f'{folder} has no weights of a finished full sub-stage of stage 2'):
        run_weights(folder, 'full')
