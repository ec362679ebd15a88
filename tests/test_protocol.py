"""The names of splits, by hand."""

import pytest

from avzoo.protocol import base_split, evaluation_splits, split_names, stage_of, train_splits

STAGE_1 = ['stage1_base', 'stage1_novel', 'val_base', 'val_novel']


def test_a_protocol_of_two_draws_has_these_splits():
    stage_2 = ['stage2_base', 'stage2_novel_0', 'stage2_novel_1', 'test_base', 'test_novel_0', 'test_novel_1']
    assert split_names(2) == [*STAGE_1, *stage_2]


def test_each_stage_trains_and_evaluates_on_base_and_novel_classes():
    assert [*train_splits(1), *evaluation_splits('val')] == STAGE_1
    assert train_splits(2, 1) == ('stage2_base', 'stage2_novel_1')
    assert evaluation_splits('test', 2) == ('test_base', 'test_novel_2')


@pytest.mark.parametrize(
    'wrong',
    [
        lambda: base_split(3),
        lambda: train_splits(3),
        lambda: train_splits(2),
        lambda: evaluation_splits('tset', 0),
        lambda: evaluation_splits('test'),
        lambda: stage_of('foo'),
        lambda: stage_of('test_novel_None'),
    ],
)
def test_names_outside_the_protocol_are_refused(wrong):
    with pytest.raises(ValueError, match=r'stages|draw=None|choose val or test|not a split'):
        wrong()


@pytest.mark.parametrize('name', [*split_names(), 'test_novel_12'])
def test_a_split_tells_its_stage(name):
    assert stage_of(name) == (1 if name in STAGE_1 else 2)
