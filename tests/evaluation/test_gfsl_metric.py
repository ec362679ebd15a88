import numpy as np
import pytest
import torch

from avzoo.evaluation import gfsl_metric
from avzoo.evaluation.functional import gfsl_metrics
from avzoo.evaluation.gfsl_metric import GFSLMetric
from avzoo.registry import METRICS
from avzoo.utils.errors import CheckpointError, DataError

NUM_SAMPLES, NUM_CLASSES = 37, 7


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.full(NUM_CLASSES, 0.5), NUM_SAMPLES).astype(np.float32)
    return scores, rng.integers(0, NUM_CLASSES, NUM_SAMPLES), np.arange(NUM_CLASSES) < 4


def make_metric(base_mask, **kwargs):
    metric = METRICS.build(dict(type='GFSLMetric', **kwargs))
    metric.dataset_meta = dict(
        classes=[f'class {i}' for i in range(NUM_CLASSES)],
        base_mask=base_mask.tolist(),
        video_ids=[f'video_{i}' for i in range(NUM_SAMPLES)],
    )
    return metric


def feed(metric, case, index, *, batch_size=5, gamma=None):
    scores, labels, _ = case
    for at in range(0, len(index), batch_size):
        rows = np.asarray(index[at : at + batch_size])
        metric.process(
            {},
            [
                dict(
                    index=torch.from_numpy(rows),
                    label=torch.from_numpy(labels[rows]),
                    scores=torch.from_numpy(scores[rows]),
                    gamma=gamma,
                )
            ],
        )
    return metric


def evaluate_ranks(monkeypatch, metrics):
    """Evaluate as several processes would: each sees what all have gathered."""
    shards = [metric._local_results() for metric in metrics]
    monkeypatch.setattr(gfsl_metric, 'all_gather_object', lambda shard: shards)
    return [metric.evaluate(NUM_SAMPLES) for metric in metrics]


def test_result_holds_every_metric_as_plain_floats(case):
    result = feed(make_metric(case[2]), case, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES)
    assert list(result) == ['B', 'N', 'HM', 'FSL', 'AUSUC', 'gamma', 'B0']
    assert all(type(value) is float for value in result.values())
    assert result == gfsl_metrics(*case)


def test_sample_order_does_not_matter(case):
    order = np.random.default_rng(1).permutation(NUM_SAMPLES)
    metric = feed(make_metric(case[2]), case, order)
    assert metric.evaluate(NUM_SAMPLES) == gfsl_metrics(*case)
    np.testing.assert_array_equal(metric.predictions['scores'], case[0])
    np.testing.assert_array_equal(metric.predictions['index'], np.arange(NUM_SAMPLES))
    np.testing.assert_array_equal(metric.predictions['label'], case[1])
    assert metric.predictions['video_id'][-1] == f'video_{NUM_SAMPLES - 1}'
    assert metric.predictions['classes'].tolist() == metric.dataset_meta['classes']
    assert metric.predictions['base_mask'].tolist() == list(metric.dataset_meta['base_mask'])


def test_the_data_set_may_tell_its_base_classes_by_zeros_and_ones(case):
    metric = make_metric(case[2])
    metric.dataset_meta['base_mask'] = case[2].astype(int).tolist()
    assert feed(metric, case, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES) == gfsl_metrics(*case)


def test_two_ranks_with_repeated_samples_equal_one(case, monkeypatch):
    ranks = [
        feed(make_metric(case[2]), case, list(range(0, NUM_SAMPLES, 2))),
        feed(make_metric(case[2]), case, [*range(1, NUM_SAMPLES, 2), 0]),
    ]
    results = evaluate_ranks(monkeypatch, ranks)
    assert results[0] == results[1] == gfsl_metrics(*case)
    np.testing.assert_array_equal(ranks[0].predictions['scores'], case[0])


def test_a_rank_without_samples_is_fine(case, monkeypatch):
    ranks = [feed(make_metric(case[2]), case, range(NUM_SAMPLES)), make_metric(case[2])]
    assert evaluate_ranks(monkeypatch, ranks)[1] == gfsl_metrics(*case)


def test_second_evaluation_starts_afresh(case):
    metric = make_metric(case[2])
    first = feed(metric, case, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES)
    assert metric.results == []
    assert feed(metric, case, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES) == first


def test_missing_samples_are_an_error(case):
    with pytest.raises(DataError, match=r'expected samples 0..36 once each; missing: 2 \(first \[3, 36\]\)'):
        feed(make_metric(case[2]), case, [i for i in range(36) if i != 3]).evaluate(NUM_SAMPLES)
    with pytest.raises(DataError, match='beyond: 1 '):
        feed(make_metric(case[2]), case, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES - 1)
    with pytest.raises(DataError, match='no scores arrived'):
        make_metric(case[2]).evaluate(NUM_SAMPLES)


def test_fixed_gamma_and_grid_are_used(case):
    everything = range(NUM_SAMPLES)
    assert feed(make_metric(case[2], gamma=0.37), case, everything).evaluate(NUM_SAMPLES) == gfsl_metrics(
        *case, gamma=0.37
    )
    narrow = feed(make_metric(case[2], gamma_grid=[0.9]), case, everything).evaluate(NUM_SAMPLES)
    assert narrow['gamma'] == 0.9


@pytest.mark.parametrize('gamma', [0.0, 0.2])
def test_checkpoint_gamma_is_used_even_when_it_is_zero(case, gamma):
    metric = feed(make_metric(case[2], gamma='checkpoint'), case, range(NUM_SAMPLES), gamma=gamma)
    assert metric.evaluate(NUM_SAMPLES) == gfsl_metrics(*case, gamma=gamma)


@pytest.mark.parametrize('gamma', [None, float('nan')])
def test_checkpoint_without_gamma_is_an_error(case, gamma):
    metric = feed(make_metric(case[2], gamma='checkpoint'), case, range(NUM_SAMPLES), gamma=gamma)
    with pytest.raises(CheckpointError, match='holds no calibration'):
        metric.evaluate(NUM_SAMPLES)


def test_recall_by_class_is_calibrated_and_skips_empty_classes(case):
    scores, labels, mask = case
    present = np.where(labels == 5, 6, labels)
    metric = feed(make_metric(mask, gamma=1.0), (scores, present, mask), range(NUM_SAMPLES))
    metric.evaluate(NUM_SAMPLES)
    assert list(metric.per_class_recall) == [f'class {i}' for i in (0, 1, 2, 3, 4, 6)]
    assert metric.per_class_recall['class 0'] == 0.0


@pytest.mark.parametrize('gamma', [0.0, 0.2, 0.6])
def test_recall_by_class_by_hand(case, gamma):
    scores, labels, mask = case
    metric = feed(make_metric(mask, gamma=gamma), case, range(NUM_SAMPLES))
    metric.evaluate(NUM_SAMPLES)
    guesses = [int(np.argmax(row - np.float32(gamma) * mask)) for row in scores]
    for c in range(NUM_CLASSES):
        hits = [guess == c for guess, label in zip(guesses, labels, strict=True) if label == c]
        assert metric.per_class_recall[f'class {c}'] == pytest.approx(100 * sum(hits) / len(hits))


def test_the_first_five_missing_samples_are_named(case):
    with pytest.raises(DataError, match=r'missing: 10 \(first \[0, 1, 2, 3, 4\]\), beyond: 0 \(first \[\]\)'):
        feed(make_metric(case[2]), case, range(10, NUM_SAMPLES)).evaluate(NUM_SAMPLES)
    with pytest.raises(DataError, match=r'beyond: 7 \(first \[30, 31, 32, 33, 34\]\)'):
        feed(make_metric(case[2]), case, range(NUM_SAMPLES)).evaluate(30)


def test_batches_of_two_checkpoints_are_an_error(case):
    metric = feed(make_metric(case[2], gamma='checkpoint'), case, range(20), gamma=0.1)
    with pytest.raises(CheckpointError, match=r'different calibrations .*0\.2'):
        feed(metric, case, range(20, NUM_SAMPLES), gamma=0.2).evaluate(NUM_SAMPLES)


def test_half_precision_scores_are_widened(case):
    half = (case[0].astype(np.float16), *case[1:])
    assert feed(make_metric(case[2]), half, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES) == gfsl_metrics(*half)


def test_meta_that_contradicts_the_scores_is_an_error(case):
    metric = feed(make_metric(case[2]), case, range(NUM_SAMPLES))
    metric.dataset_meta['classes'].pop()
    with pytest.raises(DataError, match='scores 7 classes, but the data set has 6'):
        metric.evaluate(NUM_SAMPLES)
    metric = feed(make_metric(case[2]), case, range(NUM_SAMPLES))
    del metric.dataset_meta['base_mask'], metric.dataset_meta['classes']
    with pytest.raises(DataError, match='lacks classes, base_mask;'):
        metric.evaluate(NUM_SAMPLES)
    metric = feed(make_metric(case[2]), case, range(NUM_SAMPLES))
    metric.dataset_meta['video_ids'].pop()
    with pytest.raises(DataError, match='36 videos for 37 samples'):
        metric.evaluate(NUM_SAMPLES)


def test_nan_scores_name_the_video(case):
    case[0][4, 2] = np.nan
    with pytest.raises(DataError, match="scores of 1 sample are NaN, first video 'video_4'"):
        feed(make_metric(case[2]), case, range(NUM_SAMPLES)).evaluate(NUM_SAMPLES)


def test_unknown_gamma_lists_the_choices():
    with pytest.raises(ValueError, match="give a number, 'search' or 'checkpoint'"):
        GFSLMetric('best')
    with pytest.raises(ValueError, match='gamma_grid of GFSLMetric is empty'):
        GFSLMetric(gamma_grid=[])
