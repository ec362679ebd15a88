"""Copies of a video that is trained on are found among those that are evaluated on."""

import numpy as np
import pytest

from avzoo.importers.repeated_clips import RepeatedClips
from tests.importers.own_data import clips, run_features, write_folder, write_lists


def imported(folder, change):
    write_lists(folder)
    values = clips()
    for arrays in values.values():
        change(arrays)
    write_folder(folder / 'F', values)
    return run_features(folder)


@pytest.mark.parametrize(
    ('one', 'other', 'told'),
    [
        ('stage_1_train_a0', 'stage_2_test_seen_a1', True),
        ('stage_1_train_a0', 'stage_2_test_unseen_d1', True),
        ('stage_2_test_unseen_d0', 'stage_2_test_unseen_d2', True),  # One may become a shot.
        ('stage_1_train_a0', 'stage_1_train_b1', False),
        ('stage_2_test_seen_a0', 'stage_2_test_seen_b0', False),
    ],
)
def test_a_copy_that_may_be_evaluated_on_is_warned_of(tmp_path, caplog, one, other, told):
    assert imported(tmp_path, lambda arrays: arrays.update({other: arrays[one].copy()})) == 0
    assert ('1 video has the same features as another' in caplog.text) == told
    assert (repr(other) in caplog.text and repr(one) in caplog.text) == told


def test_videos_of_zeros_and_videos_that_share_one_modality_are_no_copies(tmp_path, caplog):
    def change(arrays):
        names = list(arrays)
        arrays[names[0]] = arrays[names[1]] = np.zeros_like(arrays[names[0]])
        if arrays[names[0]].shape[1] == 6:  # Audio alone.
            arrays[names[2]] = arrays[names[-1]]

    assert imported(tmp_path, change) == 0
    assert 'the same features' not in caplog.text


def test_clips_that_differ_in_length_or_in_one_step_are_no_copies():
    found, x = RepeatedClips(), np.random.default_rng(0).random((100, 3))
    for i, rows in enumerate((x, x[:99], x + (np.arange(100) == 14)[:, None], x.copy())):
        found.add(str(i), dict(audio=rows))
    assert found.found == [('3', '0')]
