"""Training steps as CUDA graphs: the same numbers, and plain steps where there can be no graph."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn

from avzoo.engine import graphs
from avzoo.engine.graph_hook import GraphHook, why_not
from avzoo.engine.graphs import GraphedPrediction, GraphedRun, GraphedStep, _copied, _copy, _padded, _shape
from avzoo.engine.optim import AutocastOptimWrapper
from avzoo.registry import MODELS
from tests import small_batches
from tests.conftest import CONFIGS
from tests.small_batches import INFO

SHAPES = [(6, 9), (5, 9), (6, 9)]  # Steps of audio and visual of a turn of batches
on_gpu = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')]


def model(device: str = 'cpu', name: str = 'avdiff/avdiff_ucf_5shot', **changes) -> nn.Module:
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.merge_from_dict({'model.generator.schedule.num_steps': 5} if name.startswith('avdiff/avdiff_ucf') else {})
    part = MODELS.build(
        dict(cfg.model.to_dict(), data_info=INFO, data_preprocessor=cfg.data_preprocessor.to_dict(), **changes)
    )
    return part.to(device).train()


def batch(step: int) -> dict:
    return small_batches.batch(step, SHAPES[step % len(SHAPES)])


def optimizer(part: nn.Module, kind: type = OptimWrapper, **changes) -> OptimWrapper:
    return kind(torch.optim.Adam([p for p in part.parameters() if p.requires_grad], lr=1e-3), **changes)


def train(part: nn.Module, steps: int, step=None) -> list[list[torch.Tensor]]:
    """Take steps, and return their losses and at the end a random number."""
    wrapper, losses = optimizer(part), []
    torch.manual_seed(3)
    for i in range(steps):
        logged = (step or part.train_step)(batch(i), wrapper)
        losses.append([value.detach().clone() for value in logged.values()])
    return [*losses, [torch.rand(1, device=next(part.parameters()).device)]]


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
@pytest.mark.parametrize('frozen', [(), ('encoders', 'embedding', 'fusion')], ids=['base', 'full'])
@pytest.mark.parametrize('name', ['avdiff', 'tcaf', 'mbt', 'perceiver', 'attention_fusion'])
def test_fifty_steps_as_graphs_have_the_losses_of_plain_steps(name, frozen, mark):
    name = f'{name}/{name}_ucf_5shot'
    plain, graphed = (model('cuda', name, frozen=frozen) for _ in range(2))
    step = GraphedStep(graphed)
    found, wanted = train(graphed, 50, step), train(plain, 50)
    assert len(step._graphs) == 4 and not step.failed  # Two shapes, base and novel.
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
def test_capturing_leaves_no_trace(mark):
    part = model('cuda')
    step, wrapper = GraphedStep(part), optimizer(part)
    part.train_step(batch(0), wrapper)  # Libraries allocate what they need.
    state = [value.clone() for value in part.state_dict().values()]
    torch.manual_seed(5)
    before = torch.cuda.get_rng_state()
    step._graph_of(batch(0)), step._graph_of(batch(0))
    assert len(step._graphs) == 1
    assert all(map(torch.equal, state, part.state_dict().values())) and torch.equal(before, torch.cuda.get_rng_state())


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
def test_a_model_that_waits_for_the_device_trains_without_graphs(mark):
    part = model('cuda')
    part.head.loss = lambda c_o, *args, loss=part.head.loss: (c_o.sum().item(), loss(c_o, *args))[1]
    step = GraphedStep(part)
    train(part, 6, step)
    assert step.failed and not step._graphs


def test_a_computation_without_inputs_is_captured_when_it_comes_again(monkeypatch):
    replayed = []
    graph = SimpleNamespace(replay=lambda: replayed.append(True))
    monkeypatch.setattr(torch.cuda, 'graph_pool_handle', lambda: (0, 0))
    monkeypatch.setattr(graphs, '_captured', lambda part, compute, pool: (graph, 'filled'))
    run = GraphedRun(model(), lambda: 'computed')
    assert [run(), run(), run()] == ['computed', 'filled', 'filled'] and len(replayed) == 2


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
def test_a_chain_as_a_graph_draws_the_noise_of_a_plain_one(mark):
    part = model('cuda').eval()
    condition = part.conditioner(torch.arange(7, device='cuda')).detach()
    with torch.no_grad():
        run, found = GraphedRun(part, lambda: part.generator.sample(condition)), []
        for _ in range(3):
            torch.manual_seed(3)
            found.append(run().clone())
    assert run._graphs and not run.failed
    torch.testing.assert_close(found, found[:1] * 3)


@pytest.mark.parametrize('mark', [pytest.param(None, marks=on_gpu)])
@pytest.mark.parametrize('name', ['avdiff/avdiff_ucf_5shot', 'tcaf/tcaf_ucf_5shot', 'mbt/mbt_ucf_5shot'])
def test_predictions_as_graphs_follow_the_weights(name, mark):
    part = model('cuda', name)
    graphed, wrapper = GraphedPrediction(part), optimizer(part)
    for i in range(8):
        part.train().train_step(batch(i), wrapper)
        part.eval()
        with torch.no_grad():
            (found,), (wanted,) = graphed(batch(i)), part.test_step(batch(i))
        assert found.keys() == wanted.keys()
        torch.testing.assert_close(found['scores'], wanted['scores'], atol=1e-5, rtol=1e-4)
        assert torch.equal(found['label'], wanted['label']) and torch.equal(found['index'], wanted['index'])
    assert graphed._graphs and not graphed.failed


@pytest.mark.parametrize(('steps', 'padded'), [(1, 1), (7, 7), (15, 15), (17, 18), (20, 20), (100, 104), (200, 208)])
def test_batches_are_padded_to_few_lengths(steps, padded):
    sequences = dict(x=torch.ones(2, steps, 3), lengths=torch.tensor([steps, 1]))
    found = _padded(sequences)
    assert found['x'].shape == (2, padded, 3) and found['x'].sum() == sequences['x'].sum()
    assert torch.equal(found['lengths'], sequences['lengths'])


@pytest.mark.parametrize('method', ['avdiff', 'tcaf', 'mbt', 'perceiver', 'avgauss'])
def test_padding_changes_no_prediction(method):
    part = model(name=f'{method}/{method}_ucf_5shot').eval()
    data = batch(0)
    longer = dict(data, features={m: dict(f, x=F.pad(f['x'], (0, 0, 0, 5))) for m, f in data['features'].items()})
    with torch.no_grad():
        found, wanted = part.test_step(longer)[0]['scores'], part.test_step(data)[0]['scores']
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('name', ['val_step', 'test_step'])
@pytest.mark.parametrize('enabled', [True, False])
def test_the_hook_predicts_by_graphs_on_a_gpu_alone(name, enabled, monkeypatch):
    part = model()
    runner = SimpleNamespace(model=part)
    hook, start = GraphHook(enabled), f'before_{name.removesuffix("_step")}'
    getattr(hook, start)(runner)
    assert name not in vars(part)  # It is on the CPU.
    monkeypatch.setattr('avzoo.engine.graph_hook.why_not', lambda model: None)
    monkeypatch.setattr(torch.cuda, 'graph_pool_handle', lambda: (0, 0))
    getattr(hook, start)(runner)
    kept = vars(part).get(name)
    getattr(hook, start)(runner)
    assert isinstance(kept, GraphedPrediction) == enabled and vars(part).get(name) is kept
    part.eval()
    (found,), (wanted,) = getattr(part, name)(batch(0)), part(**part.data_preprocessor(batch(0)), mode='predict')
    torch.testing.assert_close(found['scores'], wanted['scores'])  # A first batch is predicted as without a graph.
    hook.after_run(runner)
    assert name not in vars(part)


class OnGPU(nn.Module):
    """A model whose weights pretend to be on a GPU."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.generator = part.generator
        self.weight = nn.Parameter(torch.zeros(()))

    def parameters(self, recurse=True):
        return iter([SimpleNamespace(device=torch.device('cuda'))])


@pytest.mark.parametrize(
    ('name', 'wrapper', 'options', 'reason'),
    [
        ('avdiff/avdiff_ucf_5shot', OptimWrapper, {}, None),
        ('tcaf/tcaf_ucf_5shot', OptimWrapper, {}, None),
        ('avdiff/avdiff_ucf_5shot', OptimWrapper, dict(accumulative_counts=2), 'accumulated'),
        ('avdiff/avdiff_ucf_5shot', AutocastOptimWrapper, {}, 'mixed precision'),
        ('avdiff/avdiff-wgan_ucf_5shot', OptimWrapper, {}, 'trains itself'),
    ],
)
def test_what_a_graph_cannot_hold_stays_plain(name, wrapper, options, reason):
    part = model(name=name)
    found = why_not(OnGPU(part), optimizer(part, wrapper, **options))
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize('enabled', [True, False])
def test_on_a_cpu_the_hook_says_so_and_leaves_the_model_alone(enabled):
    part, log = model(), []
    runner = SimpleNamespace(model=part, optim_wrapper=optimizer(part), logger=SimpleNamespace(info=log.append))
    hook = GraphHook(enabled)
    hook.before_train(runner)
    hook.after_train(runner)
    assert ('No CUDA graphs' in ''.join(log)) == enabled and 'train_step' not in vars(part)


def test_batches_of_another_shape_or_kind_have_another_graph():
    keys = [_shape(batch(i)) for i in range(6)]
    assert keys[0] == keys[2] and len({*keys}) == 4  # (6, 9) and (5, 9), base and novel


def test_a_batch_is_copied_into_the_place_of_another():
    place = _copied(batch(0), torch.device('cpu'))
    kept = place['features']['audio']['x']
    _copy(place, batch(2))
    assert torch.equal(kept, batch(2)['features']['audio']['x']) and torch.equal(place['label'], batch(2)['label'])


def test_predictions_in_an_outer_autocast_stay_plain(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'graph_pool_handle', lambda: (0, 0))
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda device=None: device == 'cuda')
    graphed = GraphedPrediction(model().eval())
    with torch.no_grad():
        for _ in range(3):
            graphed(batch(0))
    assert not graphed._graphs and not graphed.failed and not graphed._seen
