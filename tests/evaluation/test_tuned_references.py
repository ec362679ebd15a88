import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.evaluation.functional import ausuc
from avzoo.evaluation.linear_references import evaluate_references, strongest_reference
from avzoo.evaluation.reference_features import Task, load_videos
from avzoo.evaluation.reference_methods import METHODS, Method, centred_cosines, regression_logits
from avzoo.models.layers.time_bins import bin_means
from avzoo.protocol import evaluation_splits, train_splits
from tests.evaluation.test_linear_references import NUM_CLASSES, PER_CLASS, SHOTS, make_splits

TUNED = ['tuned_nearest_class_mean', 'tuned_logistic_regression']
VAL = (*train_splits(1), *evaluation_splits('val'))


def write_store(path, features, *, modalities=('audio', 'visual')):
    """Write 24 videos of each of nine classes; `features(rng, label)` gives the arrays of one."""
    rng = np.random.default_rng(0)
    ids = [f'{c}_{i}' for c in range(NUM_CLASSES) for i in range(PER_CLASS)]
    with FeatureStoreWriter(
        path,
        name='toy',
        classes=[f'class {c}' for c in range(NUM_CLASSES)],
        modalities={m: dict(dim=DIM, seconds_per_step=1.0) for m in modalities},
    ) as writer:
        for video in ids:
            label = int(video.split('_')[0])
            made = features(rng, label)
            writer.add(video, f'class {label}', {m: made[m] for m in modalities})
        writer.write_splits(SHOTS, make_splits(ids))
        writer.finish()
    return FeatureStore(path)


DIM = 12
CENTRES = np.random.default_rng(5).normal(size=(NUM_CLASSES, 2, DIM))


def informative(which, steps=1):
    """Features of class centres in one modality and of noise alone in the other."""

    def features(rng, label):
        noise = {m: rng.normal(size=(steps, DIM)) for m in ('audio', 'visual')}
        return noise | {which: 0.8 * CENTRES[label, 0] + noise[which]}

    return features


def ordered(rng, label):
    """Two halves with the events of a pair of classes: those of class 2k and 2k + 1 differ in their order alone."""
    first, second = CENTRES[label // 2] if label % 2 else CENTRES[label // 2, ::-1]
    steps = np.repeat([2 * first, 2 * second], 3, axis=0)
    return {m: steps + 0.5 * rng.normal(size=steps.shape) for m in ('audio', 'visual')}


@pytest.fixture(scope='module')
def noisy_audio(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp('noisy') / 'store', informative('visual'))


@pytest.fixture
def task():
    """Four classes far from the origin with 12, 8, 4 and 3 training videos, and six videos to score."""
    rng = np.random.default_rng(1)
    labels, wanted = np.repeat(np.arange(4), [12, 8, 4, 3]), np.array([0, 1, 2, 3, 3, 2])
    centres = 7 + 2 * rng.normal(size=(4, 5))
    train, held_out = (centres[y] + rng.normal(size=(len(y), 5)) for y in (labels, wanted))
    return Task(train, labels, held_out, wanted, np.arange(4) < 2)


def test_regression_gives_the_logits_of_the_untuned_one(task):
    logits = regression_logits(task, C=0.1)
    assert logits.min() < 0 and logits.dtype == np.float32
    odds = np.exp(logits)
    probabilities = METHODS['logistic_regression'].score(task, C=0.1)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), probabilities, rtol=1e-4)


def test_two_classes_have_two_columns_of_logits(task):
    rows, held_out = task.train_labels < 2, task.labels < 2
    two = Task(
        task.train_features[rows],
        task.train_labels[rows],
        task.features[held_out],
        task.labels[held_out],
        np.arange(2) < 1,
    )
    logits = regression_logits(two, C=1.0)
    centre = two.train_features.mean(axis=0)
    scale = (two.train_features - centre).std()
    model = LogisticRegression(C=1.0, class_weight='balanced').fit(
        (two.train_features - centre) / scale, two.train_labels
    )
    np.testing.assert_allclose(
        logits[:, 1] - logits[:, 0], model.decision_function((two.features - centre) / scale), atol=1e-3
    )


def test_cosines_are_taken_from_the_mean_of_the_training_videos(task):
    centre = task.train_features.mean(axis=0)
    for row, x in zip(centred_cosines(task), task.features, strict=True):
        means = [task.train_features[task.train_labels == c].mean(axis=0) - centre for c in range(4)]
        want = [(x - centre) @ m / np.sqrt((x - centre) @ (x - centre) * (m @ m)) for m in means]
        np.testing.assert_allclose(row, want, rtol=1e-5)


@pytest.mark.parametrize('num_bins', [1, 3])
def test_bins_scaling_and_weight_form_the_features(tmp_path, num_bins):
    store = write_store(tmp_path / 'store', informative('visual', steps=4))
    videos = load_videos(store, SHOTS, 1, VAL, ('audio', 'visual'))

    def pooled(modality, which):
        return bin_means(*store.gather(modality, which), num_bins).flatten(1).numpy()

    unit = videos.task(num_bins=num_bins, audio_weight=0.5)
    scaled = videos.task(num_bins=num_bins, scaling='z_score', audio_weight=2.0)
    for place, modality in enumerate(('audio', 'visual')):
        columns = slice(place * num_bins * DIM, (place + 1) * num_bins * DIM)
        trained, evaluated = (pooled(modality, which) for which in (videos.trained, videos.evaluated))
        lengths = np.linalg.norm(evaluated, axis=1, keepdims=True)
        np.testing.assert_allclose(
            unit.features[:, columns], (0.5, 1.0)[place] * evaluated / lengths, rtol=1e-4, atol=1e-6
        )
        z = (evaluated - trained.mean(axis=0)) / trained.std(axis=0) / np.sqrt(num_bins * DIM)
        np.testing.assert_allclose(scaled.features[:, columns], (2.0, 1.0)[place] * z, rtol=1e-3, atol=1e-5)


def test_a_dimension_that_is_constant_in_training_stays_finite(tmp_path):
    def features(rng, label):
        made = informative('visual')(rng, label)
        made['audio'][:, 0] = 3.0
        return made

    store = write_store(tmp_path / 'store', features)
    found = load_videos(store, SHOTS, 1, VAL, ('audio', 'visual')).task(scaling='z_score')
    assert np.isfinite(found.features).all() and not found.features[:, 0].any()


@pytest.mark.parametrize('method', TUNED)
@pytest.mark.parametrize(('which', 'weight'), [('visual', 0.5), ('audio', 2.0)])
def test_a_modality_of_noise_gets_the_low_weight(noisy_audio, tmp_path, method, which, weight):
    store = noisy_audio if which == 'visual' else write_store(tmp_path / 'store', informative(which))
    found = evaluate_references(store, SHOTS, draws=[0], methods=[method])[method]
    assert found['setting']['audio_weight'] == weight


@pytest.mark.parametrize('method', TUNED)
def test_more_bins_are_taken_where_only_order_tells_classes_apart(tmp_path, method):
    store = write_store(tmp_path / 'store', ordered)
    found = evaluate_references(store, SHOTS, draws=[0], methods=[method, 'logistic_regression'])
    assert found[method]['setting']['num_bins'] > 1
    assert found[method]['aggregate']['HM'] > found['logistic_regression']['aggregate']['HM'] + 10


def test_the_search_leaves_out_what_makes_no_difference(noisy_audio, tmp_path):
    method = METHODS['tuned_logistic_regression']
    both = load_videos(noisy_audio, SHOTS, 1, VAL, ('audio', 'visual'))
    assert method.grid_of(both)['num_bins'] == (1,)  # Every video has one step.
    assert sorted(method.grid_of(both)['audio_weight']) == [0.5, 1.0, 2.0]
    one = load_videos(noisy_audio, SHOTS, 1, VAL, ('audio',))
    assert 'audio_weight' not in method.grid_of(one)
    longer = write_store(tmp_path / 'store', informative('visual', steps=5))
    assert method.grid_of(load_videos(longer, SHOTS, 1, VAL, ('visual',)))['num_bins'] == (1, 3, 5)


@pytest.fixture
def hill(monkeypatch):
    """A tuned reference that is best at a=3, b=3; a=2 alone is worse than a=1, as long as b is not 3."""
    calls = []
    heights = {(1, 1): 3, (2, 1): 2, (3, 1): 1, (1, 3): 4, (2, 3): 5, (3, 3): 6}

    def score(task, *, a, b):
        calls.append((len(task.base_mask), a, b))
        right = np.arange(len(task.labels)) % 7 < heights.get((a, b), 0)
        return np.eye(len(task.base_mask))[np.where(right, task.labels, (task.labels + 1) % len(task.base_mask))]

    monkeypatch.setitem(METHODS, 'hill', Method(score, {'a': (1, 2, 3), 'b': (1, 3)}, tuned=True))
    return calls


def test_settings_are_searched_one_after_another_until_nothing_changes(noisy_audio, hill):
    found = evaluate_references(noisy_audio, SHOTS, draws=[2], methods=['hill'])['hill']
    assert found['setting'] == {'a': 3, 'b': 3}
    assert [call[1:] for call in hill[:-1]] == [(1, 1), (2, 1), (3, 1), (1, 3), (2, 3), (3, 3)]
    assert hill[-1] == (9, 3, 3)


def test_settings_are_chosen_by_ausuc(noisy_audio):
    found = evaluate_references(noisy_audio, SHOTS, draws=[0], methods=TUNED[:1])[TUNED[0]]
    videos = load_videos(noisy_audio, SHOTS, 1, VAL, ('audio', 'visual'))
    everything = [
        ausuc(
            METHODS[TUNED[0]].run(videos, dict(scaling=scaling, audio_weight=weight)), videos.labels, videos.base_mask
        )
        for scaling in ('unit', 'z_score')
        for weight in (0.5, 1.0, 2.0)
    ]
    assert found['validation']['AUSUC'] == pytest.approx(max(everything))


def test_the_offset_may_be_below_zero(noisy_audio, monkeypatch):
    def score(task):
        return -4.0 * task.base_mask + np.eye(len(task.base_mask))[task.labels]

    monkeypatch.setitem(METHODS, 'shy', Method(score, {}, tuned=True))
    found = evaluate_references(noisy_audio, SHOTS, draws=[0], methods=['shy'])['shy']
    assert found['gamma'] == pytest.approx(-4.0) and found['aggregate']['HM'] == pytest.approx(100.0)


def test_everything_is_chosen_before_a_test_split_is_read(noisy_audio, monkeypatch):
    asked, scored = [], []
    split, run = FeatureStore.split, Method.run
    monkeypatch.setattr(FeatureStore, 'split', lambda self, k, name: asked.append(name) or split(self, k, name))

    def recorded(self, videos, settings):
        scored.append((len(asked), dict(settings)))
        return run(self, videos, settings)

    monkeypatch.setattr(Method, 'run', recorded)
    found = evaluate_references(noisy_audio, SHOTS, draws=[0, 2], methods=TUNED)
    first_test = next(i for i, name in enumerate(asked) if name.startswith('test'))
    assert {'val_base', 'val_novel'} <= set(asked[:first_test])
    # After the first test split was read, each method runs once a draw, with what was chosen before.
    late = [settings for when, settings in scored if when > first_test]
    assert late == [found[name]['setting'] for _ in range(2) for name in TUNED]


def test_the_strongest_reference_is_that_of_validation():
    references = dict(
        a=dict(validation=dict(HM=60.0), aggregate=dict(HM=80.0)),
        b=dict(validation=dict(HM=70.0), aggregate=dict(HM=50.0)),
        c=dict(validation=dict(HM=70.0 + 1e-13), aggregate=dict(HM=90.0)),
    )
    assert strongest_reference(references) == 'b'
    assert strongest_reference({}) is None


def test_pooling_in_chunks_changes_nothing(tmp_path, monkeypatch):
    store = write_store(tmp_path / 'store', informative('visual', steps=4))
    videos = load_videos(store, SHOTS, 1, VAL, ('visual',))
    whole = videos.task(num_bins=3).features
    monkeypatch.setattr('avzoo.evaluation.reference_features._CHUNK_BYTES', 4 * DIM * 4 * 5)
    sizes, gather = [], FeatureStore.gather

    def counted(self, modality, which, **kwargs):
        sizes.append(len(which))
        return gather(self, modality, which, **kwargs)

    monkeypatch.setattr(FeatureStore, 'gather', counted)
    again = load_videos(store, SHOTS, 1, VAL, ('visual',))
    assert np.array_equal(again.task(num_bins=3).features, whole) and max(sizes) == 5
    del sizes[:]
    again.task(num_bins=3, scaling='z_score')
    assert not sizes  # They are read once as long as the number of bins stays.
