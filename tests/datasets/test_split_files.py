"""Splits that are added to a store."""

import pytest

from avzoo.datasets import split_files
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.split_files import add_splits
from avzoo.utils.errors import DataError
from tests.datasets.small_store import LABELS


def interrupt(*_):
    raise KeyboardInterrupt


def test_added_splits_are_checked_and_fingerprinted(root):
    add_splits(root, {2: {'val_base': ['video, 6']}}, LABELS)
    store = FeatureStore(root, verify=True)
    assert store.shots() == [2, 5] and store.split(2, 'val_base').tolist() == [6]
    with pytest.raises(DataError, match="'ghost'"):
        add_splits(root, {3: {'val_base': ['ghost']}}, LABELS)
    assert FeatureStore(root, verify=True).shots() == [2, 5]


def test_added_splits_must_agree_with_the_store_on_labels(root):
    with pytest.raises(DataError, match=r"'video, 6' is of class 'barking, loud' in the store, of 'tap' in the lists"):
        add_splits(root, {2: {'val_base': ['video, 6']}}, LABELS | {'video, 6': 'tap'})
    assert FeatureStore(root, verify=True).shots() == [5]


def test_splits_that_were_not_finished_can_be_drawn_again(root, monkeypatch):
    splits = {5: {'val_base': ['video, 6']}}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(split_files, 'sha256_of', interrupt)  # the new lists are there, their checksums not yet
        add_splits(root, splits, LABELS)
    assert FeatureStore(root).split(5, 'val_base').tolist() == [6]
    with pytest.raises(DataError, match=r'val_base\.txt has no checksum .* splits.*\.py'):
        FeatureStore(root, verify=True)
    add_splits(root, splits, LABELS)
    assert FeatureStore(root, verify=True).split(5, 'val_base').tolist() == [6]


def test_splits_that_cannot_be_written_leave_the_old_ones(root, monkeypatch):
    monkeypatch.setattr(split_files, 'write_lines', interrupt)
    with pytest.raises(KeyboardInterrupt):
        add_splits(root, {5: {'val_base': ['video, 6']}}, LABELS)
    assert FeatureStore(root).split_sizes(5) == {'stage1_base': 7, 'val_base': 2}
    assert [path.name for path in (root / 'splits').iterdir()] == ['5shot']
