"""What a run says of its features, and of the end of its first stage."""

import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum import progress
from avzoo.protocol import TABLE_METRICS, train_splits


@pytest.fixture
def lines(monkeypatch):
    said = []
    monkeypatch.setattr(progress, 'log_line', said.append)
    return said


def test_every_doubt_about_the_features_of_stage_one_is_said(lines, small_avdiff, tmp_path, monkeypatch):
    cfg = small_avdiff(tmp_path, 'data_preprocessor.scale.audio=0.5')
    asked = []
    monkeypatch.setattr(progress, 'check_features', lambda *given: asked.append(given) or ['one', 'other'])
    progress.warn_of_features(cfg)
    assert lines == ['WARNING: one', 'WARNING: other']
    ((store, modalities, trained, scale),) = asked
    assert store.root == FeatureStore(cfg.data_root).root
    wanted = [video for name in train_splits(1) for video in FeatureStore(cfg.data_root).split(2, name)]
    assert trained.tolist() == wanted and set(modalities) == {'audio', 'visual'} and scale['audio'] == 0.5


@pytest.mark.parametrize('validated', [False, True])
def test_the_end_of_stage_one_tells_what_validation_chose(lines, validated):
    metrics = dict.fromkeys(TABLE_METRICS, 12.346) if validated else {}
    progress.report_stage_one(dict(metrics=metrics, best_epoch=2, epochs=3))
    (line,) = lines
    chose = ' Validation chose epoch 2 of 3: ' + '  '.join(f'{key} 12.35' for key in TABLE_METRICS) + '.'
    assert line.startswith(f'Stage 1 is finished.{chose if validated else ""} Repeat the command with --resume ')
