"""Features whose names, axes or forms are nearly right: each is read right, warned of, or refused with the cause."""

import json
import pickle
import unicodedata
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch

from avzoo.datasets.feature_store import FeatureStore
from tests.importers.own_data import clips, run_features, video_ids, write_folder, write_lists

IDS = list(video_ids())


@pytest.fixture
def folder(tmp_path):
    write_lists(tmp_path)
    return tmp_path


@pytest.fixture
def values():
    return clips(lambda key, i: {'audio': 2, 'visual': 3}[key])


def write_npz(folder, **arrays):
    np.savez(folder / 'F.npz', video_id=IDS, **{key: np.stack(list(by_id.values())) for key, by_id in arrays.items()})


def arrays_of(store):
    return {v: store.gather('audio', np.array([i]))[0][0].numpy() for i, v in enumerate(store.video_ids.tolist())}


# Axes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('width', [256, 384, 640, 1280, 1536])
def test_equal_clips_of_swapped_axes_are_refused_at_every_width_of_a_common_network(folder, capsys, width):
    np.savez(folder / 'F.npz', video_id=IDS, audio=np.ones((len(IDS), width, 7)))
    assert run_features(folder, features='F.npz') == 2
    assert f'its first axis is {width}, its second 7' in capsys.readouterr().err
    assert run_features(folder, '--transpose', 'audio', features='F.npz') == 0
    assert FeatureStore(folder / 'out').modalities['audio'].dim == width


@pytest.mark.parametrize('steps, width', [(128, 640), (256, 1280), (512, 384)])
def test_as_many_steps_as_some_network_is_wide_are_not_swapped_axes(folder, steps, width):
    np.savez(folder / 'F.npz', video_id=IDS, audio=np.ones((len(IDS), steps, width), np.float16))
    assert run_features(folder, features='F.npz') == 0
    assert FeatureStore(folder / 'out').modalities['audio'].dim == width


@pytest.mark.parametrize('options, warned', [((), True), (('--transpose', 'none'), False)])
def test_more_steps_than_features_in_all_clips_alike_are_warned_of(folder, caplog, options, warned):
    np.savez(folder / 'F.npz', video_id=IDS, audio=np.ones((len(IDS), 40, 7)))
    assert run_features(folder, *options, features='F.npz') == 0
    assert ('40 steps of 7 audio features' in caplog.text) == warned


def test_long_clips_of_unequal_length_are_not_warned_of(folder, caplog):
    write_folder(folder / 'F', {'audio': clips(lambda key, i: 40 + i % 3)['audio']})
    assert run_features(folder) == 0 and 'steps of 6 audio' not in caplog.text


# Forms ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', [OrderedDict, lambda content: defaultdict(dict, content)])
def test_dicts_of_collections_are_dicts(folder, values, kind):
    by_video = {v: kind({key: by_id[v] for key, by_id in values.items()}) for v in IDS}
    (folder / 'F.pkl').write_bytes(pickle.dumps(kind(by_video)))
    assert run_features(folder, features='F.pkl') == 0
    found = arrays_of(FeatureStore(folder / 'out'))
    assert all(np.array_equal(found[v], values['audio'][v]) for v in IDS) and len(found) == len(IDS)


@pytest.mark.parametrize('suffix', ['.pt', '.npz', '.pkl', '.h5'])
def test_a_folder_of_files_of_another_form_names_one(folder, capsys, suffix):
    (folder / 'F/audio').mkdir(parents=True)
    (folder / f'F/audio/{IDS[0]}{suffix}').write_bytes(b'x')
    (folder / 'F/audio/.DS_Store').write_bytes(b'x')
    assert run_features(folder) == 2
    assert f'has no .npy file, but {IDS[0] + suffix!r}' in capsys.readouterr().err


def write_clips(folder, values):
    for video in IDS:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f'{video}.npz', **{key: by_id[video] for key, by_id in values.items() if video in by_id})


def test_a_folder_of_clips_as_predict_reads_it_becomes_a_store(folder, values):
    write_clips(folder / 'F', values)
    (folder / 'F/__MACOSX').mkdir()
    for name in (f'._{IDS[0]}.npz', f'__MACOSX/{IDS[1]}.npz'):
        (folder / 'F' / name).write_bytes(b'x')
    assert run_features(folder) == 0
    found = arrays_of(FeatureStore(folder / 'out', verify=True))
    assert all(np.array_equal(found[v], values['audio'][v]) for v in IDS) and len(found) == len(IDS)


def test_bad_files_of_clips_are_all_named(folder, values, capsys):
    del values['visual'][IDS[0]]
    values['audio'][IDS[4]] = np.full((2, 6), np.nan)
    write_clips(folder / 'F', values)
    (folder / f'F/{IDS[8]}.npz').write_bytes(b'PK')
    (folder / f'F/{IDS[12]}.npz').unlink()
    assert run_features(folder) == 2
    told = capsys.readouterr().err
    assert '4 of the 27' in told and all(repr(IDS[i]) in told for i in (0, 4, 8, 12))
    assert 'no visual features' in told and 'NaN' in told and 'not a complete .npz' in told
    assert run_features(folder, '--skip-bad') == 0 and len(FeatureStore(folder / 'out')) == 23


def test_clips_whose_picture_is_called_video_are_refused(folder, values, capsys):
    write_clips(folder / 'F', {'audio': values['audio'], 'video': values['visual']})
    assert run_features(folder) == 2
    assert "Did you mean 'visual'?" in capsys.readouterr().err


# Names ----------------------------------------------------------------------------------------------------------------


def test_ids_whose_accents_are_written_apart_are_matched_on_request(folder, values, capsys):
    write_lists(folder, lambda v: f'caf\u00e9 {v}')
    apart = {v: unicodedata.normalize('NFD', f'caf\u00e9 {v}') for v in IDS}
    write_folder(folder / 'F', {key: {apart[v]: a for v, a in by_id.items()} for key, by_id in values.items()})
    assert run_features(folder) == 2 and '--match stem finds 27' in capsys.readouterr().err
    assert run_features(folder, '--match', 'stem') == 0
    found = arrays_of(FeatureStore(folder / 'out'))
    assert all(np.array_equal(found[f'caf\u00e9 {v}'], values['audio'][v]) for v in IDS)


@pytest.mark.parametrize('given', [('audio',), ('audio', 'visual')])
def test_the_store_says_what_features_it_holds_in_words_of_your_own(folder, values, given):
    write_npz(folder, **values)
    options = [part for key in given for part in (f'--features-{key}', f'my {key} net')]
    assert run_features(folder, *options, features='F.npz') == 0
    meta = json.loads((folder / 'out/store.json').read_text())
    assert meta['features'] == {key: f'my {key} net' for key in given}


def test_what_features_are_is_not_said_of_a_modality_that_is_not_there(folder, values, capsys):
    write_npz(folder, audio=values['audio'])
    assert run_features(folder, '--features-visual', 'x', features='F.npz') == 2
    assert 'visual' in capsys.readouterr().err


# Class vectors --------------------------------------------------------------------------------------------------------

TABLES = {
    'semicolons': 'id;label;text\n0;b;x\n1;a;y\n2;d;z\n3;c;w\n',
    'other words': '\ufeffClass,text\nb,x\na,y\nd,z\nc,w\n',
    'tabs': 'text\tlabel\nx\tb\ny\ta\nz\td\nw\tc\n',
}


@pytest.mark.parametrize('form', TABLES)
def test_rows_follow_a_table_of_classes_in_every_form_of_table(folder, values, form):
    write_npz(folder, **values)
    (folder / 'lists/classes.csv').write_text(TABLES[form], encoding='utf-8')
    np.save(folder / 'E.npy', np.array([[1.0], [2.0], [3.0], [4.0]]))
    assert run_features(folder, '--class-embeddings', folder / 'E.npy', features='F.npz') == 0
    store = FeatureStore(folder / 'out')
    assert dict(zip(store.class_names, store.class_embeddings()[:, 0], strict=True)) == {'b': 1, 'a': 2, 'd': 3, 'c': 4}


def test_tensors_by_name_are_class_vectors(folder, values):
    write_npz(folder, **values)
    torch.save({name: torch.tensor([float(ord(name))]) for name in 'dcba'}, folder / 'E.pt')
    assert run_features(folder, '--class-embeddings', folder / 'E.pt', features='F.npz') == 0
    assert FeatureStore(folder / 'out').class_embeddings()[:, 0].tolist() == [ord(name) for name in 'abcd']


@pytest.mark.parametrize('name', ['glove.txt', 'wiki.vec', 'E.csv', 'E.json'])
def test_a_file_of_word_vectors_is_not_one_of_class_vectors_and_the_error_names_the_command(
    folder, values, capsys, name
):
    write_npz(folder, **values)
    (folder / name).write_text('a 1 2\n')
    assert run_features(folder, '--class-embeddings', folder / name, features='F.npz') == 2
    assert 'tools/class_vectors.py CLASSES OUT.npz --text FILE' in capsys.readouterr().err
