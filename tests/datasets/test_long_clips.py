"""A window for long videos alone: they are cut, all others stay as they are, whatever they are batched with."""

import numpy as np
import pytest
import torch

from avzoo.datasets.collate import collate, collate_arrays
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.joined_store import JoinedStore
from avzoo.datasets.window import Window
from avzoo.utils.errors import ConfigError
from tests.conftest import CONFIGS

SECONDS = dict(audio=0.96, visual=0.64)
CENTER = Window(6, position='center', long_only=True)
RANDOM = Window(6, long_only=True)


def clip(audio, visual):
    """Steps that count from 1."""
    return {m: np.arange(1, n + 1, dtype=np.float32)[:, None] for m, n in dict(audio=audio, visual=visual).items()}


def batch(clips, window):
    return collate_arrays({m: [one[m] for one in clips] for m in SECONDS}, SECONDS, window=window)


def steps(part, row):
    return part['x'][row, : part['lengths'][row], 0].tolist()


@pytest.mark.parametrize('window', [CENTER, RANDOM], ids=['center', 'random'])
def test_batches_without_a_long_video_are_those_without_a_window(window):
    clips = [clip(4, 6), clip(6, 6), clip(1, 2)]  # The second has more sound than lasts as long as six visual steps.
    found, wanted = batch(clips, window), batch(clips, None)
    for m in SECONDS:
        for key in ('x', 'lengths', 'starts'):
            assert found[m][key].dtype == wanted[m][key].dtype and torch.equal(found[m][key], wanted[m][key])


def test_a_long_video_is_cut_in_the_middle_to_the_same_time_in_both_modalities():
    found = batch([clip(20, 30)], CENTER)
    assert steps(found['visual'], 0) == [13, 14, 15, 16, 17, 18] and steps(found['audio'], 0) == [9, 10, 11, 12]
    assert found['visual']['starts'].tolist() == [12] and found['audio']['starts'].tolist() == [8]


def test_a_long_video_changes_nothing_for_the_others_of_its_batch():
    short = clip(6, 5)
    alone, together = batch([short], CENTER), batch([clip(20, 30), short], CENTER)
    for m in SECONDS:
        assert steps(together[m], 1) == steps(alone[m], 0) == list(range(1, len(short[m]) + 1))
        assert together[m]['x'].shape[1] == 6


def test_the_modality_with_the_most_steps_in_a_second_decides():
    cuts = Window(100, position='center', long_only=True).cut(
        dict(audio=np.array([20_000]), visual=np.array([2000])), dict(audio=0.1, visual=1.0)
    )
    assert [int(cuts[m][1][0]) for m in ('audio', 'visual')] == [100, 10]
    assert [int(cuts[m][0][0]) for m in ('audio', 'visual')] == [9950, 995]


@pytest.mark.parametrize(
    ('audio', 'visual'), [(1, 30), (30, 1), (2, 5000), (5000, 5000)], ids=['a sound', 'a picture', 'short', 'no times']
)
@pytest.mark.parametrize('window', [CENTER, RANDOM], ids=['center', 'random'])
def test_modalities_of_other_durations_keep_as_many_steps_as_they_have(audio, visual, window):
    found = batch([clip(audio, visual)], window)
    assert len(steps(found['audio'], 0)) == min(audio, 4) and len(steps(found['visual'], 0)) == min(visual, 6)


def test_random_windows_reach_both_ends_and_follow_the_seed():
    lengths = dict(visual=np.full(2000, 8))
    draw = lambda seed: RANDOM.cut(lengths, dict(visual=0.64), seed)['visual'][0]  # noqa: E731
    assert set(draw(0).tolist()) == {0, 1, 2}
    assert np.array_equal(draw(0), draw(0)) and not np.array_equal(draw(0), draw(1))


@pytest.mark.parametrize('other', [dict(audio_length='released'), dict(last_start=False)], ids=str)
def test_settings_that_would_do_nothing_are_refused(other):
    with pytest.raises(ValueError, match='long_only'):
        Window(6, long_only=True, **other)


def test_stores_held_and_joined_ones_give_the_batches_of_arrays(tmp_path):
    clips = [clip(4, 6), clip(20, 30), clip(7, 9)]
    modalities = {m: dict(dim=1, seconds_per_step=s) for m, s in SECONDS.items()}
    with FeatureStoreWriter(tmp_path / 'store', name='s', modalities=modalities, classes=['a']) as writer:
        for i, one in enumerate(clips):
            writer.add(f'v{i}', 'a', one)
        writer.finish()
    disk, held = FeatureStore(tmp_path / 'store'), FeatureStore(tmp_path / 'store').load('cpu')
    wanted = batch(clips, CENTER)
    joined = JoinedStore(disk, disk, ['a'])
    for source, videos in ((disk, [0, 1, 2]), (held, [0, 1, 2]), (joined, [3, 1, 5])):
        found = collate(source, np.array(videos), SECONDS, window=CENTER)
        assert all(torch.equal(found[m][key], wanted[m][key]) for m in SECONDS for key in ('x', 'lengths', 'starts'))


CUSTOM = sorted(CONFIGS.glob('*/*_custom_*shot*.py'))


@pytest.mark.parametrize('path', CUSTOM, ids=lambda path: path.stem)
def test_a_config_for_own_data_limits_the_steps_or_averages_them(path):
    from avzoo.config.load import load_config

    cfg = load_config(path)
    averaged = bool(cfg.data_preprocessor.get('pool_time') or cfg.data_preprocessor.get('time_bins'))
    for name, position in (('train', 'random'), ('val', 'center'), ('test', 'center')):
        window = cfg[f'{name}_dataloader'].dataset.get('window')
        assert (window is None) if averaged else window == dict(steps=512, position=position, long_only=True)


@pytest.mark.parametrize('value', ['3', 'yes', '[]'])
def test_the_key_is_true_or_false(value):
    from avzoo.config.load import load_config

    with pytest.raises(ConfigError, match=r'window\.long_only'):
        load_config(CONFIGS / 'avdiff/avdiff_custom_5shot.py', [f'test_dataloader.dataset.window.long_only={value}'])
