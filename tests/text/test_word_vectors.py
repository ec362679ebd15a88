"""Word vectors are read from the files that people have, and averaged over the parts of a class name."""

import gzip
import pickle

import numpy as np
import pytest

from avzoo.text.class_words import mean_word_vectors, split_name
from avzoo.text.word_vectors import read_word_vectors
from avzoo.utils.errors import DataError

WORDS = {'dog': [1, 2], 'Ice_Skating': [3, 4], 'été': [5, 6], 'hammer': [0.5, 8], 'throw': [9.5, 10]}
LINES = ''.join(f'{word} {a} {b}\n' for word, (a, b) in WORDS.items()).encode()


class KeyedVectors:
    """Pickles as gensim's class of that name does."""

    def __init__(self, words, vectors):
        self.__dict__.update(vector_size=2, index_to_key=words, vectors=vectors, norms=None, expandos={})


KeyedVectors.__module__, KeyedVectors.__qualname__ = 'gensim.models.keyedvectors', 'KeyedVectors'


@pytest.fixture
def keyed(monkeypatch):
    """A function that returns the bytes of a gensim file."""
    import sys
    import types

    for name in ('gensim', 'gensim.models', 'gensim.models.keyedvectors'):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules['gensim.models.keyedvectors'].KeyedVectors = KeyedVectors
    return lambda words, vectors: pickle.dumps(KeyedVectors(words, vectors), protocol=4)


def binary(words=WORDS, end=b''):
    rows = (word.encode() + b' ' + np.array(row, '<f4').tobytes() + end for word, row in words.items())
    return f'{len(words)} 2\n'.encode() + b''.join(rows)


def save(folder, content, name='w.txt'):
    (folder / name).write_bytes(content)
    return folder / name


def plain(found):
    return {word: vector.tolist() for word, vector in found.items()}


@pytest.mark.parametrize(
    'content',
    [
        LINES,
        b'5 2\n' + LINES,
        LINES.replace(b'\n', b' \r\n'),
        b'5 2\r\n' + LINES.replace(b' ', b'\t'),
        gzip.compress(LINES, mtime=0),
        binary(),
        binary(end=b'\n'),
        gzip.compress(binary(), mtime=0),
        LINES + b'. . . 7 7\ndog 8 8\n',
    ],
)
def test_words_are_found_in_every_form_of_file(tmp_path, content):
    wanted = ['dog', 'été', 'Ice_Skating', 'absent']
    found = read_word_vectors(save(tmp_path, content), wanted)
    assert plain(found) == {word: WORDS[word] for word in wanted[:3]}
    assert all(vector.dtype == np.float32 for vector in found.values())


def test_a_word_may_hold_spaces(tmp_path):
    assert plain(read_word_vectors(save(tmp_path, LINES + b'at home . 7 7.5\n'), ['at home .'])) == {
        'at home .': [7, 7.5]
    }


def test_a_large_binary_file_is_read_in_pieces(tmp_path):
    words = {f'word{i}': [i, -i] for i in range(90_000)}  # 1.5 pieces
    found = read_word_vectors(save(tmp_path, binary(words)), ['word0', 'word62000', 'word89999'])
    assert plain(found) == {word: words[word] for word in ('word0', 'word62000', 'word89999')}


def test_keyed_vectors_of_gensim_are_read_without_gensim(tmp_path, keyed):
    array = np.array(list(WORDS.values()), np.float32)
    path = save(tmp_path, keyed(list(WORDS), array), 'w.kv')
    assert plain(read_word_vectors(path, ['hammer', 'absent'])) == {'hammer': [0.5, 8]}
    path = save(tmp_path, keyed(list(WORDS), None), 'large.kv')
    with pytest.raises(DataError, match=r'large\.kv\.vectors\.npy'):
        read_word_vectors(path, ['dog'])
    np.save(tmp_path / 'large.kv.vectors.npy', array)
    assert plain(read_word_vectors(path, ['dog'])) == {'dog': [1, 2]}


def test_a_pickle_that_asks_for_more_is_not_run_and_the_error_says_how_to_export(tmp_path, keyed):
    path = save(tmp_path, keyed(list(WORDS), print), 'w.kv')
    with pytest.raises(DataError, match=r'builtins\.print.* none of it was run.*save_word2vec_format'):
        read_word_vectors(path, ['dog'])
    with pytest.raises(DataError, match=r'is a pickle of dict.*save_word2vec_format'):
        read_word_vectors(save(tmp_path, pickle.dumps({}), 'w.kv'), ['dog'])
    with pytest.raises(DataError, match='index_to_key'):
        read_word_vectors(save(tmp_path, keyed(['dog'], np.eye(2)), 'w.kv'), ['dog'])


@pytest.mark.parametrize(
    'content, what',
    [
        (b'', 'line 1 is not a word and numbers'),
        (b'\n', 'line 1'),
        (b'some text\n', 'line 1'),
        (b'<html>\n<body>\n', 'line 1'),
        (b'dog 1 2\nhammer 1\n', 'word 2 is not followed by 2 numbers'),
        (b'dog 1 2\nhammer 1 x\n', 'word 2 is not followed'),
        (b'dog 1 nan\nhammer 1 2\n', "NaN or infinity in the vector of 'dog'"),
        (b'6 2\n' + LINES, 'is cut off or damaged: 5 of 6 words'),
        (b'4 2\n' + LINES, 'is cut off or damaged: 5 of 4 words'),
        (b'5 3\n' + LINES, 'cut off, damaged, or not a file of word vectors'),
        (b'5 0\n' + LINES, 'says that its vectors are 0 wide'),
        (b'5 99999999999\n' + LINES, '99999999999 wide'),
        (binary()[:-3], 'cut off.* 4 of 5 words'),
        (gzip.compress(LINES, mtime=0)[:-9], 'cannot be read'),
        (b'PK\x03\x04', 'Unzip'),
        (b'\x93NUMPY\x01', '--class-embeddings'),
        (b'\xba\x16\x4f\x2f\x0c', 'load_facebook_vectors'),
        (b'\x89HDF\r\n', 'HDF5'),
        (b'\x00' * 3000, 'line 1'),
    ],
)
def test_another_file_is_one_clear_error(tmp_path, content, what):
    with pytest.raises(DataError, match=what):
        read_word_vectors(save(tmp_path, content), ['dog', 'hammer'])


@pytest.mark.parametrize(
    'name, parts',
    [
        ('HammerThrow', 'Hammer Throw'),
        ('YoYo_throwing (2ndHand) TVShow', 'Yo Yo throwing 2nd Hand TV Show'),
        ('playing_the-violin, fiddle', 'playing the violin fiddle'),
        ("people's choice/best", 'people s choice best'),
        ('ÉtéEnFête', 'Été En Fête'),
        ('e\u0301te\u0301', 'été'),
        ('नमस्ते दुनिया', 'नमस्ते दुनिया'),
        ('...', ''),
        ('TV', 'TV'),
    ],
)
def test_names_are_split_at_marks_and_capitals(name, parts):
    assert split_name(name) == parts.split()


@pytest.mark.parametrize(
    'text, vector, words, unknown',
    [
        ('dog', [1, 2], ['dog'], []),
        ('DOG', [1, 2], ['dog'], []),
        ('ice skating', None, [], []),
        ('Ice Skating', [3, 4], ['Ice_Skating'], []),
        ('HammerThrow', [5, 9], ['hammer', 'throw'], []),
        ('hammer the dog', [0.75, 5], ['hammer', 'dog'], ['the']),
    ],
)
def test_a_class_has_the_vector_of_its_name_or_the_mean_of_its_known_parts(tmp_path, text, vector, words, unknown):
    path = save(tmp_path, LINES)
    if vector is None:
        with pytest.raises(DataError, match=r"no word of 1 of 1 classes: 'label'.*column text of classes\.csv"):
            mean_word_vectors(path, {'label': text})
        return
    found = mean_word_vectors(path, {'label': text})['label']
    assert found.vector.tolist() == vector and list(found.words) == words and list(found.unknown) == unknown


def test_all_classes_without_a_known_word_are_named_and_none_becomes_zero(tmp_path):
    path = save(tmp_path, LINES + b'pad 0 0\nup 1 1\ndown -1 -1\n')
    with pytest.raises(DataError, match="4 of 5 classes: 'quokka', 'pad', 'up-down', '!'"):
        mean_word_vectors(path, {name: name for name in ('quokka', 'dog', 'pad', 'up-down', '!')})
