"""The one command that measures on a GPU: what it runs, what it prints, and the store that it trains on."""

import json
from collections import Counter

import pytest

import measure_gpu
import vgg_sized_store
from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import AvzooError


@pytest.fixture
def ran(monkeypatch):
    """The commands of a call, none of which is carried out; benchmark.py leaves times of a millisecond."""
    commands = []

    def run(*arguments):
        command = [str(argument) for argument in arguments]
        commands.append(command)
        if '--out' in command:
            names = {name for _, expected in measure_gpu._STEPS.values() for name in expected}
            cases = [dict(name=name, now=0.01, graphs=0.001) for name in names]
            with open(command[command.index('--out') + 1], 'w', encoding='utf-8') as file:
                json.dump(dict(cases=cases), file)

    monkeypatch.setattr(measure_gpu, 'run', run)
    monkeypatch.setattr(vgg_sized_store, 'write_vgg_sized_store', lambda out, share: out)
    return commands


def test_every_figure_stands_beside_that_of_an_h100(ran, tmp_path, capsys):
    assert measure_gpu.main(['--out', str(tmp_path)]) == 0
    steps, rest = ran[:2], ran[2:]
    assert [command[1] for command in steps] == ['avdiff_vgg_5shot', 'avdiff_ucf_5shot']
    assert all('cuda' in command for command in steps)
    kept, one_by_one, released, tests = rest
    assert '--jobs' in kept and '--jobs' not in one_by_one and tests[1] == 'pytest'
    assert 'curriculum.full.frozen_mode=eval' in one_by_one and 'curriculum.full.frozen_mode=eval' not in released
    assert all('default_hooks.graphs.enabled=True' in command for command in (kept, one_by_one, released))
    table = capsys.readouterr().out.split('\n\n')[-1].splitlines()
    assert table[0].split() == ['what', 'here', 'H100']
    assert ['vgg:', 'base', 'step', '1.00', 'ms', '6.3', 'ms'] in [line.split() for line in table]


def test_one_part_with_values_of_its_own(ran, tmp_path, monkeypatch):
    options = ['float32_matmul_precision=high', 'seed=3']
    monkeypatch.chdir(tmp_path)
    measure_gpu.main(['steps', '--device', 'cpu', '--out', '.', '--cfg-options', *options])
    assert [command[command.index('--out') + 1] for command in ran] == [
        str(tmp_path / f'{d}.json') for d in ('vgg', 'ucf')
    ]
    assert len(ran) == 2 and all(command[-3:] == ['--cfg-options', *options] for command in ran)


def test_a_mistyped_part_and_a_failed_command_are_told(capsys):
    with pytest.raises(SystemExit, match='2'):
        measure_gpu.main(['step'])
    assert 'unknown part: step; choose from steps, curricula, tests' in capsys.readouterr().err
    with pytest.raises(AvzooError, match='ended with exit code 3'):
        measure_gpu.run('-c', 'raise SystemExit(3)')


def test_the_store_has_the_sets_of_the_paper(monkeypatch, tmp_path):
    monkeypatch.setattr(vgg_sized_store, '_DIMS', dict(audio=2, visual=3))
    lists = Counter(name for _, _, name in vgg_sized_store._videos([''] * 271, 1.0))
    assert lists['stage_1_train'] == pytest.approx(70351, rel=0.01)
    assert lists['stage_1_val_seen'] == pytest.approx(7817, rel=0.01)
    assert lists['stage_1_val_unseen'] == pytest.approx(345 + 2757, rel=0.01)
    assert lists['stage_2_test_seen'] == pytest.approx(9032, rel=0.01)
    assert lists['stage_2_test_unseen'] == 320 + 2880
    out = tmp_path / 'store'
    store = FeatureStore(vgg_sized_store.write_vgg_sized_store(out, share=0.001))
    assert len(store.class_names) == 271 and len(store.split(5, 'stage2_novel_2')) == 64 * 5
    assert {int(n) for n in store.lengths['visual']} == {15}
    assert vgg_sized_store.write_vgg_sized_store(out) == out and len(FeatureStore(out)) == len(store)
