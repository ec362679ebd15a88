"""The benchmark compares two paths with the same numbers."""

import json
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import nn

from avzoo.config.load import load_config
from avzoo.datasets.collate import collate
from avzoo.models.kernels import cpu_kernels
from avzoo.models.kernels.cpu_kernels import onednn_linear
from avzoo.models.kernels.fast_linear import FastLinear
from avzoo.registry import MODELS
from avzoo.speed.cases import ONE_CLIP, SpeedCases
from avzoo.speed.measure import _flops, measure
from avzoo.speed.plain_path import plain_path
from avzoo.speed.random_data import random_batches
from avzoo.utils.errors import ConfigError
from tests.conftest import CONFIGS, REPO
from tests.small_batches import INFO, batch

TWO_WAYS = ['avdiff/avdiff', 'avdiff/avdiff-alternate', 'tcaf/tcaf', 'mbt/mbt', 'perceiver/perceiver', 'tsl/tsl']


def losses(name: str, steps: int) -> list[dict[str, torch.Tensor]]:
    """Return the losses of training steps and at the end scores; without dropout, whose draws follow the tokens."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / f'{name}_ucf_5shot.py')
    model = MODELS.build(
        dict(cfg.model.to_dict(), data_info=INFO, data_preprocessor=cfg.data_preprocessor.to_dict())
    ).train()
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    found = []
    for step in range(steps):
        inputs = model.data_preprocessor(batch(step), True)
        total, logged = model.parse_losses(model(**inputs, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        found.append({key: value.detach() for key, value in logged.items()})
    model.eval()
    return [*found, model.test_step(batch(steps))[0]]


@pytest.mark.parametrize('name', TWO_WAYS)
def test_training_has_the_losses_and_scores_of_the_plain_path(name):
    found = losses(name, 3)
    with plain_path():
        wanted = losses(name, 3)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.fixture
def run(repo_dir, monkeypatch):
    import runpy

    main = runpy.run_path(str(repo_dir / 'tools/analysis_tools/benchmark.py'))['main']
    small = ['model.fusion.depth=1', 'model.fusion.switch_after=0', 'model.generator.schedule.num_steps=3']
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield lambda *options: main(
        ['avdiff_synth_5shot', '--seconds', '0.01', '--clip', '1', '2', '--cfg-options', *small, *options]
    )
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


@pytest.mark.parametrize('precision', ['high', 'highest'])
def test_what_is_measured_multiplies_matrices_as_the_config_says(run, precision, monkeypatch):
    seen = []

    def measure(*args, **options):
        seen.append(torch.get_float32_matmul_precision())
        return [dict(name=name, plain=1.0, now=1.0, ratio=1.0, floor=1.0) for name in ('data', 'base step')]

    monkeypatch.setattr('avzoo.speed.measure.measure', measure)
    assert run(f'float32_matmul_precision={precision}') == 0 and seen == [precision]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(run, tmp_path, monkeypatch):
    monkeypatch.setattr('avzoo.speed.measure.measure', lambda *given, **named: pytest.fail('it measured'))
    (tmp_path / 'file').write_text('')
    for place in (tmp_path, tmp_path / 'file' / 'speed.json'):
        with pytest.raises(ConfigError, match=f'{place} cannot be written'):
            run('--out', str(place))


def test_clips_that_no_machine_could_hold_are_refused(run):
    with pytest.raises(ConfigError, match=r'1e\+18 s are .* steps'):
        run('--clip', '1', '1e18')


def test_the_benchmark_measures_every_part_and_fails_where_a_ratio_has_fallen(run, tmp_path, capsys, monkeypatch):
    out = tmp_path / 'speed.json'
    assert run('--out', str(out)) == 0
    record = json.loads(out.read_text())
    assert [row['name'] for row in record['cases']] == [
        'data',
        'base step',
        'full iteration',
        'full iteration, cached fusion',
        'chain',
        'chain with backward',
        'evaluation, 1,000 videos',
        'prediction, one clip',
        'prediction, 1,000 clips',
    ]
    for row in record['cases']:
        assert row['ratio'] == pytest.approx(row['plain'] / row['now']) and row['floor'] > 0
        assert row.get('bf16', 0) > 0 or row['name'] == 'data'
    said = capsys.readouterr().out
    assert 'full iteration' in said and 'bf16' in said
    same = json.loads(out.read_text())['cases']
    monkeypatch.setattr('avzoo.speed.measure.measure', lambda *args, **options: same)
    record['cases'][1]['ratio'] = 1000.0
    record['cases'][2]['ratio'] = 1e-3
    out.write_text(json.dumps(record))
    assert run('--against', str(out)) == 1
    said = capsys.readouterr().out
    assert 'base step: ' in said and 'full iteration: ' not in said


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='PyTorch without oneDNN')
def test_products_of_onednn_are_counted():
    x, weight = torch.randn(2, 3, 5), torch.randn(7, 5)
    assert _flops(lambda: onednn_linear(x, weight)) == _flops(lambda: F.linear(x, weight)) == 2 * 2 * 3 * 5 * 7


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='PyTorch without oneDNN')
def test_what_is_measured_to_choose_kernels_is_not_counted(monkeypatch):
    cpu_kernels._onednn_is_faster.cache_clear()  # As on a new machine, where nothing is kept.
    monkeypatch.setattr(cpu_kernels, '_onednn_is_faster', cache(lambda threads: cpu_kernels._measure()))
    layer, x = FastLinear(300, 512), torch.randn(1024, 300)
    assert _flops(lambda: layer(x)) == 2 * x.numel() * 512


def test_steps_are_those_of_a_run(tmp_path):
    work = SpeedCases(load_config(CONFIGS / 'avdiff/avdiff_custom_5shot.py'), INFO, tmp_path, (1, 2), 'cpu')
    assert work.base.wrapper.optimizer.param_groups[0]['fused'] is True


def test_learned_latents_can_be_counted(tmp_path):
    small = ['model.fusion.depth=1', 'model.fusion.num_latents=2']
    work = SpeedCases(
        load_config(CONFIGS / 'perceiver/perceiver_custom_5shot.py', small), INFO, tmp_path, (1, 2), 'cpu'
    )
    assert _flops(work.cases()[ONE_CLIP].run) > 0


def test_no_part_has_lost_a_third_of_its_gain_over_the_plain_path(run):
    """Ratios of CPU time, never times; what else the machine does changes them little, and not three times."""
    recorded = REPO / 'tests/speed/speed_ratios.json'
    options = ['model.generator.schedule.num_steps=30', '--against', str(recorded)]
    assert any(run(*options) == 0 for _ in range(3))


@pytest.mark.parametrize(
    'text',
    [
        '{}',
        '{"cases": []}',
        '{"cases": [{"name": "data", "ratio": "fast"}]}',
        '{"cases": [{"name": "data", "ratio": NaN}]}',
    ],
)
def test_numbers_of_no_run_are_refused(run, tmp_path, text):
    (tmp_path / 'speed.json').write_text(text)
    with pytest.raises(ConfigError, match='--against'):
        run('--against', str(tmp_path / 'speed.json'))


def test_a_device_that_is_not_here_is_refused(run, monkeypatch):
    def to(self, device):
        raise AssertionError('Torch not compiled with CUDA enabled')

    monkeypatch.setattr('torch.nn.Module.to', to)
    with pytest.raises(ConfigError, match="device='cuda'"):
        run('--device', 'cuda')
    with pytest.raises(SystemExit):  # What waits for the GPU waits for the first.
        run('--device', 'cuda:1')


@pytest.mark.parametrize('device', ['cpu', None])
def test_random_batches_are_other_videos_each_time_and_the_same_in_each_run(device):
    def gather(videos, target):
        assert target == (None if device is None else torch.device(device))
        return dict(audio=dict(x=torch.from_numpy(videos)))

    runs = [list(random_batches(gather, torch.arange(8), videos=99, steps=6, device=device)) for _ in range(2)]
    drawn = [tuple(batch['features']['audio']['x'].tolist()) for run in runs for batch in run]
    assert drawn[:6] == drawn[6:] and len({*drawn}) == 6 and max(map(max, drawn)) < 99
    assert [list(b['index']) for b in runs[0]] == [list(d) for d in drawn[:6]] and len(runs[0][0]['label']) == 8


@pytest.mark.parametrize('device', ['cpu', None])
def test_a_base_step_that_reads_random_batches_trains_on_each(device, tmp_path):
    cfg = load_config(CONFIGS / 'avdiff/avdiff_synth_5shot.py', ['model.fusion.depth=1', 'model.fusion.switch_after=0'])
    work, seen = SpeedCases(cfg, INFO, tmp_path, (1, 2), 'cpu'), []
    work.steps = 3
    work.read_and_train(device, seen.append)
    assert len(seen) == 3
    for data in seen:
        wanted = collate(work.on_disk, data['index'].numpy(), work.seconds, window=work.window)
        assert all(torch.equal(data['features'][m][key], wanted[m][key]) for m in wanted for key in wanted[m])


def test_all_but_data_is_timed_in_bf16_as_amp_computes(tmp_path, monkeypatch):
    runs, seen, forward = [], [set()], nn.Linear.forward

    def keep(given, *rest):
        runs.append(given)
        for run in given.values():
            seen.append(set())
            run()
        return dict.fromkeys(given, 1.0)

    def linear(layer, x):
        seen[-1].add(torch.is_autocast_enabled('cpu'))
        return forward(layer, x)

    monkeypatch.setattr('avzoo.speed.measure._shortest', keep)
    monkeypatch.setattr(FastLinear, 'forward', linear)
    small = ['model.fusion.depth=1', 'model.fusion.switch_after=0', 'model.generator.schedule.num_steps=3']
    cfg = load_config(CONFIGS / 'avdiff/avdiff_ucf_5shot.py', small)
    measure(cfg, INFO, device='cpu', seconds=0.01, clip=(1, 2))
    assert [list(given) for given in runs] == [['plain', 'now'], *8 * [['plain', 'now', 'bf16']]]
    assert seen[1:3] == [set(), set()] and seen[-3:] == [{False}, {False}, {True}]
