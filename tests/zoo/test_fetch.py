"""Downloads: verified, resumed, complete or absent."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from avzoo.utils.files import sha256_of
from avzoo.zoo.fetch import DownloadError, fetch

CONTENT = np.random.default_rng(0).bytes(1 << 20)
SHA = hashlib.sha256(CONTENT).hexdigest()
DEAD = 'http://127.0.0.1:9/file.bin'  # Nothing listens on the discard port.


def leftovers(home):
    return sorted(path.name for path in home.rglob('*') if path.is_file())


def test_a_file_is_fetched_verified_and_kept(server, home):
    server.files['/file.bin'] = CONTENT
    path = fetch('x/file.bin', [f'{server.url}/file.bin'], sha256=SHA, size=len(CONTENT))
    assert path == home / 'x' / 'file.bin' and path.read_bytes() == CONTENT
    assert leftovers(home) == ['file.bin']
    assert fetch('x/file.bin', [f'{server.url}/file.bin'], sha256=SHA) == path
    assert len(server.requests) == 1


def test_a_cut_connection_is_resumed_where_it_broke(server, home):
    server.files['/file.bin'], server.cut_after['/file.bin'] = CONTENT, [500_000]
    path = fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA)
    assert path.read_bytes() == CONTENT
    assert server.requests == [('/file.bin', None), ('/file.bin', 'bytes=500000-')]
    assert leftovers(home) == ['file.bin']


def test_a_later_call_resumes_what_an_earlier_one_left(server, home):
    server.files['/file.bin'], server.cut_after['/file.bin'] = CONTENT, [300_000, 0, 0, 0]
    with pytest.raises(DownloadError, match='ended after 300000 of'):
        fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA)
    server.requests.clear()
    assert fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA).read_bytes() == CONTENT
    assert server.requests == [('/file.bin', 'bytes=300000-')]


def test_a_part_of_an_older_file_is_not_mixed_with_a_newer_one(server):
    server.files['/file.bin'], server.cut_after['/file.bin'] = CONTENT, [300_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch('file.bin', [f'{server.url}/file.bin'])
    server.files['/file.bin'], server.etag = CONTENT[::-1], '"v2"'
    assert fetch('file.bin', [f'{server.url}/file.bin']).read_bytes() == CONTENT[::-1]


def test_without_a_validator_and_a_checksum_it_begins_anew(server):
    server.etag = None
    server.files['/file.bin'], server.cut_after['/file.bin'] = CONTENT, [300_000]
    assert fetch('file.bin', [f'{server.url}/file.bin']).read_bytes() == CONTENT
    assert server.requests == [('/file.bin', None), ('/file.bin', None)]


def test_one_flipped_byte_is_refused_and_leaves_nothing(server, home):
    server.files['/file.bin'] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DownloadError, match='refused: its SHA-256 is'):
        fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA)
    assert leftovers(home) == []


def test_a_part_from_a_bad_mirror_does_not_spoil_the_next(server, home):
    server.files['/bad.bin'], server.cut_after['/bad.bin'] = CONTENT[::-1], [300_000, 0, 0, 0]
    server.files['/good.bin'] = CONTENT
    urls = [f'{server.url}/bad.bin', f'{server.url}/good.bin']
    assert fetch('file.bin', urls, sha256=SHA).read_bytes() == CONTENT
    assert leftovers(home) == ['file.bin']


def test_a_longer_file_than_promised_is_refused(server, home):
    server.files['/file.bin'] = CONTENT
    with pytest.raises(DownloadError, match='not 1000'):
        fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA, size=1000)
    assert leftovers(home) == []


def test_the_second_address_serves_when_the_first_is_dead(server):
    server.files['/file.bin'] = CONTENT
    urls = [DEAD, f'{server.url}/missing.bin', f'{server.url}/file.bin']
    assert fetch('file.bin', urls, sha256=SHA).read_bytes() == CONTENT


def test_offline_takes_a_warm_cache_and_refuses_a_cold_one(server, home, monkeypatch):
    server.files['/file.bin'] = CONTENT
    path = fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA)
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    server.requests.clear()
    assert fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA) == path
    with pytest.raises(DownloadError, match='AVZOO_OFFLINE=1 forbids'):
        fetch('other.bin', [f'{server.url}/file.bin'], sha256=SHA)
    assert server.requests == []


def test_a_damaged_copy_in_the_cache_is_fetched_again(server):
    server.files['/file.bin'] = CONTENT
    path = fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA)
    path.write_bytes(CONTENT[:-1] + b'x')
    assert fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_without_a_published_checksum_the_first_download_is_recorded(server, home):
    server.files['/file.bin'] = CONTENT
    url = f'{server.url}/file.bin'
    path = fetch('file.bin', [url])
    assert json.loads((home / 'recorded_checksums.json').read_text())[url]['sha256'] == SHA
    path.unlink()
    server.files['/file.bin'] = CONTENT[::-1]
    with pytest.raises(DownloadError, match='refused: its SHA-256'):
        fetch('file.bin', [url])


def test_the_error_names_file_size_checksum_and_place(home):
    with pytest.raises(DownloadError) as error:
        fetch('x/file.bin', [DEAD, 'ftp://127.0.0.1/file.bin'], sha256=SHA, size=123456)
    for part in (
        'file.bin',
        '123,456 bytes',
        SHA,
        str(home / 'x' / 'file.bin'),
        DEAD,
        'reads only http, https, file://',
    ):
        assert part in str(error.value)


@pytest.mark.parametrize('as_url', [True, False])
def test_files_are_used_where_they_lie_after_a_check(tmp_path, home, as_url):
    path = tmp_path / 'my file.bin'
    path.write_bytes(CONTENT)
    place = path.as_uri() if as_url else str(path)
    assert fetch('file.bin', [place], sha256=SHA) == path and not home.exists()
    with pytest.raises(DownloadError, match='refused'):
        fetch('file.bin', [place], sha256=SHA[::-1])
    assert sha256_of(path) == SHA  # The user's own file is left alone.


@pytest.fixture
def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('x', b'x')
    return buffer.getvalue()


def test_a_page_in_place_of_the_file_is_neither_kept_nor_recorded(server, home, zipped):
    url = f'{server.url}/a.zip'
    server.files['/a.zip'] = b'<html>Down for maintenance</html>'
    with pytest.raises(DownloadError, match='it is another kind of file'):
        fetch('a.zip', [url], accept=zipfile.is_zipfile)
    assert leftovers(home) == []
    server.files['/a.zip'] = zipped
    assert fetch('a.zip', [url], accept=zipfile.is_zipfile).read_bytes() == zipped


def test_a_file_put_by_hand_is_never_removed_for_a_recorded_checksum(server, home, zipped):
    url = f'{server.url}/a.zip'
    server.files['/a.zip'] = zipped + b'older'
    path = fetch('a.zip', [url], accept=zipfile.is_zipfile)
    path.write_bytes(zipped)
    with pytest.raises(DownloadError) as error:
        fetch('a.zip', [url], accept=zipfile.is_zipfile)
    for part in (str(path), 'not published but was recorded at the first download', 'recorded_checksums.json'):
        assert part in str(error.value)
    assert path.read_bytes() == zipped
    (home / 'recorded_checksums.json').unlink()
    assert fetch('a.zip', [url], accept=zipfile.is_zipfile) == path


def test_a_page_put_by_hand_is_refused_and_left(home):
    home.mkdir()
    (home / 'a.zip').write_bytes(b'<html>Log in</html>')
    with pytest.raises(DownloadError, match=r'another kind of file.*remove the file'):
        fetch('a.zip', [DEAD], accept=zipfile.is_zipfile)
    assert leftovers(home) == ['a.zip']


def test_many_first_downloads_at_once_are_all_recorded(server, home):
    urls = [f'{server.url}/{i}.bin' for i in range(16)]
    server.files.update({f'/{i}.bin': bytes([i]) * 100 for i in range(16)})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: fetch(url.rsplit('/', 1)[1], [url], progress=False), urls))
    assert set(json.loads((home / 'recorded_checksums.json').read_text())) == set(urls)
    assert len(leftovers(home)) == 17


@pytest.mark.parametrize('text', ['{"cut', '[]', '{"url": 3}', '{"url": {"sha256": null}}'])
def test_a_damaged_record_is_an_error_and_not_a_fresh_start(server, home, text):
    server.files['/file.bin'] = CONTENT
    home.mkdir()
    (home / 'recorded_checksums.json').write_text(text)
    with pytest.raises(
        DownloadError, match=r'recorded_checksums.json, the record of unpublished checksums, is damaged'
    ):
        fetch('file.bin', [f'{server.url}/file.bin'])
    assert (home / 'recorded_checksums.json').read_text() == text
    assert fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA).is_file()  # A published one needs no record.


def test_what_is_no_url_does_not_keep_the_next_from_being_tried(server):
    server.files['/file.bin'] = CONTENT
    places = ['http://[::1', f'{server.url}/file.bin']
    assert fetch('file.bin', places, sha256=SHA).read_bytes() == CONTENT
    server.redirects['/moved'] = 'http://[::1'
    with pytest.raises(DownloadError, match=r'http://\[::1: '):
        fetch('other.bin', ['http://[::1', f'{server.url}/moved'], sha256=SHA)


def test_a_server_that_ignores_ranges_sends_the_whole_again(server, home):
    server.files['/file.bin'], server.cut_after['/file.bin'] = CONTENT, [300_000]
    server.ignores_range = True
    assert fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, 'bytes=300000-']


def test_a_part_longer_than_the_file_begins_anew(server, home):
    server.files['/file.bin'] = CONTENT
    home.mkdir()
    (home / '.file.bin.partial').write_bytes(CONTENT + b'more')
    assert fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [f'bytes={len(CONTENT) + 4}-', None]  # The first answer is 416.


def test_another_range_than_was_asked_for_is_not_appended(server, home):
    server.files['/file.bin'], server.cut_after['/file.bin'] = CONTENT, [300_000]
    server.range_error = 7
    with pytest.raises(DownloadError, match='a different range than requested'):
        fetch('file.bin', [f'{server.url}/file.bin'], sha256=SHA)
    assert (home / '.file.bin.partial').read_bytes() == CONTENT[:300_000]


@pytest.mark.parametrize('target', ['/loop', 'file:///etc/hostname', 'ftp://127.0.0.1:9/x'])
def test_a_redirect_that_is_endless_or_leaves_http_is_refused(server, home, target):
    server.redirects['/loop'] = target
    reason = (
        'infinite loop' if target == '/loop' else 'not allowed' if target.startswith('file') else 'unknown url type'
    )
    with pytest.raises(DownloadError, match=f'could not be downloaded.*\n.*{reason}'):
        fetch('file.bin', [f'{server.url}/loop'])
    assert leftovers(home) == []


def test_several_processes_share_one_download(server, repo_dir, home):
    server.files['/file.bin'] = CONTENT
    code = "import sys; from avzoo.zoo.fetch import fetch\nprint(fetch('file.bin', [sys.argv[1]], progress=False))"
    command = [sys.executable, '-c', code, f'{server.url}/file.bin']
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    runs = [subprocess.Popen(command, cwd=repo_dir, **pipes) for _ in range(4)]
    answers = [run.communicate(timeout=120) for run in runs]
    assert [out.strip() for out, _ in answers] == [str(home / 'file.bin')] * 4, answers
    assert len(server.requests) == 1 and leftovers(home) == ['file.bin', 'recorded_checksums.json']


@pytest.mark.parametrize('name', ['../x', 'a/../../x', '/tmp/x', '', '.', 'a\nb', 'a\x1b[2J'])
def test_a_name_outside_of_the_cache_is_refused_before_anything_is_asked(server, home, name):
    server.files['/file.bin'] = CONTENT
    with pytest.raises(DownloadError, match='cannot be a file in the cache'):
        fetch(name, [f'{server.url}/file.bin'])
    assert server.requests == [] and leftovers(home) == []


def test_what_a_server_says_is_shown_as_escapes_on_one_line(server):
    server.reason = 'gone\x1b[2J\x9b31m'
    with pytest.raises(DownloadError) as caught:
        fetch('file.bin', [f'{server.url}/missing\nforged.bin'])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3 and all(line.isprintable() for line in lines)
    with pytest.raises(DownloadError, match=r'HTTP 404 gone\\x1b\[2J'):
        fetch('file.bin', [f'{server.url}/missing.bin'])
