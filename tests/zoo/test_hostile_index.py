"""An index of elsewhere names files of its own folder and addresses of the web, and nothing else."""

import pytest

from avzoo.utils.errors import ConfigError
from avzoo.zoo import index as model_index
from avzoo.zoo.index import read_index

DEEP = '[' * 5000 + ']' * 5000


@pytest.fixture
def read(make_zoo):
    """A function that reads the tiny index with changes to its files: entries of the model, or whole texts."""

    def read(metafile=None, index=None, **entries):
        root = make_zoo(**entries)
        if metafile is not None:
            (root / 'configs/tiny/metafile.yml').write_text(metafile)
        if index is not None:
            (root / 'model-index.yml').write_text(index)
        model_index._read_collections.cache_clear()
        return read_index(root)

    return read


@pytest.mark.parametrize(
    'name', ['../../x', '/etc/passwd', 'a/b', '', ' ', '.', '..', 'a\x1b[2J', 'x' * 300, None, 5.5, []]
)
def test_a_name_that_is_not_one_of_a_file_is_refused(read, name):
    with pytest.raises(ConfigError, match=r'metafile\.yml: the entry .* is incomplete'):
        read(Name=name)


@pytest.mark.parametrize(
    'where',
    [
        'file:///etc/passwd',
        '/etc/passwd',
        '../../etc/passwd',
        'a/../../x',
        'ftp://a.b/x',
        'C:\\x',
        '\\\\host\\x',
        'avzoo://x',
        5,
    ],
)
@pytest.mark.parametrize('key', ['Weights', 'Mirrors', 'Config'])
def test_a_location_outside_of_the_folder_is_refused(read, key, where):
    with pytest.raises(ConfigError, match=r'metafile\.yml: .*(is outside the folder of the index|is incomplete)'):
        read(**{key: [where] if key == 'Mirrors' else where})


@pytest.mark.parametrize('where', ['weights/w.safetensors', 'http://a.b/w', 'https://a.b/w?d=1'])
def test_a_location_inside_or_on_the_web_is_accepted(read, where):
    found = read(Weights=where)['tiny_custom_5shot'].weights[0]
    assert found == where or found.endswith(where)


@pytest.mark.parametrize(
    'entries',
    [
        dict(SHA256='0' * 63),
        dict(SHA256='../x'),
        dict(SHA256=5),
        dict(Size='5'),
        dict(Size=5.5),
        dict(Metadata=5),
        dict(Metadata=dict(Shots='many', Features='x')),
        dict(Metadata=dict(Shots=float('inf'), Features='x')),
        dict(Metadata=dict(Shots=0, Features='x')),
        dict(Metadata=dict(Shots=5, Features=['x'])),
        dict(Metadata=dict(Shots=5, Features='x', FLOPs='many')),
        dict(Results=[dict(Dataset=['x'])]),
        dict(Results=5),
        dict(Results=[5]),
        {'Converted From': 5},
    ],
)
def test_an_entry_of_another_kind_is_refused_by_the_model(read, entries):
    with pytest.raises(ConfigError, match=r"the entry 'tiny_custom_5shot' is incomplete"):
        read(**entries)


@pytest.mark.parametrize(
    'text',
    [
        'Import: 5',
        'Import: [5]',
        'Import: {a: 1}',
        'Import: [../../x.yml]',
        'Import: [/etc/passwd]',
        '[]',
        '5',
        '{',
        DEEP,
        "Import: !!python/object/apply:os.system ['true']",
        'Import: [none.yml]',
        '\x00',
    ],
)
def test_an_index_of_another_kind_is_refused(read, text):
    with pytest.raises(ConfigError, match=r'model-index\.yml|none\.yml') as caught:
        read(index=text)
    assert '\n' not in str(caught.value)


def test_the_line_of_an_error_of_the_syntax_is_named(read):
    with pytest.raises(ConfigError, match=r'model-index\.yml .*line 2: '):
        read(index='Import:\n  - [}')


@pytest.mark.parametrize('text', ['Models: 5', 'Models: [5]', 'Collections: 5', 'Collections: [{}]', '5', DEEP])
def test_a_metafile_of_another_kind_is_refused(read, text):
    with pytest.raises(ConfigError, match=r'metafile\.yml'):
        read(metafile=text)


def test_aliases_of_aliases_take_no_time(read):
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    lines += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]' for i in range(1, 20)]
    assert read(metafile='\n'.join(lines)) == {}
