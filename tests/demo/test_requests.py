"""What the page's server refuses, asked without a browser."""

import http.client
import json
import os
import socket
import threading

import pytest

from avzoo.demo.refusal import TOKEN_HEADER
from avzoo.demo.worker import Job
from tests.demo.made_clips import make_clip


def request(server, method, path, body=b'', headers=None, *, token=True):
    """Send a request; returns its status, its headers and what the answer holds."""
    connection = http.client.HTTPConnection('127.0.0.1', server.server_port, timeout=20)
    own = {TOKEN_HEADER: server.site.token} if token else {}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data, own | (headers or {}))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = answer.headers['Content-Type'].startswith('application/json')
    return answer.status, answer.headers, json.loads(content) if is_json else content


def status(*args, **options):
    return request(*args, **options)[0]


def raw(server, text: bytes) -> bytes:
    """Send bytes, end the sending, and return what comes back."""
    with socket.create_connection(('127.0.0.1', server.server_port), timeout=20) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b''.join(iter(lambda: connection.recv(1 << 16), b''))


def add_class(server, name='dogs') -> str:
    assert status(server, 'POST', '/api/classes', dict(name=name)) == 200
    return request(server, 'GET', '/api/state')[2]['classes'][-1]['id']


def files_of(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


@pytest.fixture
def clip(tmp_path_factory):
    pytest.importorskip('av', reason="videos are read by PyAV: pip install 'avzoo[video]'")
    path = make_clip(tmp_path_factory.mktemp('source') / 'ball.mkv', 'jumping ball', seed=0, seconds=0.4)
    return path.read_bytes()


def test_only_the_loopback_address_is_bound(server):
    assert server.socket.getsockname()[0] == '127.0.0.1'


@pytest.mark.parametrize(
    'host', ['evil.example', 'evil.example:{port}', '127.0.0.1', 'localhost:1', '[::1]:{port}', '']
)
@pytest.mark.parametrize('path', ['/', '/api/state'])
def test_a_request_to_another_name_is_refused(server, host, path):
    assert status(server, 'GET', path, headers={'Host': host.format(port=server.server_port)}) == 403


def test_two_names_are_refused(server):
    host = f'Host: 127.0.0.1:{server.server_port}\r\n'.encode()
    assert b' 403 ' in raw(server, b'GET / HTTP/1.1\r\n' + host + b'Host: evil.example\r\n\r\n').partition(b'\r\n')[0]
    assert b' 403 ' in raw(server, b'GET / HTTP/1.0\r\n\r\n').partition(b'\r\n')[0]
    assert b' 200 ' in raw(server, b'GET / HTTP/1.1\r\n' + host + b'\r\n').partition(b'\r\n')[0]


@pytest.mark.parametrize(
    'headers',
    [{'Origin': 'http://evil.example'}, {'Origin': 'null'}, {'Origin': ''}, {'Sec-Fetch-Site': 'cross-site'}],
    ids=str,
)
def test_a_request_of_another_page_is_refused(server, headers):
    assert status(server, 'POST', '/api/classes', dict(name='x'), headers) == 403
    assert server.site.trial.examples.state() == []


def test_the_https_origin_of_the_same_name_is_another_page(server):
    headers = {'Origin': f'https://127.0.0.1:{server.server_port}'}
    assert status(server, 'POST', '/api/classes', dict(name='x'), headers) == 403
    headers = {'Origin': f'http://127.0.0.1:{server.server_port}', 'Sec-Fetch-Site': 'same-origin'}
    assert status(server, 'POST', '/api/classes', dict(name='x'), headers) == 200


@pytest.mark.parametrize('token', [None, '', 'x', 'ü'])
def test_a_request_without_the_key_is_refused(server, token):
    headers = {} if token is None else {TOKEN_HEADER: token}
    for method, path in [('GET', '/api/state'), ('GET', '/api/answer'), ('POST', '/api/stop'), ('GET', '/etc/passwd')]:
        assert status(server, method, path, headers=headers, token=False) == 401


def test_each_start_has_its_own_key(server, roomy_server):
    assert server.site.token != roomy_server.site.token and len(server.site.token) >= 32
    assert server.address.endswith(f'/#{server.site.token}')


def test_the_page_says_what_a_browser_may_do(server):
    for path in server.site.files:
        code, headers, content = request(server, 'GET', path, token=False)
        assert code == 200 and content == server.site.files[path][1]
        assert "default-src 'self'" in headers['Content-Security-Policy']
        assert 'unsafe' not in headers['Content-Security-Policy'] and headers['X-Content-Type-Options'] == 'nosniff'
        assert server.site.token.encode() not in content


@pytest.mark.parametrize(
    'path', ['/../server.py', '/..%2fserver.py', '/page/../../server.py', '//etc/passwd', '/api/../server.py', '/api/x']
)
def test_no_other_file_is_served(server, path):
    assert status(server, 'GET', path) == 404


@pytest.mark.parametrize('method', ['PUT', 'OPTIONS', 'TRACE', 'HEAD'])
def test_other_methods_are_unknown(server, method):
    assert raw(server, f'{method} / HTTP/1.1\r\n\r\n'.encode()).startswith(b'HTTP/1.1 501')


@pytest.mark.parametrize('name', ['../../../outside', '/etc/outside', 'a\\..\\outside', '..', 'CON', '.', '%00'])
def test_a_name_is_never_a_path(server, clip, tmp_path, name):
    one = add_class(server, name)
    before = files_of(tmp_path.parent)
    assert status(server, 'POST', f'/api/clips/{one}', clip, {'X-Clip-Name': name.replace('%00', 'x')}) == 200
    new = set(files_of(tmp_path.parent)) - set(before)
    assert len(new) == 1 and os.path.dirname(new.pop()).endswith('/clips')


@pytest.mark.parametrize('place', ['clips/../../x', 'clips/..%2f..%2fx', 'clips/', 'clips/ffff'])
def test_a_clip_of_an_unknown_class_is_refused(server, tmp_path, place):
    assert status(server, 'POST', f'/api/{place}', b'abc') == 404
    assert files_of(tmp_path) == []


@pytest.mark.parametrize('name', ['../clips', '/etc', '..', '', 3, None, ['x']])
def test_only_a_listed_classifier_is_loaded(server, name):
    assert status(server, 'POST', '/api/load', dict(id=name)) == 404


def test_a_clip_that_is_too_large_is_refused_before_it_is_read(server, tmp_path):
    one = add_class(server)
    code, _, answer = request(server, 'POST', f'/api/clips/{one}', bytes(2_000_001))
    assert code == 413 and '--max-mb' in answer['error']
    assert files_of(tmp_path) == []


def test_the_sum_of_all_clips_is_limited(server, clip, tmp_path):
    one = add_class(server)
    for _ in range(2):  # 1.4 MB each; what follows the clip is not read.
        assert status(server, 'POST', f'/api/clips/{one}', clip + bytes(1_400_000 - len(clip))) == 200
    assert status(server, 'POST', f'/api/clips/{one}', clip + bytes(1_000_000)) == 413
    assert len(files_of(tmp_path)) == 2
    assert status(server, 'DELETE', f'/api/examples/{one}') == 200
    assert files_of(tmp_path) == []
    assert status(server, 'POST', f'/api/clips/{add_class(server)}', clip + bytes(1_000_000)) == 200


def test_numbers_of_clips_and_classes_are_limited(server, clip):
    ids = [add_class(server, name) for name in 'abc']
    assert status(server, 'POST', '/api/classes', dict(name='d')) == 422
    assert [status(server, 'POST', f'/api/clips/{ids[0]}', clip) for _ in range(4)] == [200, 200, 200, 422]


@pytest.mark.parametrize('name', ['', ' ', 'x' * 41, 'a\x00b', 'a\x1b[2J', '\u202e', 3, None, {}], ids=ascii)
def test_a_name_that_cannot_be_shown_is_refused(server, name):
    assert status(server, 'POST', '/api/classes', dict(name=name)) == 422


@pytest.mark.parametrize(
    'body', [b'text', b'RIFF____', b'#EXTM3U\nfile:///etc/passwd\n', b'ffconcat version 1.0\nfile /etc/passwd\n', b'']
)
def test_what_is_no_clip_is_refused_and_removed(server, tmp_path, body):
    pytest.importorskip('av', reason="videos are read by PyAV: pip install 'avzoo[video]'")
    one = add_class(server)
    code, _, answer = request(server, 'POST', f'/api/clips/{one}', body, {'X-Clip-Name': 'My%20clip.mp4'})
    assert code == 415 and answer['error'].startswith('My clip.mp4 is ') and str(tmp_path) not in answer['error']
    assert files_of(tmp_path) == []


def test_a_body_that_breaks_off_leaves_nothing(server, clip, tmp_path):
    one = add_class(server)
    head = (
        f'POST /api/clips/{one} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n'
        f'{TOKEN_HEADER}: {server.site.token}\r\nContent-Length: {len(clip) + 1}\r\n\r\n'
    )
    answer = raw(server, head.encode() + clip)
    assert answer.startswith(b'HTTP/1.1 400') and b'broke off' in answer
    assert files_of(tmp_path) == []


@pytest.mark.parametrize('length', ['', '-1', '1e3', '+3', '٣', '9' * 30], ids=ascii)
def test_a_length_that_is_not_a_number_is_refused(server, length):
    one = add_class(server)
    assert status(server, 'POST', f'/api/clips/{one}', headers={'Content-Length': length.encode()}) == 411


def test_a_body_in_chunks_is_refused(server):
    one = add_class(server)
    headers = {'Transfer-Encoding': 'chunked', 'Content-Length': '3'}
    assert status(server, 'POST', f'/api/clips/{one}', b'3\r\nabc\r\n0\r\n\r\n', headers) == 411


@pytest.mark.parametrize('body', [b'', b'{', b'[]', b'3', b'{"nme": 1}', b'[' * 5000, b'\xff'])
def test_malformed_requests_are_refused(server, body):
    assert status(server, 'POST', '/api/classes', body) == 400


def test_what_is_left_of_a_refused_body_is_not_the_next_request(server):
    inner = f'GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n'.encode()
    for first in ('POST /api/classes', 'GET /', 'POST /api/stop'):
        head = f'{first} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nContent-Length: {len(inner)}\r\n\r\n'
        assert raw(server, head.encode() + inner).count(b'HTTP/1.1') == 1


def test_nothing_is_asked_or_taught_before_its_time(server, clip):
    assert status(server, 'POST', '/api/ask', clip) == 422
    assert status(server, 'POST', '/api/save', dict(title='x')) == 422
    assert status(server, 'POST', f'/api/clips/{add_class(server)}', clip) == 200
    code, _, answer = request(server, 'POST', '/api/teach', dict(modalities=['visual']))
    assert code == 422 and 'At least two classes' in answer['error']
    assert status(server, 'POST', '/api/teach', dict(modalities=['smell'])) == 422


def test_the_server_answers_while_a_job_runs(server, clip):
    one, other = add_class(server, 'a'), add_class(server, 'b')
    assert [status(server, 'POST', f'/api/clips/{name}', clip) for name in (one, other)] == [200, 200]
    go = threading.Event()
    job = Job('teach', 2)
    server.site.trial.worker.start(job, lambda job: go.wait(20) and job.step(1), str)
    assert request(server, 'GET', '/api/state')[2]['job']['running']
    assert status(server, 'POST', '/api/teach', dict(modalities=['visual'])) == 409
    assert status(server, 'DELETE', f'/api/examples/{one}') == 409
    assert status(server, 'POST', '/api/stop') == 200
    go.set()
    server.site.trial.worker.stop(20)
    assert request(server, 'GET', '/api/state')[2]['job']['error'] == 'Stopped.'
    assert status(server, 'DELETE', f'/api/examples/{one}') == 200
