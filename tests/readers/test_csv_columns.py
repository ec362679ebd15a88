"""Tables as people have them are read rightly, or refused with the cure."""

import pytest

from avzoo.datasets.splits import LIST_COLUMNS
from avzoo.datasets.store_format import read_csv
from avzoo.readers.csv_columns import read_columns
from avzoo.utils.errors import DataError

ROWS = [['v1', 'dog, barking', ''], ['v2', 'cat', ''], ['v3', 'cat', '']]
READ = {
    'plain': 'filename,label\nv1,"dog, barking"\nv2,cat\nv3,cat\n',
    'semicolons': 'filename;label\nv1;dog, barking\nv2;cat\nv3;cat\n',
    'tabs': 'video\tclass\nv1\tdog, barking\nv2\tcat\nv3\tcat\n',
    'bars': 'clip|category\nv1|dog, barking\nv2|cat\nv3|cat\n',
    'delimiter declared': 'sep=;\nfilename;label\nv1;dog, barking\nv2;cat\nv3;cat\n',
    'lines of Windows': 'filename,label\r\nv1,"dog, barking"\r\nv2,cat\r\nv3,cat\r\n',
    'lines of an old Mac': 'filename,label\rv1,"dog, barking"\rv2,cat\rv3,cat\r',
    'byte order mark': '\ufefffilename,label\nv1,"dog, barking"\nv2,cat\nv3,cat\n',
    'two of them': '\ufeff\ufefffilename,label\nv1,"dog, barking"\nv2,cat\nv3,cat\n',
    'other words': 'Video_ID,Class Name\nv1,"dog, barking"\nv2,cat\nv3,cat\n',
    'youtube ids': 'youtube_id,start_seconds,category\nv1,3,"dog, barking"\nv2,4,cat\nv3,5,cat\n',
    'several words': 'youtube_id,filename,label,category\na,v1,"dog, barking",x\na,v2,cat,x\nb,v3,cat,y\n',
    'blanks after commas': 'filename, label\nv1, "dog, barking"\nv2, cat\nv3, cat\n',
    'other order': 'label,code,filename\n"dog, barking",1,v1\ncat,2,v2\ncat,2,v3\n',
    'blank rows': '\nfilename,label\nv1,"dog, barking"\n\n,\nv2,cat\nv3,cat\n\n',
    'rows of blanks alone': '  \nfilename,label\nv1,"dog, barking"\n   \nv2,cat\n,,,,\nv3,cat\n \n',
    'all quoted': '"filename","label"\n"v1","dog, barking"\n"v2","cat"\n"v3","cat"\n',
    'empty last column': 'filename,label,\nv1,"dog, barking",\nv2,cat,\nv3,cat,\n',
}
NO_HEADER = {
    'commas': 'v2,cat\nv3,cat\nv1,"dog, barking"\n',
    'the label first': 'cat,v2\ncat,v3\n"dog, barking",v1\n',
    'tabs': 'v2\tcat\nv3\tcat\nv1\tdog, barking\n',
    'byte order mark': '\ufeffv2;cat\nv3;cat\nv1;dog, barking\n',
}
REFUSED = {
    'unquoted comma': ('filename,label\nv1,dog, barking\nv2,cat\nv3,cat\n', 'line 2 has 3 fields.*Quote'),
    'many of them': (
        'filename,label\n' + 'v,a,b\n' * 9,
        r'line 2 .*\(9 such lines; the others are 3, 4, 5, 6, 7, ...\)',
    ),
    'cut off': ('filename,label\nv1,a\nv2\n', 'line 3 has 1 field, fewer than the 2.*cut off'),
    'a quote not closed': ('filename,label,group\nv1,a,g\nv2,a,"g\nv3,a,g\n', 'begins at line 3 .*Close each quote'),
    'it, below sep=': ('sep=,\nfilename,label,group\nv1,a,"g\nv2,a,g\n', 'begins at line 3 '),
    'a blank after a quote': ('filename,label\nv1,a\nv2,"a" \n', 'line 3 .*Close each quote right before a delimiter'),
    'a quote too early': ('filename,label\nv1,a\nv2,"a" b\n', 'begins at line 3 .*double each quote'),
    'unknown header': ('clip no,species\nv1,a\nv2,a\n', "first line 'clip no,species'.*'filename'"),
    'half a header': ('filename,species\nv1,a\nv2,a\n', "no column 'label'.*class, class_name"),
    'no header and three columns': ('v1,3,a\nv2,4,a\n', 'Make the first line `filename,label`'),
    'no header, one video a class': ('v1,a\nv2,b\n', 'Make the first line'),
    'a column twice': ('filename,label,label\nv1,a,b\n', "two columns are called 'label'"),
    'empty': ('', 'the table is empty. Make the first line `filename,label`, and add the rows below it'),
    'blank fields alone': ('\n""\n', 'the table is empty'),
    'nothing below sep=': ('sep=;\n', 'the table is empty'),
    'bytes of zero': ('\0' * 40, 'names none of the columns'),
}


def read(tmp_path, text, encoding='utf-8'):
    path = tmp_path / 'table.csv'
    path.write_bytes(text.encode(encoding))
    return read_columns(path, LIST_COLUMNS, optional=['group'])


@pytest.mark.parametrize('kind', READ)
def test_a_table_with_a_header_is_read(tmp_path, kind):
    assert read(tmp_path, READ[kind]) == ROWS


@pytest.mark.parametrize('kind', NO_HEADER)
def test_a_table_without_a_header_is_read_where_labels_come_again(tmp_path, kind):
    assert sorted(read(tmp_path, NO_HEADER[kind])) == ROWS


def test_a_label_without_a_header_may_be_the_word_of_an_optional_column(tmp_path):
    assert read(tmp_path, 'v1,group\nv2,group\nv3,a\n') == [['v1', 'group', ''], ['v2', 'group', ''], ['v3', 'a', '']]


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be'])  # With a mark at its beginning or without.
@pytest.mark.parametrize('kind', ['tabs', 'byte order mark', 'delimiter declared', 'blank rows'])
def test_unicode_text_of_a_spreadsheet_is_read(tmp_path, kind, encoding):
    assert read(tmp_path, READ[kind], encoding) == ROWS


def test_unicode_text_that_is_cut_off_is_refused_with_the_cure(tmp_path):
    (tmp_path / 'table.csv').write_bytes(READ['tabs'].encode('utf-16')[:-1])
    with pytest.raises(DataError, match=r"cannot be read as a table: 'utf-16\S*' codec .* Save it as UTF-8"):
        read_columns(tmp_path / 'table.csv', LIST_COLUMNS, optional=['group'])


def test_a_name_may_hold_a_line_separator_of_unicode(tmp_path):
    assert read(tmp_path, 'filename,label\nv1,a\u2028b\n') == [['v1', 'a\u2028b', '']]


@pytest.mark.parametrize('kind', REFUSED)
def test_a_table_that_is_not_plain_is_refused_with_its_line_or_the_cure(tmp_path, kind):
    text, words = REFUSED[kind]
    with pytest.raises(DataError, match=rf'(?s)table\.csv: .*{words}'):
        read(tmp_path, text)


def test_another_encoding_is_refused_with_the_cure(tmp_path):
    with pytest.raises(DataError, match='Save it as UTF-8'):
        read(tmp_path, 'filename,label\nv1,Türe\n', 'latin1')


def test_a_group_is_read_where_there_is_one(tmp_path):
    assert read(tmp_path, 'group;video;label\ng1;v1;a\n') == [['v1', 'a', 'g1']]


def test_tables_of_a_store_are_held_to_their_header_too(tmp_path):
    (tmp_path / 'classes.csv').write_text('label,text\ndog, barking,a dog\n')
    with pytest.raises(DataError, match='line 2 has 3 fields, more than the 2'):
        read_csv(tmp_path / 'classes.csv', ['label', 'text'])
