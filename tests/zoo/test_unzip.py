"""Hostile and damaged zips are refused, and nothing is left of them."""

import stat
import zipfile

import pytest

from avzoo.readers import zip_checks
from avzoo.zoo.fetch import DownloadError
from avzoo.zoo.unzip import unpack_zip


def make_zip(path, members):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, mode << 16
            archive.writestr(info, content)
    return path


def test_an_honest_zip_is_unpacked(tmp_path):
    members = [('UCF/', b'', 0), ('UCF/x.txt', b'one', 0), ('UCF/deep/y.txt', b'two', 0o100644)]
    path = make_zip(tmp_path / 'a.zip', members)
    out = unpack_zip(path, tmp_path / 'out')
    assert (out / 'UCF/x.txt').read_bytes() == b'one' and (out / 'UCF/deep/y.txt').read_bytes() == b'two'


@pytest.mark.parametrize('name', ['../x', 'a/../../x', '/tmp/avzoo_hostile', 'C:/x', 'a\\..\\..\\x', '..', '.'])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    inside = tmp_path / 'inside'
    inside.mkdir()
    path = make_zip(tmp_path / 'a.zip', [('good.txt', b'good', 0), (name, b'evil', 0)])
    with pytest.raises(DownloadError, match='nothing was unpacked'):
        unpack_zip(path, inside / 'out')
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['a.zip', 'inside']


@pytest.mark.parametrize('kind', [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = make_zip(tmp_path / 'a.zip', [('link', b'/etc/passwd', kind | 0o777), ('link/x', b'evil', 0)])
    with pytest.raises(DownloadError, match='is a link or a device'):
        unpack_zip(path, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


def test_a_bomb_is_refused_before_a_byte_is_written(tmp_path):
    path = make_zip(tmp_path / 'a.zip', [(f'zeros{i}', bytes(20 << 20), 0) for i in range(3)])
    with pytest.raises(DownloadError, match=r'would unpack .* 20,971,520 bytes'):
        unpack_zip(path, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


@pytest.mark.parametrize(
    'names', [('x', 'x'), ('a', 'A'), ('a', 'a/b'), ('stra\u00dfe', 'STRASSE'), ('\u00e9', 'e\u0301')]
)
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_members_that_overwrite_each_other_are_refused(tmp_path, names):
    path = make_zip(tmp_path / 'a.zip', [(name, b'content', 0) for name in names])
    with pytest.raises(DownloadError):
        unpack_zip(path, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


@pytest.mark.parametrize('damage', ['cut', 'flipped'])
def test_a_damaged_zip_leaves_nothing(tmp_path, damage):
    path = make_zip(tmp_path / 'a.zip', [('x', bytes(range(256)) * 40, 0)])
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-30] if damage == 'cut' else content[:60] + b'\xff' + content[61:])
    with pytest.raises(DownloadError, match='not a readable zip'):
        unpack_zip(path, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


def test_a_folder_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / 'out').mkdir()
    with pytest.raises(DownloadError, match='already exists'):
        unpack_zip(make_zip(tmp_path / 'a.zip', [('x', b'x', 0)]), tmp_path / 'out')


def test_a_missing_zip_and_a_name_too_long_for_the_disk_are_clear_errors(tmp_path):
    with pytest.raises(DownloadError, match=r'There is no zip .*none\.zip'):
        unpack_zip(tmp_path / 'none.zip', tmp_path / 'out')
    path = make_zip(tmp_path / 'a.zip', [('good', b'x', 0), ('x' * 300, b'x', 0)])
    with pytest.raises(DownloadError, match='cannot be unpacked'):
        unpack_zip(path, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


@pytest.mark.parametrize(('offset', 'value'), [(6, b'\xff\xff'), (8, b'\x20\x00'), (8, b'\x40\x00')])
def test_a_zip_of_a_version_or_kind_that_is_not_read_is_one_error(tmp_path, offset, value):
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a', 'content')
    data = bytearray(path.read_bytes())
    entry = data.index(b'PK\x01\x02')  # The member's entry in the directory: version needed at 6, flags at 8.
    data[entry + offset : entry + offset + 2] = value
    path.write_bytes(data)
    with pytest.raises(DownloadError, match=r'a\.zip is not a readable zip'):
        unpack_zip(path, tmp_path / 'out')
    assert [one.name for one in tmp_path.iterdir()] == ['a.zip']


def end_of(content):
    """Return where the record at the end of a zip begins: size of the directory at 12, its place at 16."""
    return content.rindex(b'PK\x05\x06')


@pytest.mark.parametrize('size', [0, 46, 1 << 20, 0xFFFFFFFE, 0xFFFFFFFF])
def test_a_directory_of_another_size_than_stated_is_refused(tmp_path, size):
    path = make_zip(tmp_path / 'a.zip', [(name, b'content', 0) for name in 'abc'])
    content = bytearray(path.read_bytes())
    at = end_of(content) + 12
    content[at : at + 4] = size.to_bytes(4, 'little')
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=r'a\.zip'):
        unpack_zip(path, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


@pytest.mark.parametrize('members', [[], [('folder/', b'', 0)]])
def test_a_zip_without_a_file_is_refused(tmp_path, members):
    with pytest.raises(DownloadError, match='holds no file'):
        unpack_zip(make_zip(tmp_path / 'a.zip', members), tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']


def test_a_directory_too_large_for_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = make_zip(tmp_path / 'a.zip', [(str(i), b'', 0) for i in range(100)])
    monkeypatch.setattr(zip_checks, 'MAX_DIRECTORY', 1000)
    monkeypatch.setattr(zipfile, 'ZipFile', lambda *args: pytest.fail('the directory was read'))
    with pytest.raises(DownloadError, match='its directory has 4,790 bytes, over 1,000'):
        unpack_zip(path, tmp_path / 'out')


def test_the_size_of_a_directory_of_zip64_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, 'ZIP_FILECOUNT_LIMIT', 10)
    path = make_zip(tmp_path / 'a.zip', [(str(i), b'x', 0) for i in range(100)])
    content = bytearray(path.read_bytes())
    at = end_of(content) + 12
    content[at : at + 4] = b'\xff' * 4
    path.write_bytes(content)
    unpack_zip(path, tmp_path / 'out')
    monkeypatch.setattr(zip_checks, 'MAX_DIRECTORY', 1000)
    with pytest.raises(DownloadError, match='its directory has 4,790 bytes, over 1,000'):
        unpack_zip(path, tmp_path / 'other')


@pytest.mark.parametrize('name', ['\x1b[2Jx', 'a\nb', 'a\u202eb', 'a\u200bb', 'a\x9bb', 'a/\x00b'], ids=ascii)
def test_a_name_with_control_characters_is_refused_and_shown_as_escapes(tmp_path, name):
    path = make_zip(tmp_path / 'a.zip', [('A' * len(name.encode()), b'x', 0)])
    content = path.read_bytes().replace(b'A' * len(name.encode()), name.encode())
    content = bytearray(content)
    for mark, at in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):  # The name is UTF-8.
        content[content.index(mark) + at + 1] |= 8
    path.write_bytes(content)
    with pytest.raises(DownloadError, match='control characters') as caught:
        unpack_zip(path, tmp_path / 'out')
    assert str(caught.value).isprintable()
    assert [p.name for p in tmp_path.iterdir()] == ['a.zip']
