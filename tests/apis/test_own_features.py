"""Features of the user's own teach a classifier."""

import numpy as np
import pytest

from avzoo import FewShotClassifier
from avzoo.apis.own_features import read_own_features
from avzoo.readers import csv_columns
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import DataError
from avzoo.utils.regular_files import lines_of
from tests.tools.test_printing import tool


@pytest.fixture
def features(tmp_path):
    """A folder of an array for each clip and modality, and the table of their classes and groups."""
    rng = np.random.default_rng(0)
    for modality, width in dict(audio=8, visual=12).items():
        (tmp_path / 'own' / modality).mkdir(parents=True)
        for i in range(12):
            np.save(tmp_path / 'own' / modality / f'v{i}.npy', rng.normal(size=(3, width)) + i % 2)
    rows = [f'v{i}.mp4;{"ab"[i % 2]};{"g" if i < 4 else ""}' for i in range(11)]
    (tmp_path / 'clips.csv').write_text('\n'.join(['Clip;Class;Group', *rows]))
    return tmp_path / 'own', tmp_path / 'clips.csv'


def test_features_and_a_table_are_one_set_of_clips(features, caplog):
    clips = read_own_features(*features)
    assert clips.labels == list('abababababa') and clips.groups == ['g'] * 4 + [''] * 7
    assert clips.videos == [f'v{i}.mp4' for i in range(11)] and clips.stamps == {}
    for modality, arrays in clips.features.items():
        for i, array in enumerate(arrays):
            np.testing.assert_array_equal(array, np.load(features[0] / modality / f'v{i}.npy'))
    assert '1 clip without a label' in caplog.text


@pytest.mark.parametrize(
    ('header', 'times', 'told'),
    [
        ('start,end', ['0,2', '3,', ' ,'], 'times of 2 clips are not used: a label applies to all features of its'),
        ('Start_seconds,split', ['10,train', ',train', '0:00,test'], 'times of 1 clip are not used'),
        ('start,end', [',', '0.0,', ' ,'], None),
        ('start,end', ['NA,NaN', '-,', ','], None),
        ('note,split', ['1,2', '3,4', '5,6'], None),
    ],
)
def test_times_of_parts_beside_labels_are_warned_of(features, caplog, header, times, told):
    folder, table = features
    table.write_text('\n'.join([f'video,label,{header}', *(f'v{i},{"aba"[i]},{t}' for i, t in enumerate(times))]))
    assert read_own_features(folder, table).labels == list('aba')
    assert (told or 'without a label') in caplog.text and ('are not used' in caplog.text) == (told is not None)
    (table.parent / 'extraction.json').touch()  # Each clip of such a table is a part.
    caplog.clear()
    read_own_features(folder, table)
    assert 'are not used' not in caplog.text


def test_the_table_of_labels_is_read_once(features, monkeypatch):
    opened = []
    monkeypatch.setattr(csv_columns, 'lines_of', lambda path, **how: opened.append(path) or lines_of(path, **how))
    read_own_features(*features)
    assert opened == [features[1]]


def test_a_file_may_have_labels_of_its_own(tmp_path):
    rows = np.random.default_rng(0).normal(size=(6, 4))
    np.savez(tmp_path / 'one.npz', video_id=list('uvwxyz'), audio=rows, label=list('ababab'))
    clips = read_own_features(tmp_path / 'one.npz')
    assert clips.labels == list('ababab') and np.concatenate(clips.features['audio']) == pytest.approx(rows)
    np.savez(tmp_path / 'two.npz', video_id=list('uvwxyz'), audio=rows)
    with pytest.raises(DataError, match=r'two\.npz has no labels\. Give a table .*--labels'):
        read_own_features(tmp_path / 'two.npz')


def test_they_teach_what_their_arrays_teach(features, tmp_path, capsys):
    clips = read_own_features(*features)
    expected = FewShotClassifier().fit(clips.features, clips.labels, groups=clips.groups)
    support, table = map(str, features)
    assert run_tool(tool('adapt').main, ['--support', support, '--labels', table, '--out', str(tmp_path / 'c')]) == 0
    found = FewShotClassifier.from_pretrained(tmp_path / 'c')
    assert found.report_ == expected.report_ and found.stamps_ == {}
    np.testing.assert_array_equal(found.linear_.weight, expected.linear_.weight.astype(np.float32))
    assert 'fitted in' in capsys.readouterr().out
    assert run_tool(tool('predict').main, [str(tmp_path / 'c'), '--features', support, '--csv']) == 0
    answers = [line.split(',') for line in capsys.readouterr().out.splitlines()]
    best = {line[0]: line[4] for line in answers if line[3] == '1'}
    assert [best[f'v{i}'] for i in range(12)] == list('abababababab')


def test_clips_without_features_are_all_named(features):
    (features[0] / 'audio' / 'v3.npy').unlink()
    (features[0] / 'audio' / 'v5.npy').unlink()
    with pytest.raises(DataError, match='lacks the features of 2 clips') as caught:
        read_own_features(*features)
    assert "'v3.mp4': no audio features" in str(caught.value)


@pytest.mark.parametrize('given', [['--visual', 'none'], ['--audio', 'vggish'], ['m', '--shots', '2']])
def test_labels_go_with_features_and_without_a_model(given, capsys):
    with pytest.raises(SystemExit):
        tool('adapt').parse_args([*given, '--support', 'x', '--labels', 'y.csv'])
    assert 'argument --labels' in capsys.readouterr().err


def test_features_without_labels_say_what_they_need(features, capsys):
    assert run_tool(tool('adapt').main, ['--support', str(features[0])]) == 2
    assert '--labels TABLE' in capsys.readouterr().err
