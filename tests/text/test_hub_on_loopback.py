"""Encoders by their name on a hub: what is asked for, what is downloaded, and what is found again without a network."""

import hashlib
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import REPO

pytest.importorskip('huggingface_hub')
SHA = 'a' * 40
FILES = {
    'config.json': b'{"model_type": "bert"}',
    'vocab.txt': b'[PAD]\n',
    'modules.json': b'[]',
    '1_Pooling/config.json': b'{}',
    'model.safetensors': b'weights',
    'pytorch_model.bin': b'the same weights as a pickle',
    'onnx/model.onnx': b'another form',
    'README.md': b'text',
}
FIND = 'import sys; from avzoo.text.encoder_files import find_encoder; print(find_encoder(sys.argv[1]))'
COMMAND = (
    'import sys; from avzoo.utils.cli import run_tool; from runpy import run_path; '
    'sys.exit(run_tool(run_path("tools/class_vectors.py")["main"], sys.argv[1:]))'
)


class Hub(BaseHTTPRequestHandler):
    """The few answers of a hub that a download needs."""

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        path = self.path.partition('?')[0]
        self.server.asked.append(path)
        if path.startswith('/api/models/owner/model'):
            facts = dict(id='owner/model', sha=SHA, siblings=[{'rfilename': name} for name in FILES])
            entries = [dict(type='file', path=name, size=len(body), oid=name) for name, body in FILES.items()]
            body = json.dumps(entries if '/tree/' in path else facts).encode()
        else:
            body = FILES.get(path.removeprefix(f'/owner/model/resolve/{SHA}/'))
        self.send_response(200 if body is not None else 404)
        self.send_header('Content-Length', str(len(body or b'')))
        self.send_header('X-Repo-Commit', SHA)
        self.send_header('ETag', f'"{hashlib.sha256(body or b"").hexdigest()}"')
        self.end_headers()
        if with_body:
            self.wfile.write(body or b'')

    def log_message(self, *args):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Hub)
    server.asked = []
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(tmp_path):
    """A function that runs Python with a cache of its own: the hub's package reads its settings once."""

    def run(endpoint, code, *args, **settings):
        mine = dict(HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path / 'cache'), HF_HUB_DISABLE_XET='1', NO_PROXY='*')
        kept = {key: value for key, value in os.environ.items() if not key.startswith(('HF_', 'AVZOO_'))}
        return subprocess.run(
            [sys.executable, '-c', code, *map(str, args)],
            env={**kept, **mine, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            cwd=REPO,
        )

    return run


def test_a_model_is_downloaded_in_one_form_and_found_again_without_a_network(hub, ask):
    address = f'http://127.0.0.1:{hub.server_port}'
    done = ask(address, FIND, 'owner/model')
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}
    wanted = {'config.json', 'vocab.txt', 'modules.json', '1_Pooling/config.json', 'model.safetensors'}
    assert found == {name: FILES[name] for name in wanted}
    hub.asked.clear()
    again = ask(address, FIND, 'owner/model', AVZOO_OFFLINE='1')
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert not any('owner/model' in path for path in hub.asked)


def test_a_model_that_the_hub_has_not_is_one_line_with_what_else_could_be_done(hub, ask, tmp_path):
    (tmp_path / 'c.txt').write_text('dog\n')
    address = f'http://127.0.0.1:{hub.server_port}'
    done = ask(address, COMMAND, tmp_path / 'c.txt', tmp_path / 'o.npz', '--text', 'owner/absent')
    assert done.returncode == 2 and address in done.stderr and '--text FOLDER' in done.stderr
    assert done.stderr.count('error:') == 1 and 'Traceback' not in done.stderr and not (tmp_path / 'o.npz').exists()


@pytest.mark.parametrize('settings', [{}, {'AVZOO_OFFLINE': '1'}, {'HF_HUB_OFFLINE': '1'}])
def test_without_a_hub_the_answer_comes_at_once_and_names_the_folder_option(ask, settings):
    code = (
        'import huggingface_hub, sys, time\n'
        'from avzoo.text.encoder_files import find_encoder\n'
        'from avzoo.utils.errors import DataError\n'
        'begun = time.monotonic()\n'
        'try:\n    find_encoder(sys.argv[1])\n'
        'except DataError as error:\n    print(time.monotonic() - begun, error)\n'
    )
    done = ask('http://127.0.0.1:9', code, 'owner/model', **settings)
    seconds, _, told = done.stdout.partition(' ')
    assert float(seconds) < 2 and '--text FOLDER' in told and 'owner/model' in told
