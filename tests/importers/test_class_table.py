"""Which video is of which class, from a table or a folder per class."""

import pytest

from avzoo.importers.class_table import read_class_table
from avzoo.utils.errors import DataError


def files(tmp_path, *names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_table_is_read_with_its_groups(tmp_path):
    (tmp_path / 't.csv').write_text('video;class;group\nv2;cat;g\nv1;dog, barking;\nv3;cat;g\n')
    table = read_class_table(tmp_path / 't.csv')
    assert table.classes == {'cat': ['v2', 'v3'], 'dog, barking': ['v1']} and table.groups == {'v2': 'g', 'v3': 'g'}


def test_a_folder_per_class_gives_the_names_of_its_files(tmp_path):
    root = files(tmp_path, 'cat/v2.mp4', 'dog, barking/v.1.webm', 'cat/v3.avi', 'cat/v3.wav')
    assert read_class_table(root).classes == {'cat': ['v2', 'v3'], 'dog, barking': ['v.1']}


def test_leftovers_of_file_managers_are_passed_over(tmp_path):
    root = files(
        tmp_path,
        'cat/v2.mp4',
        'cat/._v2.mp4',
        'cat/.DS_Store',
        'cat/Thumbs.db',
        '__MACOSX/x.mp4',
        '.git/y',
        'notes.txt',
    )
    assert read_class_table(root).classes == {'cat': ['v2']}


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (['cat/a.mp4', 'dog/a.mp4'], "cat and dog both have a file 'a'"),
        (['cat/more/a.mp4'], 'cat has no file'),
        (['a.mp4'], 'has no class folders'),
        (['stage_1_train.csv', 'cat/a.mp4'], 'already has lists'),
        (['Cat/a.mp4', 'cat/b.mp4'], "classes 'Cat' and 'cat'"),
    ],
)
def test_a_folder_that_is_not_plain_is_refused(tmp_path, names, words):
    with pytest.raises(DataError, match=words):
        read_class_table(files(tmp_path, *names))


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('video,label\nv1,a\nv1,a\n', "video 'v1' occurs twice"),
        ('video,label\nv1,a\nv1,b\n', "video 'v1' occurs twice"),
        ('video,label\nv1,\n', "class '' is empty"),
        ('video,label\n', 'has no video: .*Add one for each video'),
        ('video,label\nv1,a\u200b\nv2,a\n', 'only in spelling'),
        ('video,label\nv1,dog, barking\n', 'line 2 has 3 fields'),
    ],
)
def test_a_table_that_is_not_plain_is_refused(tmp_path, text, words):
    (tmp_path / 't.csv').write_text(text, encoding='utf-8')
    with pytest.raises(DataError, match=words):
        read_class_table(tmp_path / 't.csv')


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(DataError, match=r't\.csv does not exist'):
        read_class_table(tmp_path / 't.csv')
