"""Results say where they come from: versions, command, time, machine and digests."""

import json
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import torch

import avzoo
from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner, provenance
from avzoo.engine.history import read_history
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.utils.files import sha256_of
from tests.conftest import REPO, without_provenance

QUICK = (
    'curriculum.base.max_epochs=1',
    'curriculum.full.max_epochs=1',
    'curriculum.num_draws=1',
    'curriculum.references=[]',
)
STARTED = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc)


@pytest.fixture
def read(tmp_path):
    return lambda: json.loads((tmp_path / 'run' / 'results.json').read_text(encoding='utf-8'))


def described(**changes):
    facts = dict(started=STARTED, settings={'data_root': '/home/me', 'seed': 1}, store={}, sha256='0' * 64)
    return provenance.provenance(**facts | changes)


def test_results_name_versions_command_store_and_settings(small_avdiff, tmp_path, tiny_store, monkeypatch, read):
    monkeypatch.setattr('sys.argv', ['/home/me/bin/avzoo train', 'a config', '--seed', '3'])
    CurriculumRunner(small_avdiff(tmp_path / 'run', *QUICK)).train()
    found = read()['provenance']
    assert found['versions'].items() >= dict(torch=torch.__version__, numpy=np.__version__).items()
    assert found['command'] == "'avzoo train' 'a config' --seed 3" and found['processes'] == 1 and found['device']
    store = json.loads((tiny_store / 'store.json').read_text())
    assert found['store']['sha256'] == sha256_of(tiny_store / 'store.json') and found['store']['name'] == store['name']
    assert found['store']['class_vectors'] == {'text': {'sha256': store['class_embeddings']['text']['sha256']}}
    begun, ended = (datetime.fromisoformat(found[key].replace('Z', '+00:00')) for key in ('started', 'ended'))
    assert begun <= ended <= datetime.now(timezone.utc) and found['seconds'] > 0
    lines = [line for path in (tmp_path / 'run').glob('stage*/history.jsonl') for line in read_history(path)]
    trained = sum(line['seconds'] for line in lines if line['kind'] == 'epoch')
    assert len(lines) == 4 and found['training_seconds'] == pytest.approx(trained, abs=1e-3) and trained > 0
    state = load_checkpoint(tmp_path / 'run/stage2_full_draw0/last.pth')['state_dict']
    assert 0 < found['parameters'] < sum(value.numel() for value in state.values())  # The rest are buffers.


@pytest.mark.parametrize(('device', 'told'), [('cpu', True), ('cuda', False)])
def test_the_kernels_of_a_cpu_are_told(device, told, monkeypatch):
    monkeypatch.setattr(provenance, 'get_device', lambda: device)
    monkeypatch.setattr('avzoo.models.kernels.cpu_kernels._measure', lambda: pytest.fail('measured'))
    choose_cpu_kernels('torch')
    assert described().get('cpu_kernels') == (dict(choice='torch', linear='torch') if told else None)


def test_a_command_that_computes_nothing_leaves_the_provenance_alone(small_avdiff, tmp_path, read):
    cfg = small_avdiff(tmp_path / 'run', *QUICK)
    CurriculumRunner(cfg).train()
    first = read()
    CurriculumRunner(cfg, resume=True).train()
    assert read() == first
    (tmp_path / 'run' / 'results.json').write_text('{')
    CurriculumRunner(cfg, resume=True).train()
    assert without_provenance(read()) == without_provenance(first)


def test_equal_settings_have_one_digest_wherever_the_data_lie():
    one, moved, other = ({'data_root': root, 'seed': seed} for root, seed in (('a', 1), ('b', 1), ('a', 2)))
    digests = [described(settings=settings)['config_sha256'] for settings in (one, moved, other)]
    assert digests[0] == digests[1] != digests[2]


def test_times_are_utc(monkeypatch):
    began = STARTED.astimezone(timezone(timedelta(0)))
    assert described(started=began)['started'] == '2026-01-02T03:04:05Z'


def test_nothing_of_the_environment_is_told(monkeypatch):
    monkeypatch.setenv('AVZOO_TEST_TOKEN', 'not-for-others')
    monkeypatch.setattr('sys.argv', ['/home/me/bin/avzoo', 'train'])
    text = json.dumps(described())
    assert 'not-for-others' not in text and '/home/me' not in text and str(Path.home()) not in text


def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    for package, wanted in ((REPO, None), (tmp_path, '')):
        monkeypatch.setattr(avzoo, '__file__', str(package / 'avzoo' / '__init__.py'))
        if wanted is None and (REPO / '.git').exists():
            head = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=REPO, capture_output=True, text=True, check=True)
            wanted = head.stdout.strip()
        assert (described()['commit'] or '').removesuffix('-dirty') == (wanted or '')


@pytest.mark.parametrize('broken', ['no git', 'hangs', 'no repository'])
def test_without_git_there_is_no_commit(tmp_path, monkeypatch, broken):
    (tmp_path / '.git').mkdir()  # What git does not take for a repository.
    monkeypatch.setattr(avzoo, '__file__', str(tmp_path / 'avzoo' / '__init__.py'))
    if broken == 'no git':
        monkeypatch.setenv('PATH', str(tmp_path))
    if broken == 'hangs':
        monkeypatch.setattr(provenance, '_GIT', ('sleep', '5'))
        run = subprocess.run
        monkeypatch.setattr(provenance.subprocess, 'run', lambda *a, **k: run(*a, **k | dict(timeout=0.1)))
    assert described()['commit'] is None
