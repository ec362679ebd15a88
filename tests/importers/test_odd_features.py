"""Features as people really have them: each is read right, warned of, or refused with the cause."""

import csv
import json
import logging
import pickle

import numpy as np
import pytest
import torch
from scipy import io

from avzoo.datasets.feature_store import FeatureStore
from avzoo.importers.array_features import ArrayFeatures
from avzoo.importers.arrays import import_arrays
from avzoo.importers.clips import ClipReader
from avzoo.importers.video_ids import match_ids
from avzoo.utils.errors import DataError
from tests.importers.own_data import clips, run_features, video_ids, write_folder, write_lists

IDS = list(video_ids())
LENGTHS = {'audio': 2, 'visual': 3}  # Of durations that fit together.
STEP = np.ones((1, 2), np.float32)


@pytest.fixture
def folder(tmp_path):
    write_lists(tmp_path)
    return tmp_path


@pytest.fixture
def values():
    return clips(lambda key, i: LENGTHS[key])


@pytest.fixture
def ragged():
    return clips(lambda key, i: LENGTHS[key] * (1 + i % 4))


def stacked(values):
    return {key: np.stack(list(by_id.values())) for key, by_id in values.items()}


def objects(arrays, fortran=False):
    out = np.empty((len(arrays), 1) if fortran else len(arrays), object, order='F' if fortran else 'C')
    for i, array in enumerate(arrays):
        out[i] = array
    return out


def assert_same(store, values):
    assert sorted(store.video_ids) == sorted(IDS)
    for i, video in enumerate(store.video_ids.tolist()):
        for key, by_id in values.items():
            np.testing.assert_array_equal(store.gather(key, np.array([i]))[0][0], by_id[video])


def swapped(values, *keys):
    return {key: {v: a.T if key in keys else a for v, a in by_id.items()} for key, by_id in values.items()}


# Forms of one file ----------------------------------------------------------------------------------------------------


def write_h5_columns(path, values):
    h5py = pytest.importorskip('h5py')
    with h5py.File(path, 'w') as file:
        file['video_id'] = IDS
        for key, array in stacked(values).items():
            file[key] = array


def write_h5_by_modality(path, values):
    h5py = pytest.importorskip('h5py')
    with h5py.File(path, 'w') as file:
        for key, by_id in values.items():
            for video, array in by_id.items():
                file[f'{key}/{video}'] = array


def write_h5_by_video(path, values):
    h5py = pytest.importorskip('h5py')
    with h5py.File(path, 'w') as file:
        for key, by_id in values.items():
            for video, array in by_id.items():
                file[f'{video}/{key}'] = array


def by_video(values, convert=np.asarray):
    return {video: {key: convert(by_id[video]) for key, by_id in values.items()} for video in IDS}


def write_mat_cells(path, values):
    cells = {key: objects(list(by_id.values())) for key, by_id in values.items()}
    io.savemat(path, dict(video_id=np.array(IDS, object), **cells))


FORMS = {
    'columns.h5': write_h5_columns,
    'by_modality.h5': write_h5_by_modality,
    'by_video.hdf5': write_h5_by_video,
    'cells.mat': write_mat_cells,
    'matrix.mat': lambda path, values: io.savemat(path, dict(video_id=np.array(IDS), **stacked(values))),
    'by_modality.pkl': lambda path, values: path.write_bytes(pickle.dumps(values)),
    'by_video.pkl': lambda path, values: path.write_bytes(pickle.dumps(by_video(values))),
    'list.pkl': lambda path, values: path.write_bytes(
        pickle.dumps([dict(video_id=video, **entry) for video, entry in by_video(values).items()])
    ),
    'by_video.pt': lambda path, values: torch.save(by_video(values, torch.from_numpy), path),
    'columns.pt': lambda path, values: torch.save(
        dict(video_id=IDS, **{key: torch.from_numpy(array) for key, array in stacked(values).items()}), path
    ),
    'dict.npy': lambda path, values: np.save(path, np.array(by_video(values), dtype=object)),
    'equal_objects.npz': lambda path, values: np.savez(
        path, video_id=IDS, **{key: np.array(list(by_id.values()), object) for key, by_id in values.items()}
    ),
}


@pytest.mark.parametrize('name', FORMS)
def test_every_form_of_a_file_becomes_the_same_store(folder, values, name):
    FORMS[name](folder / name, values)
    assert run_features(folder, features=name) == 0
    assert_same(FeatureStore(folder / 'out', verify=True), values)


@pytest.mark.parametrize('name', ['by_modality.h5', 'by_video.hdf5', 'cells.mat', 'by_modality.pkl', 'by_video.pt'])
def test_sequences_of_unequal_length_keep_their_lengths(folder, ragged, name):
    FORMS[name](folder / name, ragged)
    assert run_features(folder, features=name) == 0
    assert_same(FeatureStore(folder / 'out'), ragged)


class _Model(torch.nn.Module):
    pass


REFUSED = {
    'model.pt': (lambda path: torch.save(_Model(), path), 'numpy.savez'),
    'cut.pt': (lambda path: path.write_bytes(b'PK\x03\x04cut'), 'not a complete file of torch.save'),
    'class.pkl': (lambda path: path.write_bytes(pickle.dumps(DataError('x'))), 'numpy.savez'),
    'cut.mat': (lambda path: path.write_bytes(b'MATLAB 5.0 MAT-file' + b' ' * 200), 'not a complete .mat file'),
    'new.mat': (lambda path: path.write_bytes(b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM'), 'version 7.3'),
    'cut.h5': (lambda path: path.write_bytes(b'\x89HDF\r\n\x1a\n'), 'not a complete HDF5 file'),
    'table.csv': (lambda path: path.write_text('a,b\n'), 'numpy.savez'),
    'archive.zip': (lambda path: path.write_text('PK'), 'numpy.savez'),
    'array.npy': (lambda path: np.save(path, np.zeros((3, 4))), 'without ids'),
    'no_modality.pkl': (
        lambda path: path.write_bytes(pickle.dumps({'a': {'x': np.zeros(2)}})),
        'without audio or visual',
    ),
    'no_ids.pkl': (lambda path: path.write_bytes(pickle.dumps([{'audio': np.zeros(2)}])), 'without video_id'),
    'nothing.pkl': (lambda path: path.write_bytes(pickle.dumps({})), 'without names'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_cannot_be_read_says_why_or_how_to_save_it(folder, capsys, name):
    write, words = REFUSED[name]
    if name.endswith('.h5'):
        pytest.importorskip('h5py')
    write(folder / name)
    assert run_features(folder, features=name) == 2
    told = capsys.readouterr().err
    assert words in told and name in told


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('beside', [True, False])
@pytest.mark.parametrize('name, meant', [('video', 'visual'), ('rgb', 'visual'), ('Audio', 'audio')])
def test_a_folder_of_another_name_is_not_passed_over(folder, values, capsys, name, meant, beside):
    write_folder(folder / 'F', {**values, name: values['visual']} if beside else {'audio': values['audio'], name: {}})
    (folder / 'F' / name).mkdir(exist_ok=True)
    assert run_features(folder) == 2
    assert f"'{name}' would be ignored. Did you mean '{meant}'?" in capsys.readouterr().err


def test_a_folder_of_an_unknown_modality_is_warned_of(folder, values, caplog):
    write_folder(folder / 'F', {**values, 'flow': values['visual']})
    assert run_features(folder) == 0
    assert 'flow has .npy files, which are ignored' in caplog.text


@pytest.mark.parametrize(
    'name, meant', [('video', 'visual'), ('sound', 'audio'), ('names', 'video_id'), ('Visual', 'visual')]
)
def test_an_array_of_another_name_is_not_passed_over(folder, values, capsys, name, meant):
    np.savez(folder / 'F.npz', video_id=IDS, **stacked(values), **{name: np.zeros(len(IDS))})
    assert run_features(folder, features='F.npz') == 2
    assert f"'{name}' would be ignored. Did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize('write', [write_h5_by_modality, write_h5_by_video])
def test_a_group_of_another_name_is_not_passed_over(folder, values, capsys, write):
    write(folder / 'F.h5', {'audio': values['audio'], 'video': values['visual']})
    assert run_features(folder, features='F.h5') == 2
    assert "Did you mean 'visual'?" in capsys.readouterr().err


@pytest.mark.parametrize('write', [write_h5_by_modality, write_h5_by_video])
def test_modalities_in_two_layouts_are_refused(folder, values, capsys, write):
    write(folder / 'F.h5', {'audio': values['audio']})
    with pytest.importorskip('h5py').File(folder / 'F.h5', 'a') as file:
        file['visual'] = stacked(values)['visual']
    assert run_features(folder, features='F.h5') == 2
    assert 'visual is one array, and audio has one for each video' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['F.h5', 'F.pkl'])
def test_labels_of_the_file_are_compared_with_the_lists(folder, values, capsys, name):
    labels = {**video_ids(), IDS[0]: 'd'}
    if name == 'F.h5':
        write_h5_by_video(folder / name, values)
        with pytest.importorskip('h5py').File(folder / name, 'a') as file:
            for video, label in labels.items():
                file[f'{video}/label'] = label
    else:
        (folder / name).write_bytes(pickle.dumps({**values, 'label': labels}))
    assert run_features(folder, features=name) == 2
    assert f"{IDS[0]!r} is of class 'a'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'audio': {1: STEP, '1': STEP}}, "video '1' occurs twice"),
        ({1: {'audio': STEP}, '1': {'audio': STEP}}, "video '1' occurs twice"),
        ({'audio': {'a': STEP}, 'label': {'a': b'\xff'}}, 'label holds bytes that are not UTF-8'),
        ({'audio': {'a': STEP}, 'label': {'a': np.array(['x'])}}, 'label is object .*of text or of whole numbers'),
        ({'audio': {}}, 'has no audio features for any video'),
    ],
)
def test_ids_and_labels_that_are_not_one_text_each_are_refused(tmp_path, content, words):
    (tmp_path / 'F.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=rf'F\.pkl:? {words}'):
        ClipReader(tmp_path / 'F.pkl')


def test_ids_and_labels_may_be_whole_numbers_of_numpy(tmp_path):
    content = {'audio': {np.int64(7): STEP}, 'label': {np.int64(7): np.int32(3)}}
    (tmp_path / 'F.pkl').write_bytes(pickle.dumps(content))
    found = ArrayFeatures(tmp_path / 'F.pkl')
    assert found.video_ids == ['7'] and found.labels == {'7': '3'}


def test_seconds_of_a_modality_that_does_not_exist_are_refused(folder, values):
    write_folder(folder / 'F', values)
    with pytest.raises(DataError, match=r"seconds_per_step names 'video'\. Its keys are audio and visual"):
        import_arrays(
            folder / 'out', features=folder / 'F', lists=folder / 'lists', shots=[1], seconds_per_step={'video': 0.04}
        )


def test_leftovers_of_systems_are_not_videos(folder, values):
    write_folder(folder / 'F', values)
    for name in ('audio/._x.npy', 'visual/__MACOSX/y.npy', 'audio/.DS_Store', '__MACOSX/video/z.npy'):
        (folder / 'F' / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / 'F' / name).write_bytes(b'x')
    assert sorted(ArrayFeatures(folder / 'F').video_ids) == sorted(IDS)
    assert run_features(folder) == 0


# Shapes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('keys', [('audio',), ('visual',)])
@pytest.mark.parametrize('form', ['folder', 'npz'])
def test_axes_that_are_swapped_are_refused_and_read_on_request(folder, ragged, capsys, keys, form):
    odd, name = swapped(ragged, *keys), 'F'
    if form == 'folder':
        write_folder(folder / 'F', odd)
    else:
        name = 'F.npz'
        np.savez(folder / name, video_id=IDS, **{key: objects(list(by_id.values())) for key, by_id in odd.items()})
    assert run_features(folder, features=name) == 2
    told = capsys.readouterr().err
    assert 'look like (width, steps)' in told and f'--transpose {keys[0]}' in told
    assert run_features(folder, '--transpose', *keys, features=name) == 0
    assert_same(FeatureStore(folder / 'out'), ragged)


@pytest.mark.parametrize('keys, named', [(['visual'], 'visual'), (['audio', 'none'], 'none')])
def test_what_is_not_there_is_not_transposed(folder, ragged, capsys, keys, named):
    write_folder(folder / 'F', {'audio': ragged['audio']})
    assert run_features(folder, '--transpose', *keys) == 2
    assert f'{named} cannot be transposed; it has audio features only' in capsys.readouterr().err


def test_one_step_has_no_axes_to_swap(tmp_path):
    (tmp_path / 'audio').mkdir()
    np.save(tmp_path / 'audio/one.npy', np.arange(5.0))
    np.save(tmp_path / 'audio/three.npy', np.zeros((5, 3)))
    features = ArrayFeatures(tmp_path, transposed=['audio'])
    assert np.array_equal(features.read('one')['audio'], [np.arange(5.0)])
    assert features.read('three')['audio'].shape == (3, 5)


def test_an_array_n_d_t_of_a_known_width_is_refused(folder, capsys):
    wide = clips(lambda key, i: 10, widths=dict(audio=128))
    np.savez(folder / 'F.npz', video_id=IDS, **stacked(swapped(wide, 'audio')))
    assert run_features(folder, features='F.npz') == 2
    assert 'its first axis is 128, its second 10' in capsys.readouterr().err
    assert run_features(folder, '--transpose', 'none', features='F.npz') == 0
    assert FeatureStore(folder / 'out').modalities['audio'].dim == 10


def test_clips_of_equal_length_of_which_one_has_another_width_are_not_swapped(folder, values, capsys):
    values['audio'][IDS[3]] = np.zeros((2, 5))
    write_folder(folder / 'F', values)
    assert run_features(folder) == 2
    told = capsys.readouterr().err
    assert '1 of the 27' in told and f"'{IDS[3]}': audio features of width 5, while most have 6" in told


@pytest.mark.parametrize('key', ['audio', 'visual'])
@pytest.mark.parametrize('dtype', [object, np.float32])
def test_arrays_in_fortran_order_keep_their_order(folder, values, key, dtype):
    odd = {**values, key: {v: np.asfortranarray(a.astype(dtype)) for v, a in values[key].items()}}
    write_folder(folder / 'F', odd)
    assert run_features(folder) == 0
    assert_same(FeatureStore(folder / 'out'), values)


# Seconds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'audio, visual, options, warned',
    [
        (32, 112, (), True),
        (32, 112, ('--seconds-visual', 0.32), False),
        (32, 48, (), False),
        (32, 56, (), False),
        (32, 64, (), True),
        (2, 4, (), False),
        (1, 1, (), False),
        (1, 50, (), True),
    ],
)
def test_durations_that_differ_are_warned_of(folder, caplog, audio, visual, options, warned):
    write_folder(folder / 'F', clips(lambda key, i: audio if key == 'audio' else visual))
    with caplog.at_level(logging.WARNING):
        assert run_features(folder, *options) == 0
    assert ('--seconds-visual' in caplog.text) == warned


# Bad clips ------------------------------------------------------------------------------------------------------------

BAD = {
    'no steps in its audio features': ('audio', np.zeros((0, 6))),
    'NaN or infinity in its visual features': ('visual', np.full((3, 8), np.nan)),
    'NaN or infinity in its audio features': ('audio', np.full((2, 6), np.inf)),
    'the audio features are object of shape ()': ('audio', np.array(None, dtype=object)),
    'visual features of width 7, while most have 8': ('visual', np.zeros((3, 7))),
    'no visual features': ('visual', None),
}


def spoil(values):
    """Give each kind of badness to one of the videos for training; returns {video: reason}."""
    bad = dict(zip([v for v in IDS if v.startswith('stage_1_train')], BAD, strict=False))
    for video, reason in bad.items():
        key, array = BAD[reason]
        values[key][video] = array
        if array is None:
            del values[key][video]
    return bad


def listed(path):
    with open(path, newline='') as file:
        return {row['video']: row['reason'] for row in csv.DictReader(file)}


@pytest.fixture
def spoilt(folder, values):
    """Features with bad clips of each kind; and a further list of good training videos."""
    more = {v: c for v, c in video_ids(6).items() if v.startswith('stage_1_train')}
    with open(folder / 'lists/stage_1_train.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('filename', 'label'), *more.items()])
    for video in more:
        for key in values:
            values[key].setdefault(video, next(iter(values[key].values())))
    bad = spoil(values)
    write_folder(folder / 'F', values)
    return bad


def test_every_bad_clip_is_named_at_once(folder, spoilt, capsys):
    assert run_features(folder) == 2
    told = capsys.readouterr().err
    assert f'{len(spoilt)} of the 33 videos' in told and '--skip-bad' in told
    assert all(f"'{video}': {reason}" in told for video, reason in spoilt.items())
    found = listed(folder / 'out.bad_clips.csv')
    assert found.keys() == spoilt.keys() and all(found[v].startswith(reason) for v, reason in spoilt.items())
    assert not (folder / 'out').exists()


def test_bad_clips_are_left_out_on_request_and_the_store_says_why(folder, spoilt):
    assert run_features(folder, '--skip-bad') == 0
    store = FeatureStore(folder / 'out', verify=True)
    assert len(store) == 33 - len(spoilt) and not set(store.video_ids) & set(spoilt)
    source = json.loads((folder / 'out/store.json').read_text())['source']
    assert all(video in source and reason in source for video, reason in spoilt.items())
    assert listed(folder / 'out.bad_clips.csv').keys() == spoilt.keys()


def test_skip_missing_leaves_out_what_is_missing_only(folder, spoilt, capsys):
    assert run_features(folder, '--skip-missing') == 2
    told = capsys.readouterr().err
    assert f'{len(spoilt) - 1} of the 33 videos' in told and "': no visual features" not in told


def test_the_list_of_an_earlier_run_goes_when_all_is_good(folder, values):
    write_folder(folder / 'F', values)
    (folder / 'out.bad_clips.csv').write_text('video,reason\nx,y\n')
    assert run_features(folder) == 0 and not (folder / 'out.bad_clips.csv').exists()


def test_of_many_bad_clips_twenty_are_shown_and_all_are_listed(folder, values, capsys):
    for video in IDS[:25]:
        values['audio'][video] = np.full((2, 6), np.nan)
    write_folder(folder / 'F', values)
    assert run_features(folder) == 2
    told = capsys.readouterr().err
    assert told.count('NaN or infinity') == 20 and 'and 5 more' in told
    assert len(listed(folder / 'out.bad_clips.csv')) == 25


def test_a_class_that_is_left_without_clips_is_refused_by_name(folder, values, capsys):
    for video in (v for v in IDS if v.startswith('stage_1_train_a')):
        values['audio'][video] = np.full((2, 6), np.nan)
    write_folder(folder / 'F', values)
    assert run_features(folder, '--skip-bad') == 2
    assert "class 'a'" in capsys.readouterr().err


# Ids ------------------------------------------------------------------------------------------------------------------

RENAMED = {
    'suffix': lambda v: f'{v}.mp4',
    'folder': lambda v: f'videos/{v}',
    'folder and suffix': lambda v: f'/data/{v}.MKV',
    'times': lambda v: f'{v}_000010_000020',
    'start': lambda v: f'{v}_10.0.mp4',
}


@pytest.mark.parametrize('kind', RENAMED)
def test_ids_that_differ_alike_are_shown_and_matched_on_request(folder, values, capsys, caplog, kind):
    rename = RENAMED[kind]
    write_lists(folder, rename)
    np.savez(folder / 'F.npz', video_id=IDS, **stacked(values))
    for option in ((), ('--skip-missing',)):
        assert run_features(folder, *option, features='F.npz') == 2
        told = capsys.readouterr().err
        assert repr(rename(IDS[0])) in told and repr(IDS[0]) in told and '--match stem finds 27' in told
    assert run_features(folder, '--match', 'stem', features='F.npz') == 0
    assert 'Matched by stem: 27 of 27 videos' in caplog.text
    store = FeatureStore(folder / 'out')
    assert sorted(store.video_ids) == sorted(map(rename, IDS))
    place = store.video_ids.tolist().index(rename(IDS[4]))
    np.testing.assert_array_equal(store.gather('audio', np.array([place]))[0][0], values['audio'][IDS[4]])


def test_ids_that_differ_otherwise_are_shown_beside_the_nearest(folder, values, capsys):
    write_lists(folder, lambda v: f'{v}-x')
    np.savez(folder / 'F.npz', video_id=IDS, **stacked(values))
    assert run_features(folder, features='F.npz') == 2
    told = capsys.readouterr().err
    assert 'nearest in the features is' in told and '--match' not in told


@pytest.mark.parametrize(
    'wanted, known, found',
    [
        ('abc_000030_000040', ['abc_30'], 'abc_30'),
        ('abc_30', ['abc_000030_000040', 'abc_000050_000060'], 'abc_000030_000040'),
        ('abc_30.mp4', ['abc_000050'], None),
        ('abc', ['abc_30', 'abc_50'], None),
        ('v_3.mp4', ['v_3', 'v_3_7'], 'v_3'),
        ('-abc_9.webm', ['-abc_000009'], '-abc_000009'),
        ('a.b', ['a'], None),
        ('x', ['x', 'x.mp4'], 'x'),
    ],
)
def test_a_stem_matches_one_video_or_none(wanted, known, found):
    assert match_ids([wanted], known)[0].get(wanted) == found


def test_two_ids_never_share_the_features_of_one_video(folder, values, capsys):
    with open(folder / 'lists/stage_1_train.csv', 'a') as file:
        file.write(f'{IDS[0]}.mp4,a\n')
    np.savez(folder / 'F.npz', video_id=IDS, **stacked(values))
    assert run_features(folder, '--match', 'stem', features='F.npz') == 2
    assert 'may mean the same' in capsys.readouterr().err
