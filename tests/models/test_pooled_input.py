"""What the preprocessor makes of the data before any method: standardised features and bins of time."""

import numpy as np
import pytest
import torch

from avzoo.models.data_preprocessors.av_preprocessor import AVPreprocessor, _least_deviation
from avzoo.models.fusions import TimeConcatFusion
from avzoo.models.layers.time_bins import bin_means
from avzoo.registry import MODELS
from avzoo.utils.errors import ConfigError
from tests.models.part_cases import CASES

SECONDS = dict(audio=0.5, visual=0.25)
DIMS = dict(audio=3, visual=2)
LENGTHS = torch.tensor([4, 1, 3, 6])
RNG = np.random.default_rng(0)
VIDEOS = {m: [RNG.normal(2, 3, size=(n, d)).astype(np.float32) for n in LENGTHS] for m, d in DIMS.items()}
for steps in VIDEOS['audio']:
    steps[:, 2] = 5.0  # A constant feature.


def batch(indices=(0, 1, 2, 3), starts=0):
    indices = list(indices)
    features = {}
    for m, videos in VIDEOS.items():
        chosen = [torch.from_numpy(videos[i]) for i in indices]
        features[m] = dict(
            x=torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True),
            lengths=LENGTHS[indices],
            starts=torch.full((len(indices),), starts),
        )
    return dict(features=features, label=torch.zeros(len(indices), dtype=torch.long))


class Videos:
    """A training set that notes how many videos are read at a time."""

    def __init__(self, repeats=1):
        self.repeats, self.largest = repeats, 0

    def __len__(self):
        return len(LENGTHS) * self.repeats

    def __getitems__(self, indices):
        self.largest = max(self.largest, len(indices))
        return batch(i % len(LENGTHS) for i in indices)


def z_scored(repeats=1, **arguments):
    part = AVPreprocessor(SECONDS, norm=dict.fromkeys(DIMS, 'z_score'), feature_dims=DIMS, **arguments)
    part.read_constants(Videos(repeats))
    return part


@pytest.mark.parametrize('repeats', [1, 150])
def test_features_are_standardised_over_the_steps_of_all_training_videos(repeats):
    part = z_scored(repeats)
    for m, videos in VIDEOS.items():
        steps = np.concatenate(videos).astype(np.float64)
        np.testing.assert_allclose(part.get_buffer(f'{m}_mean'), steps.mean(0), rtol=1e-5, atol=1e-6)
        varies = steps.std(0) > 0
        np.testing.assert_allclose(part.get_buffer(f'{m}_std')[varies], steps.std(0)[varies], rtol=1e-4)
        x, mask, _ = part(batch())['inputs'][m]
        expected = (steps - steps.mean(0))[:, varies] / steps.std(0)[varies] / DIMS[m] ** 0.5
        np.testing.assert_allclose(x[mask].numpy()[:, varies], expected, rtol=1e-4, atol=1e-5)


def test_one_large_feature_does_not_shrink_the_others():
    steps = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e6, 1.0, 1.0, 1.0])
    deviation = steps.std(0)
    torch.testing.assert_close(deviation.maximum(_least_deviation(steps.mean(0), deviation)), deviation)


def test_what_rounding_leaves_of_a_constant_feature_stays_small():
    mean, deviation = torch.tensor([0.0, 7.0, 7.0]), torch.tensor([1e-9, 1e-7, 0.0])
    assert (_least_deviation(mean, deviation)[1:] >= 1e-5).all()
    assert (_least_deviation(torch.zeros(3), torch.zeros(3)) > 0).all()


def test_the_training_set_is_read_a_part_at_a_time():
    videos = Videos(150)
    AVPreprocessor(SECONDS, norm=dict(audio='z_score'), feature_dims=DIMS).read_constants(videos)
    assert videos.largest == 256


def test_without_z_scores_no_video_is_read():
    videos = Videos()
    AVPreprocessor(SECONDS, norm=dict(audio='l2_feature')).read_constants(videos)
    assert videos.largest == 0


def test_a_constant_feature_becomes_zero():
    x, mask, _ = z_scored()(batch())['inputs']['audio']
    assert x[mask][:, 2].abs().max() < 1e-3 and x.isfinite().all()


@pytest.mark.parametrize('time_bins', [None, 2])
def test_padding_stays_zero(time_bins):
    data = batch()
    for m in DIMS:
        data['features'][m]['lengths'] = torch.tensor([4, 0, 3, 6])
    x, mask, _ = z_scored(time_bins=time_bins)(data)['inputs']['visual']
    assert not mask[1].any() and not x[~mask].any() and x[mask].any()


def test_scale_and_gain_stand_around_the_standardisation():
    plain, scaled = z_scored(), z_scored(scale=dict(visual=7.0), gain=dict(visual=3.0))
    torch.testing.assert_close(
        scaled(batch())['inputs']['visual'][0], 3 * plain(batch())['inputs']['visual'][0], rtol=1e-4, atol=1e-5
    )


def test_one_modality_alone_may_be_standardised():
    part = AVPreprocessor(SECONDS, norm=dict(audio='l2_feature', visual='z_score'), feature_dims=DIMS)
    part.read_constants(Videos())
    assert part.state_dict().keys() == {'visual_mean', 'visual_std'}
    x, mask, _ = part(batch())['inputs']['audio']
    torch.testing.assert_close(x[mask].norm(dim=1), torch.ones(int(mask.sum())))


@pytest.mark.parametrize('num_bins', [1, 2, 5])
def test_bins_are_averaged_before_the_normalisation(num_bins):
    part = AVPreprocessor(SECONDS, norm=dict(audio='l2_feature'), time_bins=num_bins)
    data = batch()
    x, mask, _ = part(data)['inputs']['audio']
    pooled = bin_means(data['features']['audio']['x'], LENGTHS, num_bins)
    torch.testing.assert_close(x, torch.nn.functional.normalize(pooled, dim=-1))
    assert mask.all() and mask.shape == (4, num_bins) and part.num_bins == num_bins


def test_statistics_are_those_of_the_bins():
    part = z_scored(time_bins=2)
    data = batch()['features']['visual']
    bins = bin_means(data['x'], LENGTHS, 2).flatten(0, 1).double()
    torch.testing.assert_close(part.visual_mean.double(), bins.mean(0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(part.visual_std.double(), bins.std(0, correction=0), rtol=1e-4, atol=1e-5)


def test_a_bin_stands_at_its_middle():
    seconds = AVPreprocessor(SECONDS, time_bins=2)(batch(starts=3))['inputs']['audio'][2]
    # A video of four steps: its halves are the steps 0 and 1, and 2 and 3.
    torch.testing.assert_close(seconds[0], 0.5 * (3 + torch.tensor([0.5, 2.5])))
    torch.testing.assert_close(seconds[1], 0.5 * (3 + torch.tensor([-0.25, 0.25])))


def test_one_bin_is_the_mean_over_time():
    one, pooled = (AVPreprocessor(SECONDS, norm=dict(audio='l2_feature'), **how) for how in (
        dict(time_bins=1), dict(pool_time=True)
    ))  # fmt: skip
    for a, b in zip(one(batch())['inputs']['audio'], pooled(batch())['inputs']['audio'], strict=True):
        torch.testing.assert_close(a, b)
    assert one.num_bins == pooled.num_bins == 1 and AVPreprocessor(SECONDS).num_bins is None


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(pool_time=True, time_bins=1), 'pool_time.*time_bins'),
        (dict(time_bins=0), 'time_bins=0'),
        (dict(norm=dict(visual='z_score')), r'norm\.visual.*feature_dims'),
        (dict(norm=dict(visual='z')), r"norm\.visual='z'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AVPreprocessor(SECONDS, **arguments)


def test_all_bins_of_all_modalities_stand_side_by_side():
    part = AVPreprocessor(SECONDS, time_bins=2)
    inputs = part(batch())['inputs']
    fusion = TimeConcatFusion(DIMS, num_bins=part.num_bins)
    fused = fusion({m: x for m, (x, *_) in inputs.items()}, {m: mask for m, (_, mask, _) in inputs.items()})
    audio, visual = (inputs[m][0] for m in DIMS)
    expected = torch.cat([audio[:, 0], audio[:, 1], visual[:, 0], visual[:, 1]], 1)
    assert torch.equal(fused, expected) and fusion.out_dim == 10 and fusion.num_readouts == 1


def test_a_missing_modality_gives_zeros():
    x = torch.ones(1, 2, 3)
    fused = TimeConcatFusion(dict(audio=3), num_bins=2)(dict(audio=x), dict(audio=torch.zeros(1, 2, dtype=torch.bool)))
    assert not fused.any()


def test_without_bins_the_model_is_refused_with_the_cure():
    cfg = dict(CASES['model']['AVClassifier'].args, fusion=dict(type='TimeConcatFusion'), embedding=None)
    with pytest.raises(ConfigError, match=r'model\.fusion: .*data_preprocessor\.time_bins'):
        MODELS.build(dict(type='AVClassifier', **cfg))
    pooled = dict(cfg, data_preprocessor=dict(type='AVPreprocessor', time_bins=3))
    assert MODELS.build(dict(type='AVClassifier', **pooled)).fusion.out_dim == 3 * 24


def test_pooled_classes_are_described_by_the_same_preprocessor():
    means = torch.stack([torch.from_numpy(steps).mean(0) for steps in VIDEOS['visual']])
    part = z_scored(time_bins=1)
    x, _, _ = part(batch())['inputs']['visual']
    torch.testing.assert_close(part.normalize_means('visual', means), x[:, 0], rtol=1e-4, atol=1e-5)
