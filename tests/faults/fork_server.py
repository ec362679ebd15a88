"""Run commands in forked copies of a process that has imported everything: an attempt takes no six seconds to start.

It reads requests from stdin, a JSON object a line: ``command`` and ``argv``, ``root`` (the folder that is watched),
``die_at`` (None to run to the end), ``by`` (the signal; a text is a folder, which is removed instead), ``limits`` (by
name), ``env``, and ``log`` (a file for what is printed). The answer has ``code`` (of the exit, or minus the signal),
and for a command that came to its end ``events``.
"""

import faulthandler
import gc
import importlib.util
import json
import os
import pkgutil
import resource
import sys
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path

import avzoo
from avzoo.utils import compat
from avzoo.utils.cli import run_tool

compat.prepare_process()
TOOLS = Path(avzoo.__file__).parents[1] / 'tools'


def tool(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, TOOLS / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def fetch(argv):
    """Download a file: its name in the cache, its address and, where it is published, its SHA-256."""
    from avzoo.zoo.fetch import fetch

    name, url, *sha256 = argv
    fetch(name, [url], sha256=sha256[0] if sha256 else None)


def dataset(argv):
    """Download a zip, unpack it and make a store, here one whose content does not depend on the zip."""
    import dataclasses

    from avzoo.avdiff_release import downloads
    from avzoo.zoo.benchmarks import BENCHMARKS

    def make(folder, out, **options):
        from tests.conftest import write_store

        assert (folder / 'class-split' / 'a.csv').read_bytes() == b'a'
        write_store(Path(out), shots=(1,), draws=1)

    downloads.import_released_features = make
    url, out = argv
    downloads.fetch_released_features(dataclasses.replace(BENCHMARKS['ucf'], urls=(url,)), out)


def main():
    for module in pkgutil.walk_packages(avzoo.__path__, 'avzoo.'):
        import_module(module.name)
    avzoo.register_all_modules()
    # The first optimizer imports torch._dynamo, which makes a folder for temporary files.
    late_ones = 'sklearn.linear_model', 'matplotlib.font_manager', 'torch.utils.tensorboard', 'rich.progress'
    for late in (*late_ones, 'torch._dynamo'):
        try:
            import_module(late)
        except ImportError:
            continue
    commands = dict(
        train=tool('train.py'),
        convert=tool('dataset_converters/features.py'),
        extract=tool('extract_features.py'),
        publish=tool('model_converters/publish_model.py'),
        adapt=tool('adapt.py'),
        fetch=fetch,
        dataset=dataset,
    )
    import torch

    from tests.faults.events import Events

    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    # Most of the time of a tiny run: for its log mmengine formats the config.
    sys.modules['mmengine.config.config'].FormatCode = lambda code, **_: (code, False)
    gc.collect()
    gc.freeze()
    answers = os.fdopen(os.dup(1), 'w')
    print('ready', file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                log = os.open(request['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                os.dup2(log, 1)
                os.dup2(log, 2)
                faulthandler.enable()
                os.environ.update(request['env'])
                os.chdir(request['root'])
                tempfile.tempdir = None  # Found anew, now: it is tried by a file.
                tempfile.gettempdir()
                for name, limit in request['limits'].items():
                    resource.setrlimit(getattr(resource, f'RLIMIT_{name}'), (limit, limit))
                events = Events(request['root'], request['die_at'], request['by'])
                events.watch()
                code = run_tool(commands[request['command']], request['argv'])
                events.die_at = None
                with os.fdopen(writing, 'w') as pipe:
                    json.dump(events.seen, pipe)
                os._exit(code)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(99)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps(dict(code=status, events=json.loads(said) if said else None)), file=answers, flush=True)


assert zipfile  # Imported before the fork.
if __name__ == '__main__':
    main()
