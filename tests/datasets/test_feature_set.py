"""A store says, in free text, what its features are."""

import json

import pytest

from avzoo.datasets.feature_set import FeatureSet, compare_feature_sets
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.joined_store import JoinedStore
from avzoo.datasets.split_files import add_splits
from avzoo.datasets.store_files import read_meta
from avzoo.utils.errors import DataError
from tests.datasets.small_store import LABELS, write

SET = {'audio': 'vggish-pca-u8', 'visual': 'our own, résumé of 2024'}
WRONG = {
    'another modality': {'video': 'c3d'},
    'empty': {'audio': ''},
    'outer blanks': {'audio': ' c3d'},
    'two lines': {'audio': 'c3d\nfc7'},
    'a number': {'audio': 3},
    'no names': 'c3d',
    'a list': ['c3d'],
}


def test_what_the_features_are_is_kept_also_when_splits_are_added(tmp_path):
    write(tmp_path / 'store', features=SET)
    add_splits(tmp_path / 'store', {1: {'val_base': ['video, 0']}}, LABELS)
    assert read_meta(tmp_path / 'store')['features'] == SET


@pytest.mark.parametrize('features', [None, {}])
def test_a_store_need_not_say_it(tmp_path, features):
    write(tmp_path / 'store', features=features)
    assert 'features' not in read_meta(tmp_path / 'store')


def test_one_modality_may_be_named_alone(tmp_path):
    write(tmp_path / 'store', features={'visual': 'c3d-fc7'})
    assert read_meta(tmp_path / 'store')['features'] == {'visual': 'c3d-fc7'}


@pytest.mark.parametrize('kind', WRONG)
def test_other_things_are_refused_on_writing_and_on_opening(tmp_path, kind):
    with pytest.raises(DataError, match='small: features has'):
        write(tmp_path / 'new', features=WRONG[kind])
    assert not list(tmp_path.iterdir())
    write(tmp_path / 'store')
    path = tmp_path / 'store' / 'store.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'features': WRONG[kind]}))
    with pytest.raises(DataError, match=r'store\.json: features has'):
        read_meta(tmp_path / 'store')


MINE = FeatureSet('data/mine', {'audio': 'vggish', 'visual': 'c3d fc7'})


@pytest.mark.parametrize(
    'texts',
    [
        {'audio': 'vggish', 'visual': 'c3d fc7'},
        {'visual': 'C3D_fc7', 'audio': 'VGGish'},
        {'audio': 'vggish', 'visual': 'c3d fc7', 'flow': 'i3d'},
    ],
    ids=['equal', 'in other spellings', 'with a modality that is not used'],
)
def test_equal_sets_leave_no_doubt(texts):
    assert compare_feature_sets(MINE, FeatureSet('a.pth', texts), ('audio', 'visual')) == ''


def test_two_sides_that_say_nothing_leave_no_doubt():
    assert compare_feature_sets(FeatureSet('data/mine'), FeatureSet('a.pth', {}), ('audio', 'visual')) == ''


@pytest.mark.parametrize('texts', [{}, {'audio': 'vggish'}], ids=['of nothing', 'of one modality only'])
def test_a_doubt_names_both_sides_where_only_one_says_something(texts):
    for sides in ((MINE, FeatureSet('a.pth', texts)), (FeatureSet('a.pth', texts), MINE)):
        doubt = compare_feature_sets(*sides, ('audio', 'visual'))
        assert f'data/mine: {MINE}' in doubt and f'a.pth: {FeatureSet("", texts)}' in doubt


def test_other_features_are_refused_with_both_sets_and_where_they_are_said():
    with pytest.raises(DataError, match=r'visual features.*data/mine: .*c3d fc7; a\.pth: .*c3d fc6.*store\.json'):
        compare_feature_sets(MINE, FeatureSet('a.pth', {'audio': 'vggish', 'visual': 'c3d fc6'}), ('audio', 'visual'))


def test_features_of_a_modality_that_is_not_used_may_differ():
    assert compare_feature_sets(MINE, FeatureSet('a.pth', {'audio': 'vggish', 'visual': 'clip'}), ('audio',)) == ''


def test_numbers_with_a_blank_between_them_are_other_numbers():
    with pytest.raises(DataError):
        compare_feature_sets(FeatureSet('a', {'audio': 'v1 2'}), FeatureSet('b', {'audio': 'v12'}), ('audio',))


def test_a_very_long_text_is_shown_in_part():
    with pytest.raises(DataError) as found:
        compare_feature_sets(MINE, FeatureSet('a.pth', {'audio': 'x' * 10**6}), ('audio',))
    assert len(str(found.value)) < 1000


def test_a_store_knows_its_set(tmp_path):
    write(tmp_path / 'store', features=SET)
    write(tmp_path / 'silent')
    assert FeatureStore(tmp_path / 'store').feature_set == FeatureSet(str(tmp_path / 'store'), SET)
    assert FeatureStore(tmp_path / 'silent').feature_set.texts == {}


def test_stores_of_other_features_are_not_joined(tmp_path):
    write(tmp_path / 'one', features=SET)
    write(tmp_path / 'other', features=SET | {'audio': 'pann'})
    write(tmp_path / 'part', features={'audio': SET['audio']})
    one, other, part = (FeatureStore(tmp_path / name) for name in ('one', 'other', 'part'))
    with pytest.raises(DataError, match=r'audio features.*vggish-pca-u8.*pann'):
        JoinedStore(one, other, one.class_names)
    assert JoinedStore(part, one, one.class_names).feature_set.texts == SET
