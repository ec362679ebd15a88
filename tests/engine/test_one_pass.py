"""Adam in one pass on a CPU: the same numbers, and only where nothing else was chosen."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from avzoo.checkpoints.training import load_checkpoint
from avzoo.engine import CurriculumRunner
from avzoo.engine.optim import load_optimizer_state, use_one_pass
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from tests.conftest import AVDIFF, SMALL_AVDIFF
from tests.engine.test_graphs import batch, model


@pytest.mark.parametrize('kind', [torch.optim.Adam, torch.optim.AdamW])
def test_fifty_steps_of_given_gradients_give_the_numbers_of_pytorchs_way(kind):
    found = []
    for one_pass in (True, False):
        rng = torch.Generator().manual_seed(2)
        part = [torch.nn.Parameter(torch.randn(*shape, generator=rng)) for shape in ((40, 60), (60,), (1, 1, 9))]
        optimizer = kind(part, lr=1e-3, weight_decay=1e-3)
        if one_pass:
            use_one_pass(optimizer)
        assert optimizer.param_groups[0]['fused'] is (True if one_pass else None)
        for _ in range(50):
            for p in part:
                p.grad = torch.randn(p.shape, generator=rng)
            optimizer.step()
        found.append(part)
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=0)


def test_fifty_steps_of_training_have_the_losses_of_pytorchs_way():
    """In float64: the first steps of Adam are the signs of gradients, and some of these are rounding alone."""
    found = []
    for one_pass in (True, None):
        encoders = {m: dict(type='MLP', hidden_dim=32, out_dim=24) for m in ('audio', 'visual')}
        fusion = dict(type='MaskedTransformer', depth=2, switch_after=1, head_dim=8, mlp_dim=16)
        part = model(encoders=encoders, fusion=fusion).double()
        wrapper = OptimWrapper(torch.optim.Adam(part.parameters(), lr=1e-3, weight_decay=1e-3, fused=one_pass))
        torch.manual_seed(3)
        found.append([])
        for i in range(50):
            data = batch(i)
            for part_of in data['features'].values():
                part_of['x'] = part_of['x'].double()
            found[-1].append(float(part.train_step(data, wrapper)['loss'].detach()))
    assert found[0] == pytest.approx(found[1], rel=1e-9)


CHOSEN = [dict(fused=False), dict(foreach=True), dict(foreach=False), dict(capturable=True), dict(differentiable=True)]


@pytest.mark.parametrize('chosen', CHOSEN, ids=str)
def test_what_the_user_chose_stays(chosen):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))], **chosen)
    before = copy.deepcopy(optimizer.param_groups[0])
    use_one_pass(optimizer)
    assert optimizer.param_groups[0]['fused'] is before['fused']


class OwnAdam(torch.optim.Adam):
    pass


@pytest.mark.parametrize('case', ['SGD', 'own', 'double', 'meta', 'kernels of torch'])
def test_other_optimizers_and_numbers_are_left_alone(case):
    dtype, device = (torch.double if case == 'double' else torch.float), ('meta' if case == 'meta' else 'cpu')
    params = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3, dtype=dtype, device=device))]
    kind = dict(SGD=torch.optim.SGD, own=OwnAdam).get(case, torch.optim.Adam)
    if case == 'kernels of torch':
        choose_cpu_kernels('torch')
    optimizer = kind(params, lr=0.1)
    use_one_pass(optimizer)
    assert optimizer.param_groups[0]['fused'] is None


def test_each_group_is_asked_for_itself():
    groups = [dict(params=[torch.nn.Parameter(torch.ones(3))], lr=rate) for rate in (0.1, 0.2)]
    groups.append(dict(params=[torch.nn.Parameter(torch.ones(3, dtype=torch.double))], lr=0.3))
    optimizer = torch.optim.Adam(groups)
    use_one_pass(optimizer)
    assert [group['fused'] for group in optimizer.param_groups] == [True, True, None]


LAYOUTS = {
    'columns': lambda: torch.ones(3, 8)[:, :4],
    'every second': lambda: torch.ones(3, 8)[:, ::2],
    'transposed': lambda: torch.ones(4, 3).t(),
    'in order': lambda: torch.ones(3, 4),
}


@pytest.mark.parametrize('given', ['in order', 'transposed'])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_numbers_and_gradients_may_lie_in_any_order(layout, given):
    found = []
    for one_pass in (True, False):
        whole = LAYOUTS[layout]()
        p, rng = torch.nn.Parameter(whole), torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam([p], lr=0.1)
        if one_pass:
            use_one_pass(optimizer)
        for _ in range(3):
            grad = torch.randn(3, 4, generator=rng)
            p.grad = grad if given == 'in order' else grad.t().contiguous().t()
            optimizer.step()
        found.append([p.detach(), whole if whole._base is None else whole._base])
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize('built', [dict(), dict(fused=False), dict(foreach=True), dict(fused=True)], ids=str)
@pytest.mark.parametrize('saved', [dict(), dict(fused=False), dict(foreach=True), dict(fused=True)], ids=str)
def test_a_state_that_is_loaded_does_not_choose_the_way(built, saved):
    def wrapper(ways):
        return OptimWrapper(torch.optim.Adam([torch.nn.Parameter(torch.ones(3))], lr=0.1, **ways))

    source, target = wrapper(saved), wrapper(built)
    source.optimizer.param_groups[0]['params'][0].grad = torch.ones(3)
    source.step()
    before = {way: target.optimizer.param_groups[0][way] for way in ('fused', 'foreach')}
    load_optimizer_state(target, source.state_dict())
    assert {way: target.optimizer.param_groups[0][way] for way in before} == before
    assert target.optimizer.state_dict()['state'][0]['step'] == 1


def test_a_state_of_other_groups_is_refused_by_pytorch():
    one, two = (
        OptimWrapper(torch.optim.Adam([dict(params=[torch.nn.Parameter(torch.ones(3))]) for _ in range(count)]))
        for count in (1, 2)
    )
    for source, target in ((one, two), (two, one)):
        with pytest.raises(ValueError, match='different number of parameter groups'):
            load_optimizer_state(target, source.state_dict())


def test_an_optimizer_that_is_built_already_is_watched_once():
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    for _ in range(2):  # A resumed phase builds it again.
        use_one_pass(optimizer)
    assert len(optimizer._optimizer_step_pre_hooks) == 1


def test_several_optimizers_are_left_as_they_are():
    several = OptimWrapperDict(one=OptimWrapper(torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])))
    assert PhaseRunner.__new__(PhaseRunner).build_optim_wrapper(several) is several
    assert several['one'].optimizer.param_groups[0]['fused'] is None


@pytest.mark.parametrize(('choice', 'fused'), [('auto', True), ('torch', None)])
def test_a_run_takes_one_pass_as_cpu_kernels_says(choice, fused, tiny_configs, tmp_path):
    quick = (
        'curriculum.base.max_epochs=1',
        'curriculum.full.max_epochs=1',
        'curriculum.keep_optimizer=True',
        'train_dataloader.batch_sampler.num_batches=1',
        'curriculum.references=[]',
        f'cpu_kernels={choice}',
    )
    cfg = copy.deepcopy(tiny_configs(AVDIFF, (*SMALL_AVDIFF, *quick)))
    cfg.work_dir = str(tmp_path)
    CurriculumRunner(cfg, stage=1).train()
    state = load_checkpoint(tmp_path / 'stage1_base/last.pth')['optimizer']
    assert state['param_groups'][0]['fused'] is fused
