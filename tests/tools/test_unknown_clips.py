"""The tool that measures what is said of clips of none of the classes."""

import numpy as np
import pytest

import measure_unknown
import unknown_clips
from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import DataError


@pytest.fixture(autouse=True)
def few_others(monkeypatch):
    monkeypatch.setattr(unknown_clips, '_OTHER_CLASSES', 4)


def test_a_class_of_other_clips_takes_what_is_unknown(tiny_store):
    store = FeatureStore(tiny_store)
    without, with_others = (unknown_clips.measure(store, 4, 3, others, draw=0) for others in (0, 8))
    assert without[1:3] == [0, 0] and with_others[2] > 50
    assert without == unknown_clips.measure(store, 4, 3, 0, draw=0) != unknown_clips.measure(store, 4, 3, 0, draw=1)
    assert all(0 <= value <= 100 for value in (*without, *with_others))


def test_classes_and_clips_are_apart(tiny_store, monkeypatch):
    asked = []
    features = unknown_clips._features
    monkeypatch.setattr(
        unknown_clips, '_features', lambda store, videos: asked.append(videos) or features(store, videos)
    )
    store = FeatureStore(tiny_store)
    unknown_clips.measure(store, 4, 3, 4, draw=0)
    taught, known, unlike = ([int(v) for v in videos] for videos in asked)
    assert not set(taught) & set(known) and len(taught) == 4 * 3 + 4
    labels = [set(store.labels[videos]) for videos in (taught[:12], taught[12:], unlike)]
    assert len(labels[0]) == len(labels[1]) == 4 and len(set.union(*labels)) == sum(map(len, labels)) == 11
    assert set(store.labels[known]) == labels[0]


def test_each_case_is_a_row_for_each_number_of_others(tiny_store, capsys):
    assert measure_unknown.main([str(tiny_store), '--case', '4', '2', '--case', '5', '4', '--draws', '2']) == 0
    rows = [line.split(' | ') for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        ['| 4 x 2', '-'], ['| 4 x 2', '2'], ['| 4 x 2', '4'], ['| 5 x 4', '-'], ['| 5 x 4', '4']
    ]  # fmt: skip
    values = [unknown_clips.measure(FeatureStore(tiny_store), 4, 2, 0, draw)[0] for draw in range(2)]
    assert rows[0][2].startswith(f'{np.mean(values):.1f} ± ')


def test_too_few_classes_are_told(tiny_store):
    with pytest.raises(DataError, match=r'has 11 classes, but 12 are needed to fit 6. Use fewer with --case'):
        measure_unknown.main([str(tiny_store), '--case', '6', '2'])
