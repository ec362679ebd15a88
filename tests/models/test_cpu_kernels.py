"""Linear layers on a CPU: the numbers of PyTorch's, and a choice that stays."""

import platform
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from avzoo.config.load import load_config
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.kernels import cpu_kernels, fast_dropout, fast_linear
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.models.kernels.fast_dropout import FastDropout
from avzoo.models.kernels.fast_layers import use_fast_layers
from avzoo.models.kernels.fast_linear import FastLinear
from avzoo.models.layers import transformer_layer
from avzoo.utils.errors import AvzooError
from tests.conftest import CONFIGS
from tests.engine.test_graphs import batch, model

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='PyTorch without oneDNN')
# Rounding grows on so few videos, fastest in Perceiver.
STEPS = {'avdiff/avdiff': 10, 'tcaf/tcaf': 5, 'mbt/mbt': 5, 'tsl/tsl': 5, 'perceiver/perceiver': 2}

LEAST = {fast_linear: '_LEAST_ROWS', fast_dropout: '_LEAST_NUMBERS', transformer_layer: '_LEAST_KEYS'}


@pytest.fixture
def kernels():
    """Choose kernels for one test."""
    before = choose_cpu_kernels('onednn')
    yield choose_cpu_kernels
    choose_cpu_kernels(before)


@pytest.fixture
def measured(monkeypatch, tmp_path, kernels):
    """Measurements that find what a list says; returns the list and the folder of what is kept."""
    monkeypatch.setenv('AVZOO_HOME', str(tmp_path))
    found = []
    monkeypatch.setattr(cpu_kernels, '_measure', lambda: found.pop(0))
    kernels('auto')
    cpu_kernels._onednn_is_faster.cache_clear()
    yield found, tmp_path
    cpu_kernels._onednn_is_faster.cache_clear()


def layer(kind: type = FastLinear, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return kind(24, 40, bias=bias)


def rows(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 24, generator=torch.Generator().manual_seed(1)).requires_grad_()


def mask_of_pytorch(shape: torch.Size, dropped: int) -> torch.Tensor:
    """Return the mask that PyTorch draws, for a probability that was rounded to 16 bits."""
    return F.dropout(torch.ones(shape), round(dropped / (1 << 16), 4))


def used_onednn(monkeypatch) -> list:
    calls, real = [], cpu_kernels.onednn_linear
    monkeypatch.setattr(fast_linear, 'onednn_linear', lambda *args: calls.append(1) or real(*args))
    return calls


@needs_onednn
@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('wide', [True, False])
@pytest.mark.parametrize('shape', [(300,), (4, 75)])
def test_a_large_linear_layer_has_the_numbers_and_gradients_of_pytorchs(shape, wide, bias, kernels, monkeypatch):
    calls, found = used_onednn(monkeypatch), []
    if wide:
        monkeypatch.setattr(fast_linear, '_WIDE', 24)
    for kind in (nn.Linear, FastLinear):
        part, x = layer(kind, bias), rows(*shape)
        y = part(x)
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *part.parameters()])])
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-5)
    assert len(calls) == 2 + wide  # Forward, and the gradient of the input, and of the weights of a wide layer.


@needs_onednn
@pytest.mark.parametrize('wide', [True, False])
def test_a_gradient_of_a_gradient_is_that_of_pytorchs_layer(wide, kernels, monkeypatch):
    monkeypatch.setattr(fast_linear, '_WIDE', 24 if wide else 25)
    found = []
    for kind in (nn.Linear, FastLinear):
        part, x = layer(kind), rows(300)
        slopes = torch.autograd.grad(part(x).square().sum(), [x, part.weight], create_graph=True)
        total = slopes[0].norm(dim=1).sub(1).square().sum() + slopes[1].square().mean()
        found.append(torch.autograd.grad(total, [x, part.weight]))
    torch.testing.assert_close(found[1], found[0], atol=1e-4, rtol=1e-5)


@needs_onednn
@pytest.mark.parametrize(('width', 'products'), [(1023, 1), (1024, 2)])
def test_the_weights_of_a_wide_layer_have_their_gradient_by_onednn(width, products, kernels, monkeypatch):
    calls, part = used_onednn(monkeypatch), FastLinear(width, 3)
    part(torch.ones(256, width)).sum().backward()
    assert len(calls) == products


@needs_onednn
@pytest.mark.parametrize('case', ['few rows', 'double', 'autocast', 'functorch', 'traced', 'switched off', 'slower'])
def test_where_a_kernel_cannot_serve_pytorch_computes(case, kernels, monkeypatch):
    calls, part, x = used_onednn(monkeypatch), layer(), rows(300).detach()
    kernels({'switched off': 'torch', 'slower': 'auto'}.get(case, 'onednn'))
    monkeypatch.setattr(cpu_kernels, '_onednn_is_faster', lambda threads: case != 'slower')
    with torch.autocast('cpu', enabled=case == 'autocast'):
        if case == 'functorch':
            torch.func.vmap(part)(x.view(2, 150, 24))
        elif case == 'traced':
            torch.jit.trace(part, x, check_trace=False)
        else:
            part.double()(x.double()) if case == 'double' else part(x[:255] if case == 'few rows' else x)
    assert not calls


@needs_onednn
def test_an_input_that_does_not_fit_is_told_by_pytorch(kernels):
    with pytest.raises(RuntimeError, match='cannot be multiplied'):
        layer()(torch.ones(900, 23))
    with pytest.raises(RuntimeError, match='dtype'):
        layer().bfloat16()(rows(900))
    assert FastLinear(0, 3)(torch.ones(900, 0)).shape == (900, 3)


def test_layers_of_any_origin_become_fast_and_keep_their_parameters():
    part = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 2)))
    before = part.state_dict()
    use_fast_layers(part)
    assert [type(m) for m in part.modules() if not list(m.children())] == [FastLinear, FastDropout, FastLinear]
    assert part.state_dict().keys() == before.keys()
    assert all(type(m) is not nn.Linear for m in model().modules())


@needs_onednn
@pytest.mark.parametrize(('name', 'steps'), STEPS.items())
def test_training_has_the_losses_of_pytorchs_layers(name, steps, kernels, monkeypatch):
    found, calls = [], used_onednn(monkeypatch)
    monkeypatch.setattr(fast_dropout, 'draw_mask', mask_of_pytorch)
    for least in (1, 1 << 30):
        for module, name_of_least in LEAST.items():
            monkeypatch.setattr(module, name_of_least, least)
        part = model(name=f'{name}_ucf_5shot')
        # Adam's first steps are the signs of gradients, and some of these are rounding alone.
        wrapper = OptimWrapper(torch.optim.SGD([p for p in part.parameters() if p.requires_grad], lr=5e-4))
        torch.manual_seed(3)
        found.append([float(part.train_step(batch(i), wrapper)['loss'].detach()) for i in range(steps)])
    assert calls and found[0] == pytest.approx(found[1], rel=1e-5)


@needs_onednn
def test_a_measurement_is_made_once_for_a_machine(measured):
    found, home = measured
    found += [True]
    assert cpu_kernels.onednn_pays()
    cpu_kernels._onednn_is_faster.cache_clear()  # As in another process.
    assert cpu_kernels.onednn_pays()
    (kept,) = (home / 'cpu_kernels').iterdir()
    kept.write_text('torch\n')
    cpu_kernels._onednn_is_faster.cache_clear()
    assert not cpu_kernels.onednn_pays()
    kept.write_bytes(b'\xff?')
    found += [True]
    cpu_kernels._onednn_is_faster.cache_clear()
    assert cpu_kernels.onednn_pays() and kept.read_text() == 'onednn\n'


@needs_onednn
@pytest.mark.parametrize('case', ['a file in its place', 'held by another', 'no home'])
def test_a_machine_without_a_place_to_keep_it_measures_anew(measured, monkeypatch, case):
    found, home = measured
    if case == 'no home':
        monkeypatch.delenv('AVZOO_HOME')
        monkeypatch.setattr(cpu_kernels, 'has_home', lambda: False)
        monkeypatch.setattr(cpu_kernels, 'cache_home', lambda: pytest.fail('a folder is asked for'))
    elif case == 'held by another':
        monkeypatch.setattr(cpu_kernels, 'locked', Mock(side_effect=AvzooError('it is held')))
    else:
        (home / 'file').touch()
        monkeypatch.setenv('AVZOO_HOME', str(home / 'file' / 'below'))
    found += [False]
    assert not cpu_kernels.onednn_pays() and not found


@needs_onednn
def test_a_measurement_is_kept_in_the_home_too(measured, monkeypatch):
    found, home = measured
    monkeypatch.delenv('AVZOO_HOME')
    monkeypatch.setenv('HOME', str(home))
    found += [True]
    assert cpu_kernels.onednn_pays() and len(list(home.glob('.cache/avzoo/cpu_kernels/*.txt'))) == 1


def test_what_is_timed_is_run():
    runs = []
    assert cpu_kernels._seconds(lambda: runs.append(1)) >= 0 and runs == [1]


@pytest.mark.parametrize(('text', 'name'), [('flags : fpu\nmodel name\t: A chip: 2 \n', 'A chip: 2'), ('', 'generic')])
def test_the_name_of_a_processor_is_that_of_the_system_or_its_kind(text, name, monkeypatch, tmp_path):
    (tmp_path / 'cpuinfo').write_text(text)
    monkeypatch.setattr(cpu_kernels, 'Path', lambda path: tmp_path / Path(path).name)
    monkeypatch.setattr(platform, 'processor', lambda: 'generic')
    assert cpu_kernels.cpu_name() == name


@needs_onednn
@pytest.mark.parametrize(('speed', 'pays'), [(0.95, False), (0.5, True)])
def test_onednn_is_taken_only_where_it_is_clearly_faster(speed, pays, monkeypatch):
    monkeypatch.setattr(cpu_kernels, '_seconds', lambda run: 1.0 if run.func is F.linear else speed)
    assert cpu_kernels._measure() is pays


@needs_onednn
@pytest.mark.parametrize(('faster', 'linear'), [(True, 'onednn'), (False, 'torch')])
def test_the_kernels_in_use_are_told_without_measuring(measured, kernels, faster, linear):
    found, _ = measured
    assert cpu_kernels.kernels_in_use() == dict(choice='auto', linear=None)
    found.append(faster)
    assert cpu_kernels.onednn_pays() is faster
    assert cpu_kernels.kernels_in_use() == dict(choice='auto', linear=linear)
    for choice in ('onednn', 'torch'):
        kernels(choice)
        assert cpu_kernels.kernels_in_use() == dict(choice=choice, linear=choice)


def test_the_key_of_a_config_chooses_the_kernels_of_a_run(kernels, monkeypatch):
    monkeypatch.setattr(Runner, 'setup_env', lambda self, env_cfg: setattr(self, '_timestamp', 'now'))
    runner = PhaseRunner.__new__(PhaseRunner)
    for cfg, chosen in ((dict(cpu_kernels='torch'), 'torch'), ({}, 'auto')):
        runner.cfg = Config(cfg)
        runner.setup_env({})
        assert kernels('onednn') == chosen


def test_published_results_are_of_pytorchs_kernels():
    assert load_config(CONFIGS / 'avdiff/avdiff_synth_5shot_gen.py').cpu_kernels == 'torch'
    assert load_config(CONFIGS / 'avdiff/avdiff_ucf_5shot.py').get('cpu_kernels', 'auto') == 'auto'
