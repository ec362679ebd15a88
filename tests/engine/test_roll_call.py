"""The processes of a run meet, or say who is missing; they work on the same thing, and notice when one is lost."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import mmengine.dist
import pytest
import torch.distributed as dist

from avzoo.engine.roll_call import lost_process_reported, roll_call
from avzoo.engine.same_everywhere import check_same_everywhere
from avzoo.utils.errors import AvzooError, ConfigError


@pytest.fixture
def port(monkeypatch):
    """A free port, at which all are to meet."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        number = free.getsockname()[1]
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', str(number))
    monkeypatch.delenv('TORCHELASTIC_USE_AGENT_STORE', raising=False)
    return number


def meet(*ranks, size, patience=0.5):
    """Let a thread call the roll for each rank; returns what each got, an error included."""

    def call(rank):
        try:
            return roll_call(rank, size, patience=patience, quiet=60)
        except ConfigError as error:
            return error

    with ThreadPoolExecutor(len(ranks)) as pool:
        return list(pool.map(call, ranks))


def test_all_meet_and_share_a_store(port):
    stores = meet(0, 1, 2, size=3, patience=20)
    stores[1].set('word', 'said')
    assert stores[2].get('word') == b'said'


@pytest.mark.parametrize(('rank', 'words'), [(0, '1/2 clients'), (1, 'no process is listening')])
def test_a_process_without_fellows_says_where_it_waits_and_gives_up(port, capfd, rank, words):
    with pytest.raises(ConfigError, match=rf'process {rank} of 2 .* 127\.0\.0\.1:{port}: .*{words}.*omit --launcher'):
        roll_call(rank, 2, patience=0.2, quiet=0.05)
    said = capfd.readouterr().err.splitlines()
    assert said == [f'Process {rank} of 2 waits for the others at 127.0.0.1:{port} for up to 0.2 s.']


@pytest.mark.parametrize('rank', [0, 1])
@pytest.mark.parametrize('name', ['no host', 'a' * 300, 'a\x1b[2J'])
def test_a_name_that_no_machine_has_is_an_error_at_once(port, monkeypatch, rank, name):
    monkeypatch.setenv('MASTER_ADDR', name)
    began = time.monotonic()
    with pytest.raises(ConfigError, match='no machine with that name is known') as caught:
        roll_call(rank, 2, patience=60)
    assert time.monotonic() - began < 30 and '\x1b' not in str(caught.value)


def test_a_number_that_two_processes_have_is_named(port):
    errors = [str(one) for one in meet(0, 1, 1, size=3)]
    assert any('another process also has rank 1' in text for text in errors)
    assert any('no process arrived with rank 2' in text for text in errors)


def test_a_port_in_use_is_named(port):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', port))
        taken.listen()
        (error,) = meet(0, size=2)
    assert isinstance(error, ConfigError) and f':{port}: ' in str(error) and 'in use' in str(error)


LOST = (
    RuntimeError('[/x/gloo/transport/tcp/pair.cc:537] Connection closed by peer [127.0.0.1]:24. GLHF!'),
    RuntimeError('NCCL communicator was aborted on rank 1.'),
    dist.DistNetworkError('recv failed'),
)


@pytest.mark.parametrize('error', LOST, ids=str)
def test_a_lost_process_is_one_line_with_the_way_back(monkeypatch, error):
    monkeypatch.setattr(dist, 'is_initialized', lambda: True)
    with (
        pytest.raises(AvzooError, match='another process of this run was lost') as caught,
        lost_process_reported('GO ON'),
    ):
        raise error
    text = str(caught.value)
    assert text.endswith('GO ON') and 'GLHF' not in text and '\n' not in text


def test_other_errors_keep_their_traceback(monkeypatch):
    with pytest.raises(RuntimeError, match='gloo'), lost_process_reported(''):
        raise RuntimeError('gloo, but there is no group')
    monkeypatch.setattr(dist, 'is_initialized', lambda: True)
    with pytest.raises(RuntimeError, match='shapes'), lost_process_reported(''):
        raise RuntimeError('shapes do not fit')


@pytest.fixture
def two_processes(monkeypatch):
    """A function that checks a run as process 0, beside one that has another config, folder or phases."""

    def check(mine, other):
        gathered = []
        monkeypatch.setattr(mmengine.dist, 'get_world_size', lambda: 2)
        monkeypatch.setattr(mmengine.dist, 'all_gather_object', lambda facts: gathered.append(facts) or [facts])
        check_same_everywhere(*other)
        monkeypatch.setattr(mmengine.dist, 'all_gather_object', lambda facts: [facts, gathered[0]])
        check_same_everywhere(*mine)

    return check


def test_processes_on_different_stores_are_refused_by_name(
    two_processes, small_avdiff, tmp_path, tiny_store, hard_store
):
    runs = [(small_avdiff(tmp_path, f'data_root={store}'), tmp_path, {}) for store in (tiny_store, hard_store)]
    with pytest.raises(ConfigError, match=rf'their store: process 0 has {tiny_store} .* process 1 has {hard_store} '):
        two_processes(*runs)


def test_processes_that_differ_in_anything_else_are_refused(two_processes, small_avdiff, tmp_path):
    run = (small_avdiff(tmp_path), tmp_path, {})
    two_processes(run, run)
    others = {
        'config': (small_avdiff(tmp_path, 'optim_wrapper.optimizer.lr=0.5'), tmp_path, {}),
        'work directory': (run[0], tmp_path / 'other', {}),
        'finished phases': (run[0], tmp_path, {'stage1_base': {}}),
    }
    for name, other in others.items():
        with pytest.raises(ConfigError, match=f'differ in their {name}: process 0 has .* process 1 has'):
            two_processes(run, other)


def test_the_same_store_may_lie_in_two_places(two_processes, small_avdiff, tmp_path, tiny_store):
    (tmp_path / 'copy').symlink_to(tiny_store)
    two_processes(
        (small_avdiff(tmp_path), tmp_path, {}), (small_avdiff(tmp_path, f'data_root={tmp_path / "copy"}'), tmp_path, {})
    )
