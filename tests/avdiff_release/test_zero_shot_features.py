"""The layouts of the zero-shot releases become feature stores with few-shot splits."""

import csv
import json
import pickle
import shutil
import sys

import numpy as np
import pytest

from avzoo.avdiff_release.features import import_released_features
from avzoo.avdiff_release.zero_shot_features import import_zero_shot_features
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.splits import TABLE_COLUMNS, format_table
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import DataError
from tests.avdiff_release.zero_shot_release import RELEASES, videos_of, write_file, write_release, write_vectors
from tests.importers.load_tool import load_tool

SMALL = ((2, 6), (3, 9))
NAMES = ('ours', 'theirs')
STAMPS = dict(
    avca_cls=('vggish-pca-u8-mean', 'c3d-fc7-mean', 1.0),
    avca_main=('selavi-audio-mean', 'selavi-visual-mean', 1.0),
    tcaf_cls=('vggish-pca-u8', 'c3d-fc7', 0.64),
    tcaf_main=('selavi-audio', 'selavi-visual', 1.0),
    clipclap=('clap-htsat-bert', 'clip-vit-b-32', 1.0),
)


def meta_of(store):
    return json.loads((store / 'store.json').read_text())


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path / 'UCF', shapes=SMALL)


@pytest.fixture
def features(release):
    return release / 'features' / 'cls_features_non_averaged'


def take(root, **options):
    return import_zero_shot_features(root, root.parent / 'out', **dict(shots=[1], feature_set=NAMES) | options)


@pytest.mark.parametrize('kind', RELEASES)
def test_each_release_becomes_a_store_that_says_what_it_holds(tmp_path, kind):
    if RELEASES[kind][1] == '.h5':
        pytest.importorskip('h5py')
    root = write_release(tmp_path / 'UCF', kind)
    out = import_zero_shot_features(root, tmp_path / 'out', shots=[1, 2])
    store = FeatureStore(out, verify=True)
    audio, visual, seconds = STAMPS[kind]
    assert meta_of(out)['features'] == dict(audio=audio, visual=visual)
    assert store.modalities['visual'].seconds_per_step == seconds
    for modality, shape in zip(('audio', 'visual'), RELEASES[kind][2:], strict=True):
        assert store.modalities[modality].dim == shape[-1] and set(store.lengths[modality]) == {([1, *shape])[-2]}
    assert store.class_names == ['Archery', 'Bowling', 'HandStandPushups', 'Typing']
    assert store.shots() == [1, 2] and len(store.split(2, 'stage2_novel_1')) == 2


def test_features_and_labels_are_those_of_each_video(release):
    store = FeatureStore(take(release))
    for video, label in [('v_Archery_stage_1_train_2', 'Archery'), ('v_Typing_stage_2_test_unseen_0', 'Typing')]:
        place = store.video_ids.tolist().index(video)
        assert store.class_names[store.labels[place]] == label
        for modality, shape in zip(('audio', 'visual'), SMALL, strict=True):
            values, _ = store.gather(modality, np.array([place]))
            assert values[0].shape == shape and (values == len(label) + int(video[-1])).all()


def test_class_vectors_are_matched_by_name(release):
    store = FeatureStore(take(release))
    assert store.class_texts == ['Archery', 'Bowling', 'Handstand Pushups', 'Typing']
    assert store.class_embeddings('word2vec')[:, 0].tolist() == [0, 1, 2, 3]


def test_clip_and_clap_vectors_are_kept_and_joined(tmp_path):
    store = FeatureStore(take(write_release(tmp_path / 'UCF', 'clipclap', ((6,), (9,)))))
    assert [store.class_embeddings(kind).shape[1] for kind in (None, 'clip', 'clap')] == [1536, 512, 1024]
    assert store.class_embeddings('clap')[:, 0].tolist() == [0, 1, 2, 3]


TABLE_1 = {
    'UCF': '3174 60 353 1407 4994 30 555 815',
    'ActivityNet': '9204 255 1023 4052 14534 240 1615 3812',
}


@pytest.mark.parametrize('dataset', TABLE_1)
def test_the_lists_of_the_releases_give_table_1(shared_dir, tmp_path, dataset):
    root = tmp_path / dataset
    lists = shared_dir / 'data' / 'gzsl_lists' / dataset
    shutil.copytree(lists, root / 'class-split')
    for names in sorted((lists / 'cls_split').glob('stage_[12]_[!2]*.txt')):
        if names.stem == 'stage_2_train':  # the union of other lists, which is not read
            continue
        videos = {}
        for row in csv.DictReader(names.with_suffix('.csv').open()):
            videos.setdefault(row['label'], []).append(row['filename'])
        for label, ids in videos.items():
            for modality in ('audio', 'video'):
                path = root / 'features' / 'cls_features' / modality / names.stem / f'{label}.x'
                write_file(path, ids, list(np.ones((len(ids), 2), np.float32)))
    out = import_zero_shot_features(root, tmp_path / 'out', shots=[5], feature_set=NAMES)
    table = format_table({5: FeatureStore(out).split_sizes(5)}).split('\n')[2].split()[1:]
    assert dict(zip(TABLE_COLUMNS, table, strict=True)) == dict(
        zip(TABLE_COLUMNS, TABLE_1[dataset].split(), strict=True)
    )


def test_the_tool_prints_the_store(release, tmp_path, capsys):
    args = [release, tmp_path / 'out', '--feature-set', *NAMES, '--shots', 2, '--name', 'mine']
    assert run_tool(load_tool('gzsl').main, [str(arg) for arg in args]) == 0
    assert 'FeatureStore(mine: 36 videos, 4 classes' in capsys.readouterr().out


def test_help_teaches_with_an_example_and_bad_input_is_one_line(tmp_path, capsys):
    tool = load_tool('gzsl')
    with pytest.raises(SystemExit, match='0'):
        tool.main(['--help'])
    assert 'python tools/dataset_converters/gzsl.py downloads/UCF' in capsys.readouterr().out
    assert run_tool(tool.main, [str(tmp_path / 'nowhere'), str(tmp_path / 'out')]) == 2
    assert 'error: There is no folder' in capsys.readouterr().err


def test_a_list_that_is_absent_is_taken_from_its_folder(release, caplog):
    (release / 'class-split' / 'cls_split' / 'stage_1_train.csv').unlink()
    assert FeatureStore(take(release)).split_sizes(1)['stage1_base'] == 8
    assert 'lacks stage_1_train.csv' in caplog.text


def test_no_lists_at_all_leave_the_folders(release):
    shutil.rmtree(release / 'class-split' / 'cls_split')
    store = FeatureStore(take(release))
    assert store.class_names == ['Archery', 'Bowling', 'HandstandPushups', 'Swing', 'Typing']


@pytest.mark.parametrize('suffix', ['', '.mp4', '.avi'])
@pytest.mark.parametrize('as_bytes', [False, True])
def test_names_may_be_bytes_and_have_the_suffix_of_a_file(release, features, suffix, as_bytes):
    for path in features.glob('*/stage_1_train/*.pkl'):
        content = pickle.loads(path.read_bytes())
        names = [name.decode() + suffix for name in content['video_names']]
        content['video_names'] = np.array(names, dtype='S') if as_bytes else names
        path.write_bytes(pickle.dumps(content))
    assert 'v_Archery_stage_1_train_0' in FeatureStore(take(release)).video_ids


def test_modalities_may_order_videos_differently(release, features):
    path = features / 'audio' / 'stage_1_train' / 'Archery.pkl'
    videos = videos_of('stage_1_train', 'Archery')
    write_file(path, videos[::-1], [np.full((2, 6), i, np.float32) for i in (3, 2, 1, 0)])
    store = FeatureStore(take(release))
    place = store.video_ids.tolist().index(videos[3])
    assert store.gather('audio', np.array([place]))[0].max() == 3


def test_videos_in_no_list_are_left_out_and_counted(release, features, caplog):
    for modality, shape in zip(('audio', 'video'), SMALL, strict=True):
        videos = [*videos_of('stage_1_train', 'Archery'), 'other']
        write_file(features / modality / 'stage_1_train' / 'Archery', videos, [np.ones(shape)] * 5)
    assert 'other' not in FeatureStore(take(release)).video_ids
    assert '1 video in no list, left out' in caplog.text


def test_videos_without_features_are_left_out_on_demand(release, features):
    videos = videos_of('stage_1_train', 'Archery')[1:]
    write_file(features / 'video' / 'stage_1_train' / 'Archery', videos, [np.ones((3, 9))] * 3)
    with pytest.raises(DataError, match=r"1 of the 36 videos .*'v_Archery_stage_1_train_0'.*--skip-missing"):
        take(release)
    assert len(FeatureStore(take(release, skip_missing=True))) == 35


@pytest.mark.parametrize('empty', [np.ones((0, 9)), np.ones(0), []])
def test_empty_videos_count_as_videos_without_features(release, features, empty):
    for name in ('stage_1_train', 'stage_2_test_unseen'):
        path = features / 'video' / name / ('Archery.pkl' if name == 'stage_1_train' else 'Typing.pkl')
        spoil(path, features=[empty, *pickle.loads(path.read_bytes())['features'][1:]])
    (release / 'class-split' / 'cls_split' / 'stage_2_test_unseen.csv').unlink()
    assert len(FeatureStore(take(release, skip_missing=True))) == 34


def test_a_release_without_class_vectors_is_imported_with_a_warning(release, features, caplog):
    shutil.rmtree(features / 'text')
    assert meta_of(take(release))['class_embeddings'] == {} and 'no class vectors' in caplog.text


def spoil(path, **changes):
    content = pickle.loads(path.read_bytes()) | changes
    path.write_bytes(pickle.dumps({key: value for key, value in content.items() if value is not None}))


def odd_inputs(root, features):
    """Return kind -> (what makes the input odd, options, words of the error)."""
    file = features / 'audio' / 'stage_1_train' / 'Archery.pkl'
    split = root / 'class-split'
    videos = videos_of('stage_1_train', 'Archery')
    unsafe = b'cposix\nsystem\n(Vtrue\ntR.'
    tensor = b'ctorch._utils\n_rebuild_tensor_v2\n.'
    return {
        'no root': (lambda: shutil.rmtree(root), {}, 'There is no folder'),
        'no features': (lambda: shutil.rmtree(root / 'features'), {}, 'ROOT is the unzipped folder'),
        'one modality': (lambda: shutil.rmtree(features / 'video'), {}, 'no folder SET with'),
        'two sets': (lambda: shutil.copytree(features, features.with_name('main')), {}, 'Choose one with --features'),
        'unknown set': (lambda: None, dict(features='cls_features'), "no set of features 'cls_features'.*Did you mean"),
        'few-shot release': (lambda: (root / 'features' / '5-shot').mkdir(), {}, r'K = \[5\] shots.*official\.py'),
        'no split folder': (lambda: shutil.rmtree(file.parent), {}, 'stage_1_train is missing or has no .pkl or .h5'),
        'class of one modality': (file.unlink, {}, "class 'archery' is in only one of them"),
        'class of no list': (lambda: file.rename(file.with_stem('Archer')), {}, 'is in'),
        'two files': (lambda: shutil.copy(file, file.with_suffix('.h5')), {}, "class '[Aa]rchery' has two files"),
        'code': (lambda: file.write_bytes(unsafe), {}, 'posix.system'),
        'tensors': (lambda: file.write_bytes(tensor), {}, r'save the tensors as numpy arrays: tensor\.numpy\(\)'),
        'cut off': (lambda: file.write_bytes(file.read_bytes()[:-9]), {}, 'not a complete pickle'),
        'a list': (lambda: file.write_bytes(pickle.dumps([1])), {}, 'expected a dict with features and video_names'),
        'no names': (lambda: spoil(file, video_names=None), {}, 'expected a dict with features and video_names'),
        'skipped features': (lambda: spoil(file, features=[np.ones((2, 6))] * 3), {}, '3 features and 4 video names'),
        'a name twice': (
            lambda: spoil(file, video_names=[*videos[:3], videos[0]]),
            {},
            '4 video names, 3 of them diff',
        ),
        'text': (lambda: spoil(file, features=['a'] * 4), {}, 'not a .steps, width. array of numbers'),
        'unequal rows': (lambda: spoil(file, features=[[[1], [1, 2]]] * 4), {}, 'not a .steps, width. array'),
        'another width': (
            lambda: spoil(file, features=[np.ones((2, 6)), *[np.ones((2, 7))] * 3]),
            {},
            'the same width',
        ),
        'no steps': (
            lambda: spoil(file, features=[np.ones((2, 6)), *[[]] * 3]),
            {},
            '3 of the 36 videos .*skip-missing',
        ),
        'nothing': (lambda: spoil(file, features=[[]] * 4), {}, 'no video of the first class has features'),
        'not a number': (lambda: spoil(file, features=[np.full((2, 6), np.nan)] * 4), {}, 'NaN or infinity'),
        'another class': (
            lambda: [
                spoil(features / modality / 'stage_1_train' / 'Bowling.pkl', video_names=videos)
                for modality in ('audio', 'video')
            ],
            {},
            "'v_Archery_stage_1_train_0' is of class 'Archery'",
        ),
        'unknown widths': (lambda: None, dict(feature_set=None), 'width 6 and 9 .*--feature-set'),
        'unknown lists': (lambda: None, dict(lists='main_split'), "no lists 'main_split'; it has cls_split"),
        'no class-split': (lambda: shutil.rmtree(split), {}, 'no folder class-split'),
        'too many shots': (lambda: None, dict(shots=[1, 4]), '4 shots need at least 5'),
        'no vector': (
            lambda: np.save(features / 'text' / 'word_embeddings_ucf_normed.npy', {'Archery': np.ones(300)}),
            {},
            "no vector for 'Bowling'",
        ),
        'vectors in an array': (
            lambda: np.save(features / 'text' / 'word_embeddings_ucf_normed.npy', np.ones((4, 300))),
            {},
            'expected a dict of vectors by class name',
        ),
        'vectors of unequal width': (
            lambda: (
                write_vectors(features / 'text', 300),
                np.save(features / 'text' / 'wavcaps.npy', {'Archery': np.ones(3), **dict.fromkeys(TEXTS, np.ones(2))}),
            ),
            {},
            'unequal width',
        ),
    }


TEXTS = ('Bowling', 'Handstand Pushups', 'Typing')
KINDS = list(odd_inputs(*[__import__('pathlib').Path()] * 2))


@pytest.mark.parametrize('kind', KINDS)
def test_an_odd_release_is_refused_and_leaves_nothing(release, features, kind):
    make, options, words = odd_inputs(release, features)[kind]
    make()
    with pytest.raises(DataError, match=f'(?s){words}'):
        take(release, **options)
    assert [path.name for path in release.parent.iterdir() if path != release] == []


@pytest.mark.parametrize('kind', ['link', 'text', 'no names'])
def test_odd_h5_files_are_refused(tmp_path, kind):
    h5py = pytest.importorskip('h5py')
    root = write_release(tmp_path / 'UCF', 'avca_cls', ((6,), (9,)))
    path = root / 'features' / 'cls_features' / 'audio' / 'stage_1_train' / 'Archery.h5'
    if kind == 'text':
        path.write_text('data')
    else:
        with h5py.File(path, 'a') as file:
            del file['video_urls' if kind == 'no names' else 'data']
            if kind == 'link':
                file['data'] = h5py.ExternalLink('Bowling.h5', '/data')
    words = {'link': 'lies in this file', 'text': 'not a complete HDF5 file', 'no names': "no data set 'video_urls'"}[
        kind
    ]
    with pytest.raises(DataError, match=words):
        take(root)


def test_the_few_shot_converter_names_the_zero_shot_one(release, tmp_path):
    with pytest.raises(DataError, match=r'cls_features_non_averaged.*gzsl\.py'):
        import_released_features(release, tmp_path / 'out')


def test_h5_files_without_h5py_name_the_extra(tmp_path, monkeypatch):
    pytest.importorskip('h5py')
    root = write_release(tmp_path / 'UCF', 'avca_cls', ((6,), (9,)))
    monkeypatch.setitem(sys.modules, 'h5py', None)
    with pytest.raises(DataError, match=r'avzoo\[hdf5\]'):
        take(root)
