"""Class vectors of every form find their classes by name, or are refused."""

import json
import pickle

import numpy as np
import pytest

from avzoo.importers.class_vectors import read_class_vectors
from avzoo.utils.errors import DataError

CLASSES = ['Apply Eye Makeup', 'HammerThrow', 'yoyo']
TABLE = {name: np.full(2, i, np.float32) for i, name in enumerate(CLASSES, 1)}


def save(folder, content, form='npy'):
    path = folder / f'E.{form}'
    if form == 'pkl':
        path.write_bytes(pickle.dumps(content))
    elif form == 'npz':
        np.savez(path, **content)
    else:
        np.save(path, content)
    return path


def column(found):
    return found.array[:, 0].tolist()


def named(names, vectors, **more):
    return dict(names=np.array(names), vectors=np.array(vectors), **more)


@pytest.mark.parametrize(
    'form, content',
    [
        ('npy', TABLE),
        ('pkl', TABLE),
        ('npz', TABLE),
        ('npz', named(CLASSES[::-1], [[3, 3], [2, 2], [1, 1]])),
        ('npz', named([name.encode() for name in CLASSES], [[1, 1], [2, 2], [3, 3]])),
        ('npy', {name: vector.tolist() for name, vector in TABLE.items()}),
        ('npy', {name: vector[None] for name, vector in TABLE.items()}),
        ('npy', {**TABLE, 'another class': np.zeros(2)}),
        ('npy', dict(reversed(TABLE.items()))),
    ],
)
def test_vectors_with_names_are_matched_by_name_in_every_form(tmp_path, form, content):
    found = read_class_vectors(save(tmp_path, content, form), CLASSES)
    assert column(found) == [1, 2, 3] and found.array.dtype == np.float32
    assert (found.kind, found.source) == ('text', '')


def test_numbers_as_names_are_labels_too(tmp_path):
    assert column(read_class_vectors(save(tmp_path, {10: [1.0], 2: [2.0]}), ['2', '10'])) == [2, 1]


def test_two_names_that_are_one_as_text_are_refused(tmp_path):
    (tmp_path / 'v.pkl').write_bytes(pickle.dumps({1: [1.0, 2.0], '1': [3.0, 4.0]}))
    with pytest.raises(DataError, match=r"names occur twice: '1'\. Keep one"):
        read_class_vectors(tmp_path / 'v.pkl', ['1'])


def test_a_class_may_be_named_by_its_text_or_in_another_spelling(tmp_path, caplog):
    path = save(tmp_path, {'apply eye makeup': [1.0], 'throwing hammers': [2.0], 'Yo-Yo': [3.0]})
    found = read_class_vectors(path, CLASSES, texts=['Apply Eye Makeup', 'throwing hammers', 'yoyo'])
    assert column(found) == [1, 2, 3]
    assert 'yoyo <- Yo-Yo' in caplog.text and 'hammers' not in caplog.text


def test_two_spellings_of_one_name_are_not_guessed_between(tmp_path):
    with pytest.raises(DataError, match="no vector for 1 of 1 class: 'yoyo'"):
        read_class_vectors(save(tmp_path, {'Yo-Yo': [3.0], 'YoYo': [4.0]}), ['yoyo'])
    with pytest.raises(DataError, match="'YOYO', 'YoYo'"):
        read_class_vectors(save(tmp_path, {'yoyo': [3.0]}), ['YOYO', 'YoYo'])


def test_all_classes_without_a_vector_are_named_at_once(tmp_path):
    with pytest.raises(DataError, match=r"no vector for 2 of 3 classes: 'HammerThrow', 'yoyo'\. .*class_vectors\.py"):
        read_class_vectors(save(tmp_path, {'Apply Eye Makeup': [1.0]}), CLASSES)


@pytest.mark.parametrize(
    'classes, what',
    [
        ([str(i) for i in range(13)], "'10' .* '2' .*numbers"),
        (['Archery', 'Hammering', 'HammerThrow'], "'HammerThrow' .* 'Hammering' .*case"),
        (['clip 9', 'clip 10'], "'clip 10' .* 'clip 9'"),
        (['b', 'A', 'Z'], "'Z' .* 'b' .*case"),
        (['Bear', 'Zebra', '\u00c9clair'], "'Zebra' .* '\u00c9clair' .*accents"),
        (['a9', 'A10'], "'A10' .* 'a9' .*case, numbers"),
    ],
)
def test_rows_without_names_are_refused_where_their_order_is_not_certain(tmp_path, classes, what):
    rows = np.arange(len(classes) * 2.0).reshape(-1, 2)
    path = save(tmp_path, rows)
    with pytest.raises(DataError, match=rf'{what}.*classes\.csv'):
        read_class_vectors(path, sorted(classes))
    assert column(read_class_vectors(path, classes, order=classes, origin='classes.csv')) == rows[:, 0].tolist()


def test_the_order_that_rows_without_names_are_taken_in_is_said(tmp_path, caplog):
    assert column(read_class_vectors(save(tmp_path, np.eye(3)), ['c', 'a', 'b'])) == [0, 1, 0]
    assert "'a', 'b', 'c'" in caplog.text


@pytest.mark.parametrize(
    'form, content, what',
    [
        ('npy', {}, 'is empty'),
        ('npy', {'a': [1.0], 'b': [1.0, 2.0]}, r'1 wide, but not those of .b \(2\)'),
        ('npy', {'a': 'word'}, 'no vectors of numbers: .a '),
        ('npy', {'a': []}, r'a \(float64 of shape \(0,\)\)'),
        ('npy', {'a': [[1.0], [2.0]]}, r'shape \(2, 1\)'),
        ('npy', {'a': [[1.0], [2.0, 3.0]]}, 'no vectors of numbers'),
        ('npy', {'a': np.array([np.nan])}, "NaN or infinity in the vectors of 'a'"),
        ('npy', {'a': np.array([1e300])}, "norm float32 cannot hold .* of 'a'"),
        ('npy', {None: [1.0]}, 'None is not a name'),
        ('npy', np.eye(3), r'\(1, width\) is needed'),
        ('npy', np.array(['a']), r'shape \(1,\)'),
        ('npz', named(['a', 'a'], [[1.0], [2.0]]), "occur twice: 'a'"),
        ('npz', named(['a', 'b'], [[1.0]]), 'shape .2,. and vectors'),
        ('npz', dict(names=np.array(['a'])), 'names; class vectors are'),
        ('npz', named(['a'], [[1.0]], weights=np.eye(2)), 'weights'),
        ('npz', named(['a'], [[1.0]], provenance=np.array('{')), 'provenance is damaged'),
        ('npz', named(['a'], [[1.0]], provenance=np.array('{"kind": "../a"}')), 'provenance is damaged'),
        ('pkl', [1, 2], 'holds list'),
        ('pkl', {'a': DataError('x')}, 'none of it was run'),
    ],
)
def test_what_is_no_vector_of_a_class_is_one_clear_error(tmp_path, form, content, what):
    with pytest.raises(DataError, match=what):
        read_class_vectors(save(tmp_path, content, form), ['a'])


def test_a_vector_of_zeros_is_pointed_out(tmp_path, caplog):
    read_class_vectors(save(tmp_path, {'a': [0.0], 'b': [1.0]}), ['a', 'b'])
    assert "zeros for 'a'" in caplog.text


def test_classes_with_the_same_vector_are_pointed_out(tmp_path, caplog):
    read_class_vectors(save(tmp_path, {'a': [2.0], 'b': [1.0], 'c': [2.0]}), ['a', 'b', 'c'])
    assert "equal vectors, which no method can tell apart: 'a', 'c'" in caplog.text


def test_the_kind_of_text_embedding_comes_from_the_file(tmp_path):
    facts = dict(kind='glove_12', source='glove.txt', sha256='00', options={}, words={'a': 'a'})
    found = read_class_vectors(save(tmp_path, named(['a'], [[1.0]], provenance=json.dumps(facts)), 'npz'), ['a'])
    assert found.kind == 'glove_12' and json.loads(found.source)['sha256'] == '00'
