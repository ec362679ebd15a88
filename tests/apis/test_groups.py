"""Clips that are alike, such as parts of one video, are not held out from each other."""

import json
import re
from collections import Counter
from functools import partial

import numpy as np
import pytest

from avzoo import FewShotClassifier
from avzoo.apis.clip_labels import group_of_each
from avzoo.evaluation.linear_fits import METHODS, compare
from avzoo.utils.errors import DataError
from tests.conftest import REPO

LABELS = np.arange(64) // 32
GROUPS = np.arange(64) // 4


quick = partial(FewShotClassifier, method='discriminant')


@pytest.fixture
def rows():
    """Parts of sixteen videos, eight of each class, that tell their video but not their class."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 20))[GROUPS] + 0.1 * rng.normal(size=(64, 20))


@pytest.mark.parametrize('groups', [GROUPS, [f'video {group}' for group in GROUPS]])
def test_accuracy_is_that_on_other_groups_than_were_trained_on(rows, groups):
    alone, grouped = (quick().fit(rows, LABELS, groups=g).report_ for g in (None, groups))
    assert alone['discriminant']['accuracy'] > 0.95
    assert grouped['discriminant']['accuracy'] < 0.75
    assert grouped == quick().fit(rows, LABELS, groups=groups).report_
    assert grouped != quick(random_state=1).fit(rows, LABELS, groups=groups).report_


def test_no_fold_divides_a_group_or_trains_without_a_class(rows):
    groups = np.where(LABELS == 0, GROUPS, 8 + GROUPS // 12)  # Two of the second class, which one fold may hold out.
    seen = []

    def fit(x, y, setting):
        seen.append([np.flatnonzero((rows == row).all(axis=1)).item() for row in x])
        assert set(y) == {0, 1}
        return METHODS['prototypes'][0](x, y, setting)

    (found,) = compare(lambda trained: rows, LABELS, dict(one=(fit, (1.0,))), 0, groups)
    assert 4 <= len(found.accuracies) == len(seen) <= 8
    for trained in seen:
        assert not set(groups[trained]) & set(np.delete(groups, trained))


def test_a_class_of_one_group_is_warned_of(rows):
    groups = np.where(LABELS == 0, 7, GROUPS)
    with pytest.warns(UserWarning, match='all clips of some class are in one group') as told:
        model = quick().fit(rows, LABELS, groups=groups)
    assert model.report_ == quick().fit(rows, LABELS).report_
    assert [one.filename for one in told] == [__file__]  # Where fit is called.


def test_single_clips_are_no_groups_to_warn_of(recwarn):
    assert FewShotClassifier().fit(np.eye(3), ['a', 'b', 'b'], groups=['', 'x', 'x']).report_ == {}
    assert not recwarn.list


def test_a_clip_without_a_group_is_alone():
    assert group_of_each(['x', '', None, 'x', ''], 5).tolist() == [0, 1, 2, 0, 3]
    assert group_of_each(['', None, 'x'], 3) is None and group_of_each(None, 3) is None


class NotAvailable:
    """Like the NA of pandas, which is there once and gives no answer."""

    def __eq__(self, other):
        return self

    def __hash__(self):
        return 0

    def __bool__(self):
        raise TypeError('boolean value of NA is ambiguous')


@pytest.mark.parametrize('missing', [np.nan, NotAvailable()])
def test_what_a_column_of_a_table_has_for_nothing_is_no_group(missing):
    assert group_of_each(['x', missing, missing, 'x'], 4).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize('groups', [['x'] * 3, [['x'] * 4] * 16, 'x'])
def test_there_is_one_group_for_each_clip(rows, groups):
    with pytest.raises(DataError, match='64 clips, but groups of shape'):
        FewShotClassifier().fit(rows, LABELS, groups=groups)


def write_extraction(folder, rows, column='group'):
    """Write a folder of extracted features, whose table has the groups in a column."""
    (folder / 'audio').mkdir(parents=True)
    (folder / 'extraction.json').write_text(json.dumps(dict(modalities=dict(audio=dict(extractor='vggish')))))
    lines = [f'{i},{label},{group}' for i, (label, group) in enumerate(zip(LABELS, GROUPS, strict=True))]
    (folder / 'clips.csv').write_text('\n'.join([f'video,label,{column}', *lines]))
    for i, row in enumerate(rows):
        np.save(folder / 'audio' / f'{i}.npy', row[None])


@pytest.mark.parametrize('column', ['group', 'filename'])  # An older folder names the files of its parts alone.
def test_groups_of_extracted_clips_are_those_of_their_table(rows, tmp_path, column):
    write_extraction(tmp_path, rows, column)
    found, expected = quick().fit(tmp_path), quick().fit(rows, LABELS, groups=GROUPS)
    assert found.report_ == expected.report_
    with pytest.raises(DataError, match='Leave y and groups out'):
        FewShotClassifier().fit(tmp_path, groups=GROUPS)


def test_the_example_of_the_page_holds_out_whole_groups(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_extraction(tmp_path / 'features', rows)
    page = (REPO / 'docs/from_videos.md').read_text(encoding='utf-8')
    (example,) = (text for text in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if 'extracted_clips' in text)
    taught = []
    learn = FewShotClassifier.fit

    def fit(self, clips, y, groups=None):
        taught.append(groups)
        return learn(self, clips, y, groups)

    monkeypatch.setattr(FewShotClassifier, 'fit', fit)
    known = dict(FewShotClassifier=quick)
    example = example.replace('cross_val_score(Few', 'scores = cross_val_score(Few')
    exec(example, known)
    assert len(known['scores']) == 5 and known['scores'].mean() < 0.75 and taught == [None] * 5
    taught.clear()
    exec(example.replace('groups=groups,', 'groups=groups, params=dict(groups=groups),'), known)
    assert len(taught) == 5 and all(set(Counter(groups).values()) == {4} for groups in taught)
