"""Servers that are hostile, broken or too slow end in one error, within bounded time and space."""

import contextlib
import http.client
import itertools
import socket
import threading
import time
from collections import namedtuple

import pytest

from avzoo.zoo import http as transfers
from avzoo.zoo.http import TransferError, transfer

OK = b'HTTP/1.1 200 OK\r\n'
BLOCK = bytes(1 << 16)


def drip(head, piece=b'x'):
    """Send a piece now and then, for ever; a number is a pause in seconds."""
    return itertools.chain([head], itertools.cycle([0.01, piece]))


# What the server sends, and what the error says.
ANSWERS = {
    'a body that never ends': (lambda: itertools.chain([OK + b'\r\n'], itertools.repeat(BLOCK)), 'more than the'),
    'chunks that never end': (
        lambda: itertools.chain(
            [OK + b'Transfer-Encoding: chunked\r\n\r\n'], itertools.repeat(b'10000\r\n' + BLOCK + b'\r\n')
        ),
        'more than the',
    ),
    'a body by the byte': (lambda: drip(OK + b'Content-Length: 99999999\r\n\r\n'), 'bytes per second'),
    'a status line by the byte': (lambda: drip(b'HTTP/1.1 200 '), 'bytes per second'),
    'a header by the byte': (lambda: drip(OK, b'A'), 'bytes per second'),
    'the size of a chunk by the byte': (lambda: drip(OK + b'Transfer-Encoding: chunked\r\n\r\n', b'0'), 'per second'),
    'no answer': (lambda: itertools.repeat(0.01), 'bytes per second'),
    'for ever "go on"': (lambda: drip(b'', b'HTTP/1.1 100 Continue\r\n\r\n'), 'bytes per second'),
    'a part that nobody asked for': (
        lambda: [b'HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nhello'],
        'status 206',
    ),
    'no content': (lambda: [b'HTTP/1.1 204 No Content\r\n\r\n'], 'status 204'),
    'a packed body': (
        lambda: [OK + b'Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello'],
        'encoding gzip',
    ),
    'more than the disk has': (lambda: [OK + b'Content-Length: ' + b'9' * 18 + b'\r\n\r\n'], 'room for'),
    'no status line': (lambda: [b'hello\r\n\r\n'], 'hello'),
    'nothing at all': (lambda: [], 'closed connection'),
    'half of a header': (lambda: [OK + b'Content-Len'], 'sent nothing'),
    'a very long header': (lambda: [OK + b'A: ' + b'a' * 100_000 + b'\r\n\r\n'], 'header line'),
    'very many headers': (lambda: [OK + b'A: a\r\n' * 1000 + b'\r\n'], 'more than 100 headers'),
}


@pytest.fixture
def serve(monkeypatch):
    """A function that lets a server on the loopback give this answer to each request; returns URL and requests."""
    for name in ('http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    over, listeners = threading.Event(), []

    def send(connection, answer):
        with connection, contextlib.suppress(OSError):
            for piece in answer:
                if over.is_set():
                    return
                time.sleep(piece) if isinstance(piece, float) else connection.sendall(piece)

    def accept(listener, answer, requests):
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                requests.append(connection.recv(1 << 16))
                threading.Thread(target=send, args=[connection, answer()], daemon=True).start()

    def start(answer):
        listener, requests = socket.create_server(('127.0.0.1', 0)), []
        listeners.append(listener)
        threading.Thread(target=accept, args=[listener, answer, requests], daemon=True).start()
        return f'http://127.0.0.1:{listener.getsockname()[1]}/file', requests

    yield start
    over.set()
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize('kind', ANSWERS)
def test_a_bad_answer_is_one_error_in_bounded_time_and_space(serve, tmp_path, kind):
    answer, words = ANSWERS[kind]
    url, _ = serve(answer)
    begun = time.monotonic()
    with pytest.raises(TransferError, match=words) as caught:
        transfer(url, tmp_path / 'part', attempts=1, patience=0.15, most=1 << 20)
    assert time.monotonic() - begun < 5
    assert len(str(caught.value).splitlines()) == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1 << 20


def test_more_than_the_published_size_is_cut_off_and_not_kept(serve, tmp_path):
    url, _ = serve(ANSWERS['a body that never ends'][0])
    with pytest.raises(TransferError, match='more than the 100,000 bytes that were announced'):
        transfer(url, tmp_path / 'part', size=100_000)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_unknown_size_leaves_room_on_the_disk(serve, tmp_path, monkeypatch):
    usage = namedtuple('usage', 'free')(transfers._RESERVE + 200_000)
    monkeypatch.setattr(transfers.shutil, 'disk_usage', lambda path: usage)
    url, _ = serve(ANSWERS['a body that never ends'][0])
    with pytest.raises(TransferError, match='more than the 200,000 bytes that fit'):
        transfer(url, tmp_path / 'part')
    assert list(tmp_path.iterdir()) == []


def test_a_byte_per_connection_is_no_progress(serve, tmp_path):
    url, requests = serve(lambda: [OK + b'ETag: "v"\r\nContent-Length: 99999\r\n\r\nx'])
    with pytest.raises(TransferError, match='ended after 1 of'):
        transfer(url, tmp_path / 'part', attempts=3)
    assert len(requests) == 3


def test_a_server_that_is_quick_enough_is_not_hung_up_on(serve, tmp_path):
    pieces = [OK + b'Content-Length: 20000\r\n\r\n', *itertools.chain(*[(0.02, b'x' * 1000)] * 20)]
    url, _ = serve(lambda: pieces)
    transfer(url, tmp_path / 'part', attempts=1, patience=0.1)
    assert (tmp_path / 'part').read_bytes() == b'x' * 20000


@pytest.mark.parametrize('target', ['http://127.0.0.1:9/x', 'ftp://127.0.0.1:9/x', 'HTTP://127.0.0.1:9/x'])
def test_a_redirect_from_https_to_another_scheme_is_refused(serve, tmp_path, monkeypatch, target):
    monkeypatch.setattr(http.client.HTTPSConnection, 'connect', http.client.HTTPConnection.connect)  # Without TLS.
    url, requests = serve(lambda: [f'HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n'.encode()])
    with pytest.raises(TransferError, match='redirected from https to'):
        transfer(url.replace('http:', 'https:'), tmp_path / 'part')
    assert len(requests) == 1 and list(tmp_path.iterdir()) == []


def test_a_redirect_from_https_to_https_is_followed(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(http.client.HTTPSConnection, 'connect', http.client.HTTPConnection.connect)
    goal, _ = serve(lambda: [OK + b'Content-Length: 5\r\n\r\nhello'])
    goal = goal.replace('http:', 'https:')
    url, _ = serve(lambda: [f'HTTP/1.1 302 Found\r\nLocation: {goal}\r\nContent-Length: 0\r\n\r\n'.encode()])
    transfer(url.replace('http:', 'https:'), tmp_path / 'part')
    assert (tmp_path / 'part').read_bytes() == b'hello'


def test_a_slow_connection_is_not_taken_for_a_slow_server(monkeypatch):
    from avzoo.zoo.watch import Watch

    with Watch(seconds=0.05, least=10) as watch:
        time.sleep(0.2)  # Still connecting: nothing can have come.
        assert not watch.hung_up
        watch._sockets.append(socket.socket())
        time.sleep(0.3)
    assert watch.hung_up
