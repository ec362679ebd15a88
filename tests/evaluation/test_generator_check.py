"""Generators that are known to have learned, or not to have, are told apart."""

import pytest
import torch

from avzoo.evaluation import generator_check
from avzoo.evaluation.generator_check import Features, check_generator, check_line, nearest_neighbours, other_columns

CLASSES, DIM = 6, 4
BASE = torch.arange(CLASSES) < 2
MEANS = 4 * torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(0))


def drawn(columns: torch.Tensor, seed: int) -> torch.Tensor:
    return MEANS[columns] + torch.randn(len(columns), DIM, generator=torch.Generator().manual_seed(seed))


# What a generator has to reach; FSL, of a chance of 25, half of what is left to 100.
DISTANCE, FSL = 'distance < that of one shot', 'FSL of its features >= 62.5'
HELD_OUT_LABELS = torch.arange(CLASSES).repeat(40)
HELD_OUT = Features(drawn(HELD_OUT_LABELS, 1), HELD_OUT_LABELS)
SHOTS = Features(drawn(torch.arange(2, CLASSES), 2), torch.arange(2, CLASSES))


def good(columns):
    return drawn(columns, 3)


def error(features, columns):
    return float((features.x - MEANS[columns]).square().mean())


def check(sample=good, error=error):
    return check_generator(sample, error, SHOTS, HELD_OUT, BASE)


def test_a_generator_of_the_true_distribution_has_learned():
    found = check()
    assert found['learned'] and found['synthetic_accuracy'] > 90 and found['chance'] == 25
    assert 'generator: learned' in check_line(found) and 'needed' not in check_line(found)
    # Of 50 samples the mean is 50 times closer than one shot, beside the distance of the held-out mean itself.
    assert found['shot_mean_distance'] == pytest.approx(DIM * (1 + 1 / 40), rel=0.6)
    assert found['mean_distance'] == pytest.approx(DIM * (1 / 50 + 1 / 40), rel=0.6)
    assert found['loss_true'] == pytest.approx(1, abs=0.1) and found['loss_shuffled'] > 5


@pytest.mark.parametrize(
    ('failing', 'needed'),
    [
        # Another novel class's features.
        (dict(sample=lambda columns: good((columns - 1) % 4 + 2)), [DISTANCE, FSL]),
        # Far away, although nothing changes among the classes.
        (dict(sample=lambda columns: good(columns) + 3), [DISTANCE]),
        (dict(sample=lambda columns: torch.zeros(len(columns), DIM)), [DISTANCE, FSL]),
        (dict(error=lambda features, columns: 0.9), ['loss with shuffled conditions >= 0.990']),
    ],
)
def test_a_generator_that_fails_one_of_the_tests_has_not_learned_and_is_told_its_bar(failing, needed):
    found = check(**failing)
    assert not found['learned'] and 'not learned' in check_line(found)
    assert check_line(found).endswith(f', chance 25.0); needed: {", ".join(needed)}')


def test_a_generator_without_a_loss_is_judged_by_its_samples():
    found = check(error=None)
    assert found['learned'] and 'loss_true' not in found and 'shuffled' not in check_line(found)


# By hand: two shots at 0 and 10, held-out features at 1, 2, 2 and 20, generated ones at 0, 2, 4 and 6.
LINE_SHOTS, LINE_REAL = torch.tensor([[0.0], [10.0]]), torch.tensor([[1.0], [2.0], [2.0], [20.0]])


def on_a_line(x: torch.Tensor) -> Features:
    return Features(x, torch.zeros(len(x), dtype=torch.long))


def neighbours(real: torch.Tensor, generated: tuple[float, ...] = (0.0, 2.0, 4.0, 6.0)) -> dict:
    made = torch.tensor(generated).unsqueeze(1)
    return nearest_neighbours(on_a_line(made), on_a_line(LINE_SHOTS), on_a_line(real))


def test_neighbours_are_those_found_by_hand():
    # Ratios 0 / 1, 2 / 0, 4 / 2 and 4 / 4; of held-out features 1 / 1, 2 / 0, 2 / 0 and 10 / 18.
    found = neighbours(LINE_REAL)
    assert (found['nearest_is_shot'], found['shot_distance_ratio']) == (25, 1)
    assert (found['real_nearest_is_shot'], found['real_shot_distance_ratio']) == (25, 1)
    assert neighbours(LINE_REAL, (0.0,))['shot_distance_ratio'] < 1e-6
    assert neighbours(LINE_REAL, (10.0, 9.0, 8.0))['shot_distance_ratio'] == pytest.approx(1 / 7)
    at_both = neighbours(torch.tensor([[1.0], [10.0]]), (10.0,))
    assert (at_both['nearest_is_shot'], at_both['shot_distance_ratio']) == (0, 1)


def test_one_held_out_feature_has_no_other_beside_it():
    found = neighbours(LINE_REAL[:1])
    assert found['real_nearest_is_shot'] is found['real_shot_distance_ratio'] is None
    assert found['nearest_is_shot'] == 50
    assert neighbours(LINE_REAL[:2])['real_shot_distance_ratio'] == 1


def test_of_many_held_out_features_an_even_share_is_compared(monkeypatch):
    monkeypatch.setattr(generator_check, '_MOST_REAL', 2)
    assert neighbours(LINE_REAL) == neighbours(LINE_REAL[::2])
    assert neighbours(LINE_REAL[:3]) == neighbours(LINE_REAL[:3:2])
    assert neighbours(LINE_REAL[:2]) != neighbours(LINE_REAL[:1])


def test_the_spread_is_that_within_a_class_over_dimensions_by_variance():
    # Of two classes, with variances 2 and 0, and 18 and 14; the third has one feature.
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0], [0.0, 0.0], [6.0, 28**0.5], [9.0, 9.0]])
    features, columns = Features(x, torch.tensor([0, 0, 1, 1, 2])), torch.arange(3)
    assert generator_check._spread(features, columns) == pytest.approx((1 + 4) / 2)
    assert generator_check._spread(features, columns[2:]) is None


FOUND = dict(mean_distance=1.0, shot_mean_distance=2.0, synthetic_accuracy=30.0, chance=10.0)


@pytest.mark.parametrize(
    ('change', 'missed'),
    [
        ({}, []),
        (dict(synthetic_accuracy=29.9), ['FSL of its features >= 30.0']),
        (dict(chance=50.0, synthetic_accuracy=75.0), []),
        (dict(chance=50.0, synthetic_accuracy=74.9), ['FSL of its features >= 75.0']),
        (dict(mean_distance=2.0), ['distance < that of one shot']),
        (dict(loss_true=1.0, loss_shuffled=1.1), []),
        (dict(loss_true=1.0, loss_shuffled=1.09), ['loss with shuffled conditions >= 1.100']),
    ],
)
def test_bars_lie_where_they_are_said_to_lie(change, missed):
    assert generator_check._missed_bars(FOUND | change) == missed


def test_columns_without_shots_and_base_columns_are_left_out():
    few = Features(SHOTS.x[:3], SHOTS.labels[:3])
    asked = []
    found = check_generator(lambda columns: asked.append(columns) or good(columns), None, few, HELD_OUT, BASE)
    assert asked[0].tolist() == [column for column in (2, 3, 4) for _ in range(50)]
    assert found['chance'] == pytest.approx(100 / 3)


def test_a_generator_of_the_held_out_features_themselves_makes_no_mistake():
    real = Features(MEANS[HELD_OUT_LABELS], HELD_OUT_LABELS)
    found = check_generator(lambda columns: MEANS[columns], None, SHOTS, real, BASE)
    assert found['synthetic_accuracy'] == 100
    assert [found[name] for name in ('mean_distance', 'spread', 'real_spread')] == pytest.approx([0, 0, 0], abs=1e-5)


def test_shuffled_conditions_are_those_of_other_classes():
    assert other_columns(torch.tensor([3, 5, 5, 3])).tolist() == [5, 3, 3, 5]
