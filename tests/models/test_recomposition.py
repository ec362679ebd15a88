"""Any fusion with any projector, head, generator and conditioner: it trains, or it is refused when it is built."""

import itertools

import pytest
import torch

from avzoo.registry import MODELS
from avzoo.utils.errors import ConfigError
from tests.models.part_cases import BATCH, CASES, CLASSES, MODALITIES, SECONDS, WIDTH, WORDS
from tests.models.part_runs import LABELS, dataset, sequences

DATA = dict(
    feature_dims=dict.fromkeys(MODALITIES, WIDTH), seconds_per_step=SECONDS, num_classes=CLASSES, embedding_dim=WORDS
)
# How many readouts a fusion of two modalities gives; None: it varies. All others give one.
READOUTS = {'BottleneckFusion': 2, 'PairAttention': 2, 'SegmentConcat': None}
SMALL = dict(hidden_dim=8, out_dim=10)
HEADS = {
    **{name: dict(type=name, **CASES['head'][name].args) for name in CASES['head']},
    'ProjectedHead of TripletAuxHead': dict(
        type='ProjectedHead', projector=dict(type='MLP', **SMALL), head=dict(type='TripletAuxHead')
    ),
}
PROJECTORS = {
    'MLP': dict(type='MLP', **SMALL),
    'ReadoutMLPs': dict(type='ReadoutMLPs', **SMALL),
    'JointWhitening': dict(type='JointWhitening'),
    'none': None,
}
GENERATORS = {name: dict(type=name, **CASES['generator'][name].args) for name in CASES['generator']} | {'none': None}
FITTED = {'JointWhitening', 'TextGaussian', 'LogisticHead', 'GaussianHead', 'EnsembleHead', 'TimeConcatFusion'}
FEW = {*FITTED, 'none', 'ConcatFusion', 'PairAttention', 'SegmentConcat', 'LinearHead', 'ClassEmbedding', 'Prototype'}
ALL = [
    (fusion, projector, head, generator, conditioner)
    for fusion, projector, head, generator in itertools.product(CASES['fusion'], PROJECTORS, HEADS, GENERATORS)
    for conditioner in (['none'] if generator == 'none' else CASES['conditioner'])
]


def build(fusion, projector='MLP', head='LinearHead', generator='none', conditioner='none', changes=None):
    torch.manual_seed(0)
    cfg = dict(
        type='AVClassifier',
        data_info=DATA,
        data_preprocessor=dict(type='AVPreprocessor', time_bins=CASES['fusion'][fusion].num_steps),
        encoders={m: dict(type='MLP', hidden_dim=8, out_dim=WIDTH) for m in MODALITIES},
        fusion=dict(type=fusion, **CASES['fusion'][fusion].args),
        projector=PROJECTORS[projector],
        head=HEADS[head],
        generator=GENERATORS[generator],
        conditioner=None if conditioner == 'none' else dict(type=conditioner),
    )
    model = MODELS.build(cfg | (changes or {}))
    model.read_constants(dataset())
    return model


def batch(fusion='ConcatFusion'):
    tokens, masks = sequences(num_steps=CASES['fusion'][fusion].num_steps)
    return {m: (x, masks[m], torch.arange(x.shape[1]).expand(masks[m].shape) * SECONDS[m]) for m, x in tokens.items()}


def refused(fusion: str, projector: str, head: str) -> bool:
    """One network for each readout needs two or more, and AVCA's losses one for each modality."""
    return READOUTS.get(fusion, 1) != 2 and (projector == 'ReadoutMLPs' or 'TripletAuxHead' in head)


def chosen(refused_ones: bool) -> list[tuple[str, ...]]:
    """Return which combinations are tried.

    Of the parts that train by gradients, each fusion with each head, and these with each projector, and with each
    generator and conditioner, but of the last three not all together: projectors take turns. Parts that are fitted, and
    what they are fitted to, with a few others.
    """
    those = [parts for parts in ALL if refused(*parts[:3]) == refused_ones]
    turns: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for fusion, projector, *others in those:
        if not FITTED & {fusion, projector, *others}:
            turns.setdefault((fusion, *others), []).append((fusion, projector, *others))
    in_turn = [options[i % len(options)] for i, options in enumerate(turns.values())]
    return in_turn + [parts for parts in those if FITTED & set(parts) and set(parts) <= FEW]


def grouped(combinations) -> pytest.MarkDecorator:
    """One test for each fusion and head: a thousand tests of some milliseconds would cost as much again."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for parts in combinations:
        groups.setdefault(f'{parts[0]}-{parts[2]}', []).append(parts)
    return pytest.mark.parametrize('combinations', groups.values(), ids=groups.keys())


@grouped(chosen(refused_ones=True))
def test_parts_that_do_not_fit_are_refused_when_built(combinations):
    for parts in combinations:
        with pytest.raises(ConfigError, match='it needs'):
            build(*parts)
            raise AssertionError(f'{parts} were accepted')


@grouped(chosen(refused_ones=False))
def test_all_other_parts_work_together(combinations):
    for parts in combinations:
        try:
            check_that_they_work_together(*parts)
        except Exception as error:
            raise AssertionError(f'{parts}: {error}') from error


def check_that_they_work_together(fusion, projector, head, generator, conditioner):
    model = build(fusion, projector, head, generator, conditioner).train()
    losses = {
        f'{name} {novel}': value
        for novel in (False, True)
        for name, value in model.loss(batch(fusion), LABELS, novel=novel).items()
    }
    assert ('loss_synthetic True' in losses) == (generator != 'none')
    assert all(value.isfinite() for value in losses.values())
    sum(value for name, value in losses.items() if name.startswith('loss')).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)
    scores = model.eval().predict(batch(fusion), LABELS, None)[0]['scores']
    assert scores.shape == (BATCH, CLASSES) and scores.isfinite().all()


def test_each_fusion_meets_each_head_and_both_meet_each_projector_and_each_generator():
    tried = [*chosen(refused_ones=True), *chosen(refused_ones=False)]
    of_gradients = [parts for parts in ALL if not FITTED & set(parts)]
    for some in ((0, 1, 2), (0, 2, 3, 4)):
        assert {tuple(parts[i] for i in some) for parts in of_gradients} == {
            tuple(parts[i] for i in some) for parts in tried if not FITTED & set(parts)
        }


@pytest.mark.parametrize('fusion', CASES['fusion'])
def test_a_fusion_says_how_many_readouts_it_gives(fusion):
    model = build(fusion)
    c_o = model.extract_feat(batch(fusion))
    assert model.fusion.num_readouts == READOUTS.get(fusion, 1)
    assert model.fusion.num_readouts in (None, 1 if c_o.dim() == 2 else c_o.shape[1])


def test_two_segments_do_not_pass_for_two_modalities():
    with pytest.raises(ConfigError, match=r'model\.head: .*one readout for each modality, .* a varying number'):
        build('SegmentConcat', head='TripletAuxHead', changes=dict(fusion=dict(type='SegmentConcat', num_segments=2)))


def test_a_generator_learns_the_readout_that_is_classified():
    c_o = torch.randn(BATCH, 2, WIDTH)
    for head in ('TripletAuxHead', 'ProjectedHead of TripletAuxHead'):
        rows, labels = build('PairAttention', 'none', head).head.generator_targets(c_o, LABELS)
        assert torch.equal(rows, c_o[:, 1]) and torch.equal(labels, LABELS)


@pytest.mark.parametrize('head', ['LinearHead', 'EmbeddingDistanceHead', 'ProjectedHead'])
def test_a_generator_learns_every_readout_that_counts(head):
    c_o, mask = torch.randn(BATCH, 2, WIDTH), torch.ones(BATCH, 2, dtype=torch.bool)
    mask[1, 1] = False
    rows, labels = build('SegmentConcat', 'none', head).head.generator_targets(c_o, LABELS, dict(readout_mask=mask))
    assert torch.equal(rows, torch.cat([c_o[0], c_o[1, :1], *c_o[2:]]))
    assert torch.equal(labels, torch.cat([LABELS[:1].repeat(2), LABELS[1:2], LABELS[2:].repeat_interleave(2)]))


def test_a_padded_readout_trains_no_generator(monkeypatch):
    model = build('SegmentConcat', generator='DDPM', conditioner='ClassEmbedding').eval()  # Takes all, padded too.
    seen = []
    monkeypatch.setattr(model.generator, 'loss', lambda x_0, condition: seen.append(x_0) or {})
    model.loss(batch(), LABELS)
    assert len(seen[0]) == batch()['visual'][1].sum() < batch()['visual'][1].numel()


def test_distances_are_those_of_the_mean_readout():
    head = build('PairAttention', 'none', 'EmbeddingDistanceHead').head.eval()
    c_o = torch.randn(BATCH, 2, WIDTH)
    torch.testing.assert_close(head.scores(c_o), head.scores(c_o.mean(1)))
    assert head.loss(c_o, LABELS) == head.loss(c_o.mean(1), LABELS)
    only_first = dict(readout_mask=torch.tensor([True, False]).expand(BATCH, 2))
    torch.testing.assert_close(head.scores(c_o, only_first), head.scores(c_o[:, 0]))


def test_a_projected_head_takes_one_feature_at_a_time():
    projected = dict(type='ProjectedHead', projector=dict(type='ReadoutMLPs', **SMALL), head=dict(type='LinearHead'))
    with pytest.raises(ConfigError, match=r'model\.head\.projector: '):
        build('PairAttention', 'none', changes=dict(head=projected))


def test_late_streams_get_a_projector_each_and_average_their_logits():
    model = build(
        'GaussianTemporalPool', 'ReadoutMLPs', changes=dict(fusion=dict(type='GaussianTemporalPool', late=True))
    ).eval()
    c_o = model.extract_feat(batch())
    assert len(model.projector.mlps) == c_o.shape[1] == 2
    torch.testing.assert_close(model.head.scores(c_o), model.head.fc(c_o).mean(1).softmax(-1))
