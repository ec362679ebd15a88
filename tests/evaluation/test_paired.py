import os
import zipfile

import numpy as np
import pytest

from avzoo.evaluation.functional import aggregate_draws, calibrated_predictions, gfsl_metrics
from avzoo.evaluation.paired import bootstrap_difference, paired_difference
from avzoo.evaluation.predictions import read_predictions, write_arrays
from avzoo.utils.errors import DataError

NOTHING = dict(mean=0.0, low=0.0, high=0.0)
BASE = np.array([True, True, False, False])


def predictions(ids, labels, seed, *, strength=1.5, gamma=0.3):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(ids), 4)) + strength * np.eye(4)[labels]
    return dict(
        video_id=np.asarray(ids),
        label=np.asarray(labels),
        scores=scores.astype(np.float32),
        classes=np.array(['a', 'b', 'c', 'd']),
        base_mask=BASE,
        gamma=np.float64(gamma),
    )


# Of each class six videos; a draw does not test one video of each novel class.
LABELS = np.repeat(np.arange(4), 6)
IDS = np.array([f'v{i:02d}' for i in range(24)])
TESTED = [np.delete(np.arange(24), [12 + draw, 18 + draw]) for draw in range(3)]


@pytest.fixture
def pair():
    method = [predictions(IDS[t], LABELS[t], d, strength=2.5) for d, t in enumerate(TESTED)]
    return method, [predictions(IDS[t], LABELS[t], 10 + d, gamma=-0.2) for d, t in enumerate(TESTED)]


def test_draws_are_paired_by_their_number():
    method = [dict(draw=0, HM=70.0), dict(draw=1, HM=80.0), dict(draw=2, HM=60.0)]
    reference = [dict(draw=2, HM=57.0), dict(draw=0, HM=69.0), dict(draw=1, HM=78.0)]
    found = paired_difference(method, reference, 'HM')
    assert found['mean'] == pytest.approx(2.0)  # 1, 2 and 3
    assert found['ci95'] == pytest.approx(4.302653 * 1.0 / np.sqrt(3), rel=1e-6)
    assert paired_difference(method[:1], reference[1:2], 'HM') == dict(mean=1.0, ci95=None)
    with pytest.raises(ValueError, match='draws'):
        paired_difference(method, reference[:2], 'HM')


def slow(method, reference, num_resamples, seed):
    """The bootstrap as a loop: one list of videos at a time, repeated as often as it was drawn."""
    rng = np.random.default_rng(seed)
    times = [rng.multinomial(6, np.full(6, 1 / 6), size=num_resamples) for _ in range(4)]
    differences = dict(HM=[], FSL=[])
    for resample in range(num_resamples):
        count = dict(zip(IDS, np.concatenate([t[resample] for t in times]), strict=True))
        rows = []
        for draws in (method, reference):
            per_draw = []
            for one in draws:
                rows_of = np.repeat(np.arange(len(one['label'])), [count[v] for v in one['video_id']])
                found = gfsl_metrics(one['scores'][rows_of], one['label'][rows_of], BASE, gamma=float(one['gamma']))
                per_draw.append(found)
            rows.append(aggregate_draws(per_draw))
        for key, values in differences.items():
            values.append(rows[0][key] - rows[1][key])
    return differences


def test_the_bootstrap_equals_a_slow_loop(pair):
    found = bootstrap_difference(*pair, num_resamples=40, seed=3)
    for key, values in slow(*pair, 40, 3).items():
        low, high = np.percentile(values, [2.5, 97.5])
        assert found[key] == pytest.approx(dict(mean=np.mean(values), low=low, high=high))
        assert low < high


def test_a_class_that_a_resample_lacks_is_left_out():
    """Each draw tests two of the four videos of class d: a resample without both is no error of the method."""
    tested = [np.concatenate([np.arange(19), [19 + draw]]) for draw in range(3)]
    perfect = [predictions(IDS[t], LABELS[t], 0, strength=100.0) for t in tested]
    wrong = [dict(one, scores=-one['scores']) for one in perfect]
    found = bootstrap_difference(perfect, wrong, num_resamples=200)
    assert found['FSL'] == found['HM'] == dict(mean=100.0, low=100.0, high=100.0)


def test_identical_predictions_differ_by_exactly_nothing(pair):
    assert bootstrap_difference(pair[0], pair[0]) == dict(HM=NOTHING, FSL=NOTHING)


def test_the_order_of_the_videos_does_not_matter(pair):
    shuffled = []
    for one in pair[1]:
        order = np.random.default_rng(0).permutation(len(one['label']))
        shuffled.append(one | {key: one[key][order] for key in ('video_id', 'label', 'scores')})
    assert bootstrap_difference(pair[0], shuffled) == bootstrap_difference(*pair)


def test_both_methods_see_the_same_resample(pair):
    """A reference that errs on the same videos and one more differs by that one video alone, in every resample."""
    method = pair[0][0]
    right = calibrated_predictions(method['scores'], BASE, 0.3) == method['label']
    video = int(np.flatnonzero(right & (method['label'] == 0))[0])
    scores = method['scores'].copy()
    scores[video] = [-9, 9, -9, -9]
    found = bootstrap_difference([method], [dict(method, scores=scores)])
    assert found['FSL'] == NOTHING
    assert found['HM']['low'] == 0.0 < found['HM']['mean']


def test_the_calibration_of_each_is_kept(pair):
    method = pair[0][:1]
    raised = [dict(method[0], gamma=np.float64(50.0))]  # No base class can win.
    found = bootstrap_difference(raised, method)
    assert found['HM']['high'] < 0 and found['FSL'] == NOTHING


def test_other_videos_and_other_classes_are_refused(pair):
    method, reference = pair
    with pytest.raises(DataError, match='videos'):
        bootstrap_difference(method[:1], [predictions(IDS[TESTED[1]], LABELS[TESTED[1]], 0)])
    with pytest.raises(DataError, match='classes'):
        bootstrap_difference(method[:1], [dict(reference[0], classes=np.array(['a', 'b', 'd', 'c']))])
    with pytest.raises(DataError, match='base classes'):
        bootstrap_difference(method[:1], [dict(reference[0], base_mask=~BASE)])


def test_predictions_are_read_as_they_were_written(pair, tmp_path):
    one = pair[0][0]
    found = read_predictions(write_arrays(tmp_path / 'new' / 'p.npz', one))
    assert all(np.array_equal(found[key], value) for key, value in one.items()) and found.keys() == one.keys()


def test_scores_are_not_packed_since_that_takes_long_and_saves_nothing(pair, tmp_path):
    with zipfile.ZipFile(write_arrays(tmp_path / 'p.npz', pair[0][0])) as archive:
        packed = {info.filename: info.compress_type for info in archive.infolist()}
    assert packed['scores.npy'] == zipfile.ZIP_STORED and packed['video_id.npy'] == zipfile.ZIP_DEFLATED


@pytest.mark.parametrize('content', [None, b'', b'PK\x03\x04 half', 'lacks scores'])
def test_a_file_without_predictions_is_named(pair, tmp_path, content):
    path = tmp_path / 'p.npz'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        write_arrays(path, {key: value for key, value in pair[0][0].items() if key != 'scores'})
    with pytest.raises(DataError, match=r'p\.npz'):
        read_predictions(path)


@pytest.mark.parametrize('change', ['cut', 'absent', 'pipe', 'lacking'])
def test_predictions_that_cannot_be_read_are_named_with_the_cure(tmp_path, change):
    path = write_arrays(tmp_path / 'p.npz', dict(gamma=np.float64(0)))
    if change == 'cut':
        path.write_bytes(path.read_bytes()[:-30])
    elif change != 'lacking':
        path.unlink()
    if change == 'pipe':
        os.mkfifo(path)
    with pytest.raises(DataError, match=r'p\.npz holds no test predictions.*test again'):
        read_predictions(path)
