"""The command: where it writes, what it refuses, how it ends."""

import http.client
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from avzoo.__main__ import main
from avzoo.demo import server as server_module

TOOL = 'demo'


def test_ctrl_c_ends_it_and_deletes_the_clips(tmp_path):
    start = [sys.executable, '-m', 'avzoo', TOOL, '--no-browser', '--folder', str(tmp_path / 'mine')]
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            port = int(re.search(r'http://127\.0\.0\.1:(\d+)/#', process.stdout.readline())[1])
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
            connection.request('GET', '/')
            assert connection.getresponse().status == 200
            assert [path.name[:6] for path in (tmp_path / 'mine').iterdir()] == ['clips-']
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20)[1] == 'interrupted\n'
        finally:
            process.kill()
    assert process.returncode == 130
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*')] == ['mine']


def test_options_reach_the_server(tmp_path, monkeypatch):
    opened, served = [], []

    def serve_forever(self, poll_interval):
        served.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(server_module.DemoServer, 'serve_forever', serve_forever)
    monkeypatch.setattr(server_module.webbrowser, 'open', opened.append)
    assert main([TOOL, '--folder', str(tmp_path), '--max-mb', '300', '--port', '0']) == 130
    assert opened == [served[0].address]
    assert served[0].site.trial.limits.file_bytes == 300_000_000
    assert served[0].site.trial.limits.total_bytes == 3_000_000_000
    assert main([TOOL, '--folder', str(tmp_path), '--no-browser']) == 130
    assert len(opened) == 1 and served[1].site.trial.limits.file_bytes == 200_000_000


def test_a_port_in_use_is_named(tmp_path, capsys):
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        assert main([TOOL, '--folder', str(tmp_path), '--no-browser', '--port', str(port)]) == 2
    assert f'--port {port}' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('port', ['-1', '65536', 'x'])
def test_what_is_no_port_is_refused(port, capsys):
    with pytest.raises(SystemExit) as stop:
        main([TOOL, '--port', port])
    assert stop.value.code == 2 and port in capsys.readouterr().err


def test_a_classifier_that_is_not_there_is_named(tmp_path, capsys):
    assert main([TOOL, '--folder', str(tmp_path), '--no-browser', '--classifier', str(tmp_path / 'none')]) == 2
    assert f'{tmp_path / "none"} is not a folder' in capsys.readouterr().err


def test_the_page_is_a_part_of_the_package():
    page = Path(server_module.__file__).parent / 'page'
    used = set(re.findall(r'(?:src|href)="/([^"]+)"', (page / 'index.html').read_text(encoding='utf-8')))
    for path in page.glob('*.js'):
        used |= set(re.findall(r"from '\./([^']+)'", path.read_text(encoding='utf-8')))
    assert {path.name for path in page.iterdir()} == used | {'index.html'}
