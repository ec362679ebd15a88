"""The tool that says how many clips a few-shot classifier needs."""

import json

import numpy as np
import pytest

from avzoo import FewShotClassifier
from avzoo.datasets.feature_store import FeatureStore
from avzoo.evaluation.learning_curve import draw_clips
from avzoo.utils.cli import run_tool
from tests.tools.test_printing import tool

main = tool('analysis_tools/learning_curve').main
QUICK = ('--draws', '2', '--method', 'prototypes')


@pytest.fixture
def extracted(tmp_path):
    """What an extraction writes of two classes of four videos, each in two parts."""
    rng = np.random.default_rng(0)
    (tmp_path / 'F/audio').mkdir(parents=True)
    rows = [(f'v{i}', 'ab'[i % 2], f'film{i // 4 * 2 + i % 2}.mp4') for i in range(16)]
    for video, label, _ in rows:
        np.save(tmp_path / f'F/audio/{video}.npy', rng.normal(size=(3, 8)) + (label == 'a'))
    (tmp_path / 'F/extraction.json').write_text(json.dumps(dict(modalities=dict(audio=dict(extractor='vggish')))))
    (tmp_path / 'F/clips.csv').write_text('\n'.join(map(','.join, [('video', 'label', 'filename'), *rows])))
    return tmp_path / 'F'


def test_the_table_is_what_the_classifier_does(tiny_store, tmp_path, capsys):
    out = tmp_path / 'curve.json'
    arguments = [str(tiny_store), '--classes', '3', '9', '20', '--shots', '1', '2', *QUICK, '--out', str(out)]
    assert run_tool(main, arguments) == 0
    printed = capsys.readouterr()
    rows = [line.split(' | ') for line in printed.out.splitlines()[2:]]
    assert [row[0] for row in rows] == ['| 3 x 1', '| 3 x 2', '| 9 x 1', '| 9 x 2']
    assert 'skipped: 20 x 1: only 11 classes have 1 clip' in printed.err and '20 x 2' in printed.err
    found = json.loads(out.read_text())
    assert found['seed'] == 0 and found['method'] == 'prototypes'
    store = FeatureStore(tiny_store)
    names = np.unique(np.array(store.class_names)[store.labels], return_inverse=True)[1]
    taught, asked = draw_clips(names, np.arange(len(store)), 9, 2, (0, 1))
    features = [{m: store.temporal_mean(m, rows) for m in store.modalities} for rows in (taught, asked)]
    model = FewShotClassifier(method='prototypes').fit(features[0], names[taught])
    draw = found['cases'][-1]['draws'][1]
    assert draw['accuracy'] == pytest.approx(100 * model.score(features[1], names[asked]))
    assert draw['cross_validation'] == pytest.approx(100 * model.report_['prototypes']['accuracy'])
    assert run_tool(main, arguments) == 0
    assert json.loads(out.read_text()) == found


def test_extracted_features_keep_their_videos_together(extracted, monkeypatch, capsys):
    asked = []
    predict = FewShotClassifier.predict
    monkeypatch.setattr(FewShotClassifier, 'predict', lambda self, x: asked.append(len(x['audio'])) or predict(self, x))
    assert run_tool(main, [str(extracted), '--shots', '1', '6', '7', *QUICK]) == 0
    assert asked == [2 * 6] * 2 + [2 * 2] * 2
    assert 'skipped: 2 x 7: 0 classes' in capsys.readouterr().err


def test_features_of_your_own_have_a_table(extracted, tmp_path, capsys):
    table = tmp_path / 'own.csv'
    table.write_text('\n'.join(['video,label', *(f'v{i},{"cd"[i < 6]}' for i in range(12))]))
    arguments = [str(extracted), '--labels', str(table), '--classes', '2', '--shots', '5', *QUICK]
    assert run_tool(main, arguments) == 0
    assert '| 2 x 5 |' in capsys.readouterr().out


def test_what_is_not_possible_is_told(tiny_store, tmp_path, capsys):
    assert run_tool(main, [str(tiny_store), '--classes', '12']) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith('tiny has too few clips. Choose fewer classes or shots, or add clips:') and len(told) == 5
    assert run_tool(main, [str(tmp_path)]) == 2
    assert 'neither a feature store nor a folder of extracted features' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tiny_store), '--classes', '1', '4'])
    assert 'at least two classes' in capsys.readouterr().err
