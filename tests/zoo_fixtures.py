"""A small http server on the loopback, a cache for each test, and a tiny zoo."""

import contextlib
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from avzoo.utils.files import sha256_of
from avzoo.zoo import index as model_index

# What the tiny model has of its own; narrow, since its weights are written and read by hundreds of tests.
_NARROW = dict(hidden_dim=16, out_dim=12)
TINY_MODEL = dict(
    encoders=dict(audio=_NARROW, visual=_NARROW),
    fusion=dict(depth=2, switch_after=1, num_heads=2, head_dim=8, mlp_dim=8),
    projector=dict(hidden_dim=16, out_dim=8),
    generator=dict(schedule=dict(num_steps=5)),
)


class FileServer:
    """Serve bytes by path over http on 127.0.0.1, with the troubles that a test asks for.

    Attributes:
        files: {path: content}.
        cut_after: {path: list of numbers of bytes}: how much each of the next answers gives before it hangs up.
        requests: (path, Range header) of every request.
        etag: Validator sent with each file, or None.
        ignores_range: Send the whole file whatever part is asked for.
        range_error: Bytes by which the part that is sent lies beside the one that was asked for.
        redirects: {path: URL}.
        reason: What it says where there is no file.
    """

    def __init__(self):
        self.files, self.cut_after, self.requests, self.etag = {}, {}, [], '"v1"'
        self.ignores_range, self.range_error, self.redirects, self.reason = False, 0, {}, None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        self.url = f'http://127.0.0.1:{self.server.server_port}'

    def answer(self, handler):
        path, wanted = handler.path, handler.headers.get('Range')
        self.requests.append((path, wanted))
        if path in self.redirects:
            handler.send_response(302)
            handler.send_header('Location', self.redirects[path])
            handler.send_header('Content-Length', '0')
            handler.end_headers()
            return
        if path not in self.files:
            handler.send_error(404, self.reason)
            return
        content, start = self.files[path], 0
        if wanted and not self.ignores_range and handler.headers.get('If-Range') in (None, self.etag):
            start = int(wanted.removeprefix('bytes=').rstrip('-'))
        if start >= len(content):
            handler.send_error(416)
            return
        start += self.range_error if start else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header('Content-Range', f'bytes {start}-{len(content) - 1}/{len(content)}')
        if self.etag:
            handler.send_header('ETag', self.etag)
        handler.send_header('Content-Length', str(len(content) - start))
        handler.end_headers()
        cuts = self.cut_after.get(path) or []
        stop = start + cuts.pop(0) if cuts else len(content)
        with contextlib.suppress(OSError):
            handler.wfile.write(content[start:stop])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(monkeypatch):
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    server = FileServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache for each test."""
    path = tmp_path / 'cache'
    monkeypatch.setenv('AVZOO_HOME', str(path))
    monkeypatch.delenv('AVZOO_OFFLINE', raising=False)
    return path


@pytest.fixture
def make_zoo(tmp_path, monkeypatch, repo_dir):
    """A function that puts an index of one model, ``tiny_custom_5shot``, in use; it takes more entries of the model.

    ``dataset`` is the name of the data set in its results.
    """
    root = tmp_path / 'zoo'

    def make(dataset='custom', **entries):
        folder = root / 'configs' / 'tiny'
        folder.mkdir(parents=True, exist_ok=True)
        base = repo_dir / 'configs' / 'avdiff' / 'avdiff_custom_5shot.py'
        (folder / 'tiny_custom_5shot.py').write_text(f"_base_ = ['{base}']\nmodel = {TINY_MODEL!r}\n")
        model = (
            dict(
                Name='tiny_custom_5shot',
                Config='configs/tiny/tiny_custom_5shot.py',
                Metadata=dict(Shots=5, Features='random numbers'),
                Results=[dict(Task='classification', Dataset=dataset)],
                **{'In Collection': 'Tiny'},
            )
            | entries
        )
        (folder / 'metafile.yml').write_text(
            yaml.safe_dump(
                dict(
                    Collections=[dict(Name='Tiny', README='configs/tiny/README.md', Paper=dict(Title='Tiny'))],
                    Models=[model],
                ),
                sort_keys=False,
            )
        )
        for readme in (folder / 'README.md', root / 'README.md'):
            readme.write_text(
                '# Tiny\n\n<!-- made by tools/misc/make_model_zoo.py -->\n| config | old |\n'
                '<!-- end of what is made -->\n\nMore.\n'
            )
        (root / 'model-index.yml').write_text('Import:\n  - configs/tiny/metafile.yml\n')
        model_index._read_collections.cache_clear()
        monkeypatch.setattr(model_index, 'zoo_root', lambda: root)
        return root

    yield make
    model_index._read_collections.cache_clear()


@pytest.fixture(scope='session')
def tiny_info():
    return dict(
        feature_dims=dict(audio=6, visual=9),
        seconds_per_step=dict(audio=0.96, visual=0.64),
        num_classes=11,
        embedding_dim=5,
    )


@pytest.fixture(scope='session')
def published(tmp_path_factory, tiny_info, repo_dir):
    """Zoo weights of ``tiny_custom_5shot`` with random values, and what they came from."""
    from avzoo.checkpoints.zoo_weights import write_zoo_weights
    from avzoo.config.load import load_config
    from avzoo.zoo.build import build_model

    cfg = load_config(repo_dir / 'configs/avdiff/avdiff_custom_5shot.py')
    cfg.merge_from_dict(dict(model=TINY_MODEL))
    model = build_model(cfg, tiny_info).eval()
    model.gamma.fill_(0.25)
    path = tmp_path_factory.mktemp('published') / 'tiny_custom_5shot.safetensors'
    classes = [f'class{i:02}' for i in range(11)]
    write_zoo_weights(
        path,
        model.state_dict(),
        dict(
            name='tiny_custom_5shot',
            classes=classes,
            base_mask=[i < 9 for i in range(11)],
            data_info=tiny_info,
            stage=2,
            substage='full',
            draw=0,
            num_shots=2,
            gamma=0.25,
            config=cfg.to_dict(),
        ),
    )
    return path, model


@pytest.fixture
def pretrained_zoo(make_zoo, published):
    """The tiny zoo with its weights inside."""
    root = make_zoo(Weights='weights/w.safetensors', SHA256=sha256_of(published[0]))
    (root / 'weights').mkdir()
    shutil.copy(published[0], root / 'weights' / 'w.safetensors')
    return root
