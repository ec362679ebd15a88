"""What every part keeps to, asked of everything that is registered."""

import copy
import importlib
import inspect
import pkgutil

import pytest
import torch
from torch import Tensor, nn

import avzoo
from tests.models.part_cases import BATCH, CASES, CLASSES, WIDTH
from tests.models.part_runs import LABELS, LENGTHS, REGISTRIES, build, embed, features, run, sequences

PARTS = [(kind, name) for kind, names in CASES.items() for name in names]
ARGUMENTS = [(kind, name, argument) for kind, name in PARTS for argument in CASES[kind][name].others]
FUSIONS, EMBEDDINGS, ENCODERS, HEADS, PROJECTORS, CONDITIONERS, GENERATORS = (
    [name for kind, name in PARTS if kind == wanted]
    for wanted in ('fusion', 'embedding', 'encoder', 'head', 'projector', 'conditioner', 'generator')
)
# What is not a module of a model has tests of its own; docs/mutation_testing.md says how well they hold it.
NO_MODULES = {'dataset', 'sampler', 'metric', 'hook', 'loop', 'runner', 'optimizer wrapper', 'extractor'}
# Without weights, trained by itself, or fitted.
UNTRAINED = {
    ('encoder', 'Identity'),
    ('fusion', 'ConcatFusion'),
    ('fusion', 'SegmentConcat'),
    ('fusion', 'TimeConcatFusion'),
    ('projector', 'JointWhitening'),
    ('conditioner', 'ClassEmbedding'),
    ('conditioner', 'Prototype'),
    ('generator', 'FeatureDiffusion'),
    ('generator', 'TextGaussian'),
    ('generator', 'WGANGP'),
    ('noise schedule', 'CosineSchedule'),
    ('noise schedule', 'LinearSchedule'),
    ('noise schedule', 'StraightPath'),
    ('model', 'AVPreprocessor'),
}
# Their last layer is zero at first, so no gradient passes it; test_residual_mlp.py trains them.
BEGIN_AT_ZERO = {('encoder', 'ResidualMLP'), ('projector', 'ResidualMLP')}
every_part = pytest.mark.parametrize(('kind', 'name'), PARTS)


def arguments(kind: str, name: str) -> set[str]:
    return set(inspect.signature(REGISTRIES[kind].get(name)).parameters)


def trainable(part: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in part.named_parameters() if p.requires_grad}


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


def tensors(part: nn.Module) -> list[Tensor]:
    return [x.clone() for x in part.state_dict().values() if isinstance(x, Tensor)]


def start(part: nn.Module) -> list[Tensor]:
    """Return what a part is before it runs: its width, how much of it trains, its state."""
    size = sum(p.numel() for p in trainable(part).values())
    return [torch.tensor([getattr(part, 'out_dim', 0), size]), *tensors(part)]


def course(part: nn.Module, kind: str, name: str) -> list[Tensor]:
    """Return what two training runs give, the state after them, and what an evaluation gives."""
    return [*run(part.train(), kind, name), *run(part, kind, name), *tensors(part), *run(part.eval(), kind, name)]


@pytest.mark.parametrize('kind', sorted(set(REGISTRIES) - NO_MODULES))
def test_every_registered_part_has_a_case(kind):
    for module in pkgutil.walk_packages(avzoo.__path__, 'avzoo.'):  # Some are imported only where they are used.
        importlib.import_module(module.name)
    assert set(CASES.get(kind, {})) == set(REGISTRIES[kind].names())


@every_part
def test_every_argument_has_another_value(kind, name):
    case = CASES[kind][name]
    assert arguments(kind, name) == {*case.others, *case.idle}


@pytest.mark.parametrize(('kind', 'name', 'argument'), ARGUMENTS)
def test_every_argument_changes_something(kind, name, argument):
    case = CASES[kind][name]
    beside = case.beside.get(argument, {})
    one, other = build(kind, name, **beside), build(kind, name, **beside, **{argument: case.others[argument]})
    # Where sizes differ, the inputs need not fit.
    assert not same(start(one), start(other)) or not same(course(one, kind, name), course(other, kind, name))


def test_the_calibration_is_handed_on_with_the_scores():
    *_, gamma = run(build('model', 'AVClassifier', gamma=0.3).eval(), 'model', 'AVClassifier')
    assert gamma.item() == pytest.approx(0.3)


@every_part
def test_a_seed_decides_weights_and_results(kind, name):
    one, other = (run(build(kind, name).train(), kind, name) for _ in range(2))
    assert same(one, other)


@every_part
def test_a_state_dict_carries_everything(kind, name):
    part, other = build(kind, name), build(kind, name, seed=7)
    run(part.train(), kind, name)  # So that running statistics and optimizers have a state.
    other.load_state_dict(copy.deepcopy(part.state_dict()), strict=True)
    assert same(run(part.eval(), kind, name), run(other.eval(), kind, name))


@every_part
def test_a_part_has_something_to_train_or_is_known_to_have_nothing(kind, name):
    assert bool(trainable(build(kind, name))) == ((kind, name) not in UNTRAINED)


@pytest.mark.parametrize(('kind', 'name'), [part for part in PARTS if part not in UNTRAINED | BEGIN_AT_ZERO])
def test_gradients_reach_every_parameter(kind, name):
    part = build(kind, name).train()
    outputs = [x for x in run(part, kind, name) if x.requires_grad]
    sum((x * torch.randn(x.shape)).sum() for x in outputs).backward()
    for key, parameter in trainable(part).items():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        # A bias before BatchNorm has no effect, and so no gradient worth the name.
        assert parameter.dim() < 2 or parameter.grad.abs().max() > 0, key


@every_part
def test_half_precision_runs(kind, name):
    part = build(kind, name).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = run(part, kind, name)
    assert all(x.isfinite().all() for x in outputs)
    gradients = [x.float().sum() for x in outputs if x.requires_grad]
    if gradients:
        sum(gradients).backward()
        assert all(p.grad.isfinite().all() for p in part.parameters() if p.grad is not None)


@pytest.mark.parametrize('name', ENCODERS + EMBEDDINGS)
def test_encoders_and_embeddings_keep_the_sequence(name):
    kind = 'encoder' if name in ENCODERS else 'embedding'
    part = build(kind, name)
    for out in run(part, kind, name):
        assert out.shape[0] == BATCH and out.shape[2] == getattr(part, 'out_dim', WIDTH)


@pytest.mark.parametrize('name', FUSIONS)
def test_a_fusion_gives_readouts_of_its_width(name):
    part = build('fusion', name)
    fused, *mask = run(part, 'fusion', name)
    assert fused.shape[0] == BATCH and fused.dim() in (2, 3) and fused.shape[-1] == part.out_dim
    assert all(m.shape == fused.shape[:2] for m in mask)


@pytest.mark.parametrize('name', PROJECTORS)
def test_a_projector_changes_the_width_alone(name):
    part, x = build('projector', name), features(CASES['projector'][name].readouts)
    assert part(x).shape == (*x.shape[:-1], part.out_dim)


@pytest.mark.parametrize('name', HEADS)
def test_a_head_gives_losses_and_scores(name):
    part = build('head', name)
    *losses, scores = run(part, 'head', name)
    assert all(loss.dim() == 0 for loss in losses)
    assert scores.shape == (BATCH, CLASSES)


@pytest.mark.parametrize('name', HEADS)
def test_a_head_classifies_synthetic_features_without_context(name):
    losses = build('head', name).loss(features(False), LABELS)
    assert all(key.startswith('loss_') for key in losses)
    assert losses['loss_ce'].isfinite()


@pytest.mark.parametrize('name', CONDITIONERS)
def test_a_conditioner_gives_one_row_per_label(name):
    part = build('conditioner', name)
    condition = part(LABELS)
    assert condition.shape == (BATCH, part.out_dim)
    assert torch.equal(condition[1], condition[2]) and not torch.equal(condition[0], condition[1])


@pytest.mark.parametrize('name', GENERATORS)
def test_a_generator_samples_by_its_own_random_numbers(name):
    part, condition = build('generator', name), torch.ones(3, 7)
    one, again, other = (part.sample(condition, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert one.shape == (3, WIDTH)
    assert torch.equal(one, again) and not torch.equal(one, other)


def alone(tokens: dict[str, Tensor], masks: dict[str, Tensor], row: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return one video without its padding."""
    cut = {m: x[row : row + 1, : int(masks[m][row].sum())] for m, x in tokens.items()}
    return cut, {m: torch.ones(x.shape[:2], dtype=torch.bool) for m, x in cut.items()}


@pytest.mark.parametrize('name', FUSIONS)
def test_a_video_is_fused_alone_as_in_a_padded_batch(name):
    part = build('fusion', name).eval()
    tokens, masks = sequences(num_steps=CASES['fusion'][name].num_steps)
    fused = part(tokens, masks)
    for row in range(BATCH):
        one = part(*alone(tokens, masks, row))
        if isinstance(fused, tuple):
            torch.testing.assert_close(fused[0][row][fused[1][row]], one[0][0][one[1][0]])
        else:
            torch.testing.assert_close(fused[row], one[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', ENCODERS)
def test_an_encoder_reads_steps_one_by_one(name):
    part = build('encoder', name).eval()
    tokens, masks = sequences(('visual',))
    out = part(tokens['visual'], masks['visual'])
    for row in range(BATCH):
        x, mask = (part_of['visual'] for part_of in alone(tokens, masks, row))
        torch.testing.assert_close(out[row, : LENGTHS['visual'][row]], part(x, mask)[0])


@pytest.mark.parametrize('name', ENCODERS + EMBEDDINGS)
def test_encoders_and_embeddings_do_not_change_their_input(name):
    part = build('encoder' if name in ENCODERS else 'embedding', name)
    tokens, masks = sequences(('visual',) if name in ENCODERS else ('audio', 'visual'))
    before = copy.deepcopy(tokens)
    if name in ENCODERS:
        part(tokens['visual'], masks['visual'])
    else:
        embed(part, tokens, masks)
    assert all(torch.equal(tokens[m], before[m]) for m in tokens)


@pytest.mark.parametrize('name', EMBEDDINGS)
def test_an_embedding_does_not_see_the_padding(name):
    part = build('embedding', name).eval()
    tokens, masks = sequences()
    out = embed(part, tokens, masks)
    for row in range(BATCH):
        for m, one in embed(part, *alone(tokens, masks, row)).items():
            torch.testing.assert_close(out[m][row, : LENGTHS[m][row]], one[0])


@pytest.mark.parametrize('name', [name for name in HEADS if name != 'TripletAuxHead'])  # It always reads both.
def test_scores_do_not_see_padded_readouts(name):
    part, c_o = build('head', name).eval(), features(True)
    mask = torch.tensor([True, False]).expand(BATCH, 2)
    scores = part.scores(c_o, dict(readout_mask=mask))
    torch.testing.assert_close(scores, part.scores(c_o[:, 0]))


@pytest.mark.parametrize('modality', ['audio', 'visual'])
@pytest.mark.parametrize(('kind', 'name'), [(k, n) for k, n in PARTS if k in ('embedding', 'fusion')])
def test_one_modality_is_enough(kind, name, modality):
    part = build(kind, name, modalities=(modality,), dims={modality: WIDTH})
    tokens, masks = sequences((modality,), CASES[kind][name].num_steps)
    out = embed(part, tokens, masks)[modality] if kind == 'embedding' else part(tokens, masks)
    out = out[0] if isinstance(out, tuple) else out
    assert len(out) == BATCH and out.isfinite().all()
