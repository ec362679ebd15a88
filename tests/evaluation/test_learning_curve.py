"""How good a classifier becomes with more clips: which clips are drawn, and what is counted."""

import warnings
from collections import Counter

import numpy as np
import pytest

from avzoo.evaluation.learning_curve import curve_table, draw_clips, learning_curve, plan_draws
from avzoo.utils.errors import DataError
from avzoo.utils.tables import text_table

COLUMNS = np.repeat(np.arange(6), [4, 8, 8, 8, 8, 12])
ALONE = np.arange(len(COLUMNS))
PAIRS = ALONE // 2


class LowestClass:
    """Takes every clip for the first class; says how good it is, or nothing where a class has one clip."""

    method_ = 'lowest'

    def fit(self, clips, y, groups):
        warnings.warn('a doubt', stacklevel=1)
        taught = np.bincount(y)
        assert len(clips['x']) == len(y) == len(groups)
        self.answer = int(np.flatnonzero(taught)[0])
        self.report_ = {} if taught.max() < 2 else dict(lowest=dict(accuracy=0.75))

    def predict(self, clips):
        return np.full(len(clips['x']), self.answer)


def measured(classes, shots, draws=3, **settings):
    plan, _ = plan_draws(COLUMNS, ALONE, classes, shots, draws, 0)
    features = dict(x=np.zeros((len(COLUMNS), 2)))
    return plan, learning_curve(features, COLUMNS, ALONE, plan, LowestClass, **settings)


@pytest.mark.parametrize('groups', [ALONE, PAIRS, ALONE % 5])
@pytest.mark.parametrize('seed', [(0, 0), (0, 1), (7, 0)])
def test_what_is_taught_is_not_asked_about_nor_are_its_groups(groups, seed):
    draw = draw_clips(COLUMNS, groups, 3, 2, seed)
    assert sorted(Counter(COLUMNS[draw.taught].tolist()).values()) == [2, 2, 2]
    assert not set(groups[draw.taught]) & set(groups[draw.asked])
    assert set(COLUMNS[draw.asked]) <= set(COLUMNS[draw.taught])
    if groups is ALONE:  # All others of these classes are.
        assert len(draw.asked) == np.isin(COLUMNS, COLUMNS[draw.taught]).sum() - 6


def test_a_seed_gives_the_same_draws_and_another_one_others():
    plans = [plan_draws(COLUMNS, PAIRS, [2, 3], [1, 2], 4, seed)[0] for seed in (0, 0, 1)]
    texts = [{case: [draw.taught.tolist() for draw in draws] for case, draws in plan.items()} for plan in plans]
    assert texts[0] == texts[1] and all(texts[0][case] != texts[2][case] for case in texts[0])
    assert len({str(taught) for taught in texts[0][3, 2]}) == 4


def test_draws_of_more_hold_those_of_fewer():
    few, more_clips, more_classes = (
        set(draw_clips(COLUMNS, ALONE, *n, (0, 0)).taught) for n in [(3, 1), (3, 3), (5, 1)]
    )
    assert few < more_clips and few < more_classes


def test_classes_of_too_few_clips_are_not_drawn_and_what_is_not_possible_is_told():
    plan, skipped = plan_draws(COLUMNS, ALONE, [2, 6], [3, 5, 11, 12, 3], 20, 0)
    assert list(plan) == [(2, 3), (2, 5), (6, 3)]
    assert {0} == set(range(6)) - {int(c) for draw in plan[2, 5] for c in COLUMNS[draw.taught]}
    assert skipped == [
        '2 x 11: only 1 class has 11 clips and one more, from another group, to predict.',
        '2 x 12: 0 classes have 12 clips and one more, from another group, to predict.',
        '6 x 5: only 5 classes have 5 clips and one more, from another group, to predict.',
        '6 x 11: only 1 class has 11 clips and one more, from another group, to predict.',
        '6 x 12: 0 classes have 12 clips and one more, from another group, to predict.',
    ]


def test_all_clips_of_a_group_count_as_one_more():
    groups = np.where(COLUMNS == 5, 99, PAIRS)
    assert list(plan_draws(COLUMNS, groups, [4], [6], 1, 0)[0]) == [(4, 6)]
    for classes, shots, possible in ((4, 7, 0), (6, 1, 5)):
        with pytest.raises(DataError, match=f'{possible} classes have {shots} clip'):
            draw_clips(COLUMNS, groups, classes, shots, (0, 0))


def test_groups_that_leave_nothing_to_ask_about_are_told():
    columns, groups = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    seeds = [(0, draw) for draw in range(8)]
    told = []
    for seed in seeds:
        try:
            assert len(draw_clips(columns, groups, 2, 1, seed).asked) == 2
        except DataError as error:
            told.append(str(error))
    assert 0 < len(told) < 8 and set(told) == {'2 x 1: all other clips share a group with a support clip.'}


def test_accuracy_is_of_the_other_clips_and_cross_validation_is_compared_draw_by_draw(recwarn):
    plan, (one, several) = measured([2], [1, 2])
    for case, found in (((2, 1), one), ((2, 2), several)):
        known = [np.mean(COLUMNS[draw.asked] == COLUMNS[draw.taught].min()) for draw in plan[case]]
        assert [row['accuracy'] for row in found['draws']] == pytest.approx([100 * value for value in known])
        assert found['accuracy']['mean'] == pytest.approx(100 * np.mean(known))
        # Student's t of two degrees of freedom.
        assert found['accuracy']['ci95'] == pytest.approx(430.2653 * np.std(known, ddof=1) / np.sqrt(3))
        assert [row['asked'] for row in found['draws']] == [len(draw.asked) for draw in plan[case]]
    assert one['cross_validation_minus_accuracy'] is None
    assert several['cross_validation_minus_accuracy']['mean'] == pytest.approx(75 - several['accuracy']['mean'])
    assert several['cross_validation_minus_accuracy']['ci95'] == pytest.approx(several['accuracy']['ci95'])
    assert several['methods'] == {'lowest': 3} and not recwarn.list


def test_progress_counts_the_draws():
    told = []
    measured([2, 3], [1], draws=2, report=lambda *now: told.append(now))
    assert told == [(done, 4) for done in range(5)]


def test_the_table_has_a_row_for_each_combination():
    cases = [
        dict(
            classes=4,
            shots=5,
            accuracy=dict(mean=87.25, ci95=2.0),
            cross_validation_minus_accuracy=dict(mean=1.0, ci95=3.04),
            methods=dict(prototypes=2, discriminant=1),
        ),
        dict(
            classes=10,
            shots=1,
            accuracy=dict(mean=50.0, ci95=None),
            cross_validation_minus_accuracy=None,
            methods=dict(prototypes=1),
        ),
    ]
    lines = [line.split('  ') for line in curve_table(cases, text_table).splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows[2:] == [
        ['4 x 5', '87.2 ± 2.0', '+1.0 ± 3.0', 'prototypes 2, discriminant 1'],
        ['10 x 1', '50.0', '-', 'prototypes 1'],
    ]
