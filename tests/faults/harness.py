"""Kill a command at its file-system events, repeat it, and compare what is there with an undisturbed run."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from avzoo.checkpoints.checksums import zip_is_intact
from tests.conftest import without_provenance
from tests.forked import ToolServer

SERVER = Path(__file__).with_name('fork_server.py')
REPO = SERVER.parents[2]
# Logs of each start, by date and process, and mmengine's copy of the config that it was started with. They are of the
# attempt, not of the result; and so are the temporary files by way of which mmengine reads a config.
_LOGS = re.compile(r'(^|/)\d{8}_\d{6}|curriculum\.log$|(^|/)vis_data(/|$)|/stage\w+/\w+\.py$|^tmp/tmp')


class ForkServer:
    """The process that runs the commands, see ``fork_server.py``."""

    def __init__(self) -> None:
        # On the CPU, since the files are the same: its copies could not use a GPU that it has asked for, and where a
        # copy is killed must not depend on rounding.
        env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
        env['PYTHONPATH'] = os.pathsep.join(filter(None, (str(REPO), os.environ.get('PYTHONPATH'))))
        command, pipe = [*ToolServer().python, str(SERVER)], subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=REPO, env=env)
        assert self.process.stdout.readline() == 'ready\n'

    def run(self, **request) -> dict:
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)


@dataclass
class Case:
    """A command and the folder that it works in.

    Attributes:
        command: As ``fork_server.py`` names it.
        argv: Its arguments.
        box: The folder: it is made anew from ``start`` for each attempt.
        start: What lies there before.
        again: Arguments that the repetition has in addition.
    """

    command: str
    argv: list[str]
    box: Path
    start: Path
    again: list[str] = field(default_factory=list)

    def fresh(self) -> None:
        shutil.rmtree(self.box, ignore_errors=True)
        shutil.copytree(self.start, self.box)
        for name in ('tmp', 'home', 'cache'):
            (self.box / name).mkdir(exist_ok=True)

    def run(self, server: ForkServer, die_at: int | None = None, again: bool = False, by=9, **limits) -> dict:
        names = dict(TMPDIR='tmp', HOME='home', AVZOO_HOME='cache')
        return server.run(
            command=self.command,
            argv=self.argv + (self.again if again else []),
            root=str(self.box),
            die_at=die_at,
            by=by,
            limits=limits,
            env={key: str(self.box / name) for key, name in names.items()},
            log=f'{self.box}.log',
        )


def undisturbed(server: ForkServer, case: Case) -> tuple[list[str], dict[str, str]]:
    """Run a command once; return its events and what it leaves."""
    case.fresh()
    done = case.run(server)
    assert done['code'] == 0, Path(f'{case.box}.log').read_text()
    return done['events'], content_of(case.box)


def difference_after_kill(
    server: ForkServer, case: Case, die_at: int, wanted: dict[str, str], known: dict[str, str]
) -> str:
    """Kill a command before an event and repeat it; return how the result differs, or an empty text.

    Args:
        server: What runs it.
        case: The command.
        die_at: Number of the event.
        wanted: The result of an undisturbed run.
        known: What was found for the files that earlier kills have left: it is not repeated for the same files again,
            as where only a line of a log came between.
    """
    case.fresh()
    Path(f'{case.box}.log').unlink(missing_ok=True)
    killed = case.run(server, die_at)
    if killed['code'] == 0:  # Now and then a command needs an event less, such as a lock tried again: it just ended.
        return '' if content_of(case.box) == wanted else 'another result of a run that was not killed'
    if killed['code'] != -9:
        return f'it was not killed (exit code {killed["code"]})'
    left = re.sub(r'\.[0-9a-f]{8}\.', '.*.', repr(sorted(content_of(case.box).items())))
    if left not in known:
        known[left] = _difference_after_repetition(server, case, wanted)
    return known[left]


def _difference_after_repetition(server: ForkServer, case: Case, wanted: dict[str, str]) -> str:
    again = case.run(server, again=True)
    if again['code']:
        return f'exit code {again["code"]}: {Path(f"{case.box}.log").read_text()[-600:]}'
    found = content_of(case.box)
    parts = [f'left over: {name}' for name in sorted(found.keys() - wanted.keys())]
    parts += [f'missing: {name}' for name in sorted(wanted.keys() - found.keys())]
    parts += [f'differs: {name}' for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]]
    return '; '.join(parts)


def content_of(root: Path) -> dict[str, str]:
    """Return a fingerprint of each file, of tensors by their values, and of each folder; logs are left out."""
    found = {}
    for path in sorted(root.rglob('*')):
        name = path.relative_to(root).as_posix()
        if not _LOGS.search(name):
            found[name] = _fingerprint(path)
    return found


def _fingerprint(path: Path) -> str:
    if path.is_symlink() or path.is_dir():
        return f'link to {os.readlink(path)}' if path.is_symlink() else 'folder'
    data = path.read_bytes()
    if path.suffix == '.pth' and zip_is_intact(data):
        checkpoint = torch.load(io.BytesIO(data), weights_only=True)
        config = checkpoint['meta'].get('config', {})
        for of_the_attempt in ('resume', 'load_from'):
            config.pop(of_the_attempt, None)
        data = repr(_plain(checkpoint)).encode()
    elif path.suffix == '.npz':
        with np.load(path) as arrays:
            data = repr(_plain(dict(arrays))).encode()
    elif path.name == 'history.jsonl':
        data = repr([_without_time(line) for line in data.splitlines(keepends=True)]).encode()
    elif path.name == 'results.json':
        data = repr(without_provenance(json.loads(data))).encode()
    return hashlib.sha256(data).hexdigest()


def _without_time(line: bytes):
    """Return a line of a history without what differs from run to run; a torn one as it is."""
    if not line.endswith(b'}\n'):
        return line
    return sorted(item for item in json.loads(line).items() if item[0] not in ('seconds', 'memory_mb'))


def _plain(value):
    """Return nested values with tensors and arrays as their kind, shape and bytes."""
    if isinstance(value, torch.Tensor):
        value = value.contiguous().numpy()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return [(key, _plain(value[key])) for key in value]
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
