"""Killed at any change of a file, each command gives the same result when it is repeated, and leaves nothing."""

import hashlib
import shutil
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from avzoo.checkpoints.zoo_weights import write_zoo_weights
from tests.conftest import SMALL_AVDIFF, SMALL_FITTED, write_store
from tests.faults.harness import Case, content_of, difference_after_kill, undisturbed
from tests.zoo_fixtures import FileServer

CONFIG = 'avdiff_custom_5shot'
TINY = (
    'num_shots=2',
    'train_dataloader.batch_size=8',
    'val_dataloader.batch_size=8',
    'test_dataloader.batch_size=8',
    'train_dataloader.batch_sampler.num_batches=1',
    'curriculum.base.max_epochs=2',
    'curriculum.full.max_epochs=1',
    'curriculum.num_draws=1',
    'curriculum.choices=[]',
    "curriculum.references=['nearest_class_mean']",
    'optim_wrapper.optimizer.lr=1e-3',
    'default_hooks.logger.interval=1000',
    'default_hooks.runtime_info.interval=1',
    *SMALL_AVDIFF,
)
# How many events of a command an ordinary run of the tests tries, evenly spaced.
SAMPLE = dict(
    train=2, choose=0, adapt=1, convert=4, reconvert=4, publish=3, republish=4, fetch=4, first_fetch=4, dataset=3
)


@pytest.fixture(scope='module')
def files():
    server = FileServer()
    server.files['/file.bin'] = np.random.default_rng(0).bytes(1 << 19)
    yield server
    server.close()


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    return tmp_path_factory.mktemp('faults')


@pytest.fixture(scope='module')
def options(work):
    store = write_store(work / 'store')
    return ['--cfg-options', f'data_root={store}', *TINY]


@pytest.fixture(scope='module')
def baseline(server):
    """A function that returns the events and the result of a command that nothing disturbs, which it runs once."""
    found = {}

    def of(case):
        if case.box not in found:
            found[case.box] = undisturbed(server, case)
        return found[case.box]

    return of


@pytest.fixture(scope='module')
def trained(baseline, work, options):
    """A finished run."""
    case = train(work, options)
    baseline(case)
    return shutil.copytree(case.box / 'run', work / 'trained')


def case(work, command, argv, name, start=None, again=()):
    """Return a case whose folder begins with copies of what ``start`` names."""
    folder = work / f'{name}_start'
    folder.mkdir(exist_ok=True)
    for target, source in (start or {}).items():
        shutil.copytree(source, folder / target, dirs_exist_ok=True)
    return Case(command, list(map(str, argv)), work / name, folder, list(again))


def train(work, options, name='train'):
    return case(work, 'train', [CONFIG, '--work-dir', work / name / 'run', *options], name, again=['--resume'])


@pytest.fixture
def make_case(request, work, options, files):
    def convert(name, start):
        source = source_of_features(work)
        argv = [work / name / 'store', '--features', source / 'clips.npz', '--lists', source, '--shots', 1]
        return case(work, 'convert', [*argv, '--class-embeddings', source / 'words.npy'], name, start)

    def publish(name, start):
        run = request.getfixturevalue('trained')
        argv = [run / 'stage2_full_draw0' / 'last.pth', work / name / 'out' / 'mine.safetensors']
        return case(work, 'publish', argv, name, start)

    def fetch(name, *sha256):
        return case(work, 'fetch', ['x/file.bin', f'{files.url}/file.bin', *sha256], name)

    def adapt():
        run = request.getfixturevalue('trained')
        store = options[1].removeprefix('data_root=')
        argv = [CONFIG, run / 'stage2_base' / 'last.pth', '--support', store, '--shots', 2, '--base-store', store]
        argv += ['--classes', 'class09', 'class10', '--out', work / 'adapt' / 'taught.pth', *options]
        return case(work, 'adapt', argv, 'adapt')

    def dataset():
        path = work / 'UCF.zip'
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('UCF/class-split/a.csv', 'a')
        files.files['/UCF.zip'] = path.read_bytes()
        return case(work, 'dataset', [f'{files.url}/UCF.zip', work / 'dataset' / 'store'], 'dataset')

    def choose():
        choice = "curriculum.choices=[[{'data_preprocessor.time_bins':1},{'data_preprocessor.time_bins':2}]]"
        own = {option.split('=')[0] for option in (*SMALL_AVDIFF, *SMALL_FITTED)}
        fitted = [option for option in options if option.split('=')[0] not in own] + [*SMALL_FITTED, choice]
        argv = ['avgauss_custom_5shot', '--work-dir', work / 'choose' / 'run', *fitted]
        return case(work, 'train', argv, 'choose', again=['--resume'])

    makers = dict(
        train=lambda: train(work, options),
        choose=choose,
        adapt=adapt,
        convert=lambda: convert('convert', None),
        reconvert=lambda: convert('reconvert', {'store': write_store(work / 'older_store', shots=(1,))}),
        publish=lambda: publish('publish', None),
        republish=lambda: publish('republish', {'out': older_weights(work)}),
        fetch=lambda: fetch('fetch', hashlib.sha256(files.files['/file.bin']).hexdigest()),
        first_fetch=lambda: fetch('first_fetch'),
        dataset=dataset,
    )
    return lambda name: makers[name]()


def source_of_features(work):
    """Lists, features and class vectors of four classes, to be converted."""
    folder = work / 'source'
    if folder.is_dir():
        return folder
    folder.mkdir()
    lists = dict(
        stage_1_train='ab',
        stage_1_val_seen='ab',
        stage_1_val_unseen='c',
        stage_2_test_seen='abc',
        stage_2_test_unseen='d',
    )
    videos = []
    for name, classes in lists.items():
        rows = [(f'{name}_{label}{i}', label) for label in classes for i in range(3)]
        videos += [video for video, _ in rows]
        (folder / f'{name}.csv').write_text('\n'.join(map(','.join, [('filename', 'label'), *rows])))
    rng = np.random.default_rng(0)
    np.savez(
        folder / 'clips.npz', video_id=videos, audio=rng.random((len(videos), 2)), visual=rng.random((len(videos), 3))
    )
    np.save(folder / 'words.npy', rng.random((4, 2)))
    return folder


def older_weights(work):
    """A folder with other weights of the same name."""
    folder = work / 'older_weights'
    if not folder.is_dir():
        write_zoo_weights(folder / 'mine.safetensors', {'weight': torch.zeros(3)}, dict(classes=['a']))
    return folder


@pytest.mark.parametrize('name', [name for name, count in SAMPLE.items() if count])
def test_a_sample_of_the_events(server, make_case, baseline, name):
    one = make_case(name)
    compare(server, one, name, *baseline(one), sample=SAMPLE[name])


@pytest.mark.every_event
@pytest.mark.parametrize('name', SAMPLE)
def test_every_event(server, make_case, baseline, name):
    one = make_case(name)
    compare(server, one, name, *baseline(one))


@pytest.mark.parametrize('name', ['train', 'convert', 'republish', 'adapt'])
def test_a_process_that_is_asked_to_end_leaves_nothing_unfinished(server, make_case, baseline, name):
    one = make_case(name)
    events, wanted = baseline(one)
    writes = [i for i, event in enumerate(events, 1) if event.startswith('write')]
    for number in {writes[0], writes[len(writes) // 2]} if name != 'train' else {writes[-len(writes) // 3]}:
        one.fresh()
        assert one.run(server, number, by=signal.SIGTERM)['code'] == 128 + signal.SIGTERM
        assert set(content_of(one.box)) <= set(wanted), events[number - 1]
        if name == 'train':
            assert '--resume' in Path(f'{one.box}.log').read_text()
        assert one.run(server, again=True)['code'] == 0 and content_of(one.box) == wanted


def compare(server, case, name, events, wanted, sample=None):
    """Kill a command at its events, all or evenly spaced ones, and fail for those after which something differs."""
    numbers = range(1, len(events) + 1)
    if sample:
        numbers = [numbers[i] for i in np.linspace(0, len(events) - 1, sample).astype(int)]
    known, problems = {}, {}
    for n in numbers:
        problems[n] = difference_after_kill(server, case, n, wanted, known)
        print_line(f'{name} {n}/{len(events)} {events[n - 1]}: {problems[n] or "identical"}')
    wrong = [f'{n} {events[n - 1]}: {problem}' for n, problem in problems.items() if problem]
    done = f'{name}: {len(events)} events, {len(numbers)} kills, {len(numbers) - len(wrong)} identical'
    done += f' ({len(known)} different states to go on from)'
    print_line(done)
    assert not wrong, '\n'.join(wrong)


def print_line(text):
    """Print where `pytest -s` shows it at once."""
    sys.stdout.write(f'{text}\n')
    sys.stdout.flush()
