"""A store says, in free text, what its features are."""

import json

import pytest

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
