"""What a new part gets wrong is said in one line that names it, in place of an error deep in the model."""

import pytest
import torch
from torch import nn

from avzoo.engine import CurriculumRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.classifiers.part_checks import check_targets, try_sample
from avzoo.models.heads.linear_head import LinearHead
from avzoo.models.layers.masking import masked_mean
from avzoo.registry import HEADS, MODELS
from avzoo.utils.errors import ConfigError
from tests.models.test_build_errors import MLP, build


class MeanFusion(nn.Module):
    """Gives the mean of the audio tokens, in the way that a test wants."""

    def __init__(self, dim, *, claims=8, gives=lambda x: x):
        super().__init__()
        self.out_dim, self.num_readouts, self.gives = claims, 1, gives

    def forward(self, tokens, masks):
        return self.gives(masked_mean(tokens['audio'], masks['audio']))


class Nameless(nn.Module):
    """Has no out_dim and no num_readouts."""

    def forward(self, tokens, masks):
        return masked_mean(tokens['audio'], masks['audio'])


class NotAModule:
    """Would not train."""

    out_dim, num_readouts = 8, 1


class OneArgument(nn.Module):
    """Takes no mask; an encoder or a fusion has to."""

    out_dim, num_readouts = 8, 1

    def forward(self, x):
        return x


class Bare(nn.Module):
    """Has nothing."""


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(fusion=dict(type=Nameless)), r'model\.fusion: Nameless has no out_dim, num_readouts'),
        (dict(fusion=dict(type=NotAModule)), r'model\.fusion: NotAModule is not an nn\.Module'),
        (dict(fusion=dict(type=OneArgument)), r'model\.fusion: OneArgument\.forward must accept \(tokens, masks\)'),
        (dict(encoders=dict(audio=dict(type=OneArgument))), r'model\.encoders\.audio: .*accept \(x, mask\)'),
        (dict(projector=dict(type=Bare)), r'model\.projector: Bare has no out_dim, forward'),
        (dict(embedding=dict(type=Bare)), r'model\.embedding: Bare has no forward'),
        (dict(head=dict(type=Bare)), r'model\.head: Bare has no loss, generator_targets, scores, probabilities'),
        (
            dict(conditioner=dict(type='ClassEmbedding'), generator=dict(type=Bare)),
            r'model\.generator: Bare has no loss, sample',
        ),
        (
            dict(conditioner=dict(type=Bare), generator=dict(type='TextGaussian')),
            r'model\.conditioner: Bare has no out_dim, forward',
        ),
    ],
)
def test_a_part_without_what_its_contract_names_is_refused_when_the_model_is_built(changes, words):
    with pytest.raises(ConfigError, match=words):
        build(**changes)


def clips():
    """Four clips of three steps of both modalities, as the preprocessor gives them."""
    mask, seconds = torch.ones(4, 3, dtype=torch.bool), torch.zeros(4, 3)
    return {m: (torch.randn(4, 3, width), mask, seconds) for m, width in dict(audio=4, visual=6).items()}


@pytest.mark.parametrize(
    ('fusion', 'words'),
    [
        (dict(claims=9), r'float32 of shape \(4, 8\), but with out_dim=9 .* \(4, 9\) or \(4, R, 9\)'),
        (dict(gives=lambda x: x[:2]), r'float32 of shape \(2, 8\)'),
        (dict(gives=lambda x: x[:, None, None]), r'float32 of shape \(4, 1, 1, 8\)'),
        (dict(gives=lambda x: x[0]), r'float32 of shape \(8,\)'),
        (dict(claims=4, gives=lambda x: x[:, 0]), r'float32 of shape \(4,\)'),
        (dict(gives=lambda x: x.long()), r'int64 of shape \(4, 8\)'),
        (dict(gives=lambda x: None), r'a NoneType'),
    ],
)
def test_a_fusion_that_gives_something_else_than_it_says_is_named(fusion, words):
    model = build(fusion=dict(type=MeanFusion, **fusion), projector=MLP).eval()
    with pytest.raises(ConfigError, match=rf'model\.fusion: MeanFusion returns .*{words}'):
        model(clips())
    several = build(fusion=dict(type=MeanFusion, gives=lambda x: (x[:, None], None)), projector=MLP).eval()
    assert several(clips()).shape == (4, 1, 8)


@pytest.mark.parametrize('part', ['encoders', 'projector'])
def test_encoders_and_projectors_are_held_to_their_width(part):
    model = build(fusion=dict(type=MeanFusion), projector=MLP).eval()
    (model.projector if part == 'projector' else model.encoders['audio']).out_dim = 7
    with pytest.raises(ConfigError, match=rf'model\.{part}.*: MLP returns .*out_dim=7'):
        model(clips())


class OddHead(nn.Module):
    """A linear head whose losses or targets are what a test wants."""

    def __init__(self, in_dim, num_classes, *, gives=lambda loss: dict(loss_ce=loss), targets=None):
        super().__init__()
        self.layer, self.gives = nn.Linear(in_dim, num_classes), gives
        self.wanted = targets or (lambda *given: given)

    def loss(self, c_o, labels, context=None):
        return self.gives(nn.functional.cross_entropy(self.layer(c_o), labels))

    def generator_targets(self, c_o, labels, context=None):
        return self.wanted(c_o, labels)

    def scores(self, c_o, context=None):
        return self.layer(c_o)

    def probabilities(self, scores):
        return scores.softmax(dim=1)


@pytest.mark.parametrize(
    ('gives', 'words'),
    [
        (lambda loss: loss, 'returns Tensor'),
        (lambda loss: dict(loss=loss), r"returns \{'loss': 'Tensor'\}"),
        (lambda loss: dict(loss_ce=loss.item()), r"returns \{'loss_ce': 'float'\}"),
    ],
)
def test_losses_of_a_head_are_tensors_by_name(gives, words):
    model = build(fusion=dict(type=MeanFusion), head=dict(type=OddHead, gives=gives))
    with pytest.raises(ConfigError, match=rf'model\.head: the loss of OddHead {words}; .*loss_ce'):
        model(clips(), label=torch.zeros(4, dtype=torch.long), mode='loss')


GENERATOR = dict(
    type='DDPM',
    noise_predictor=dict(type='MLPNoisePredictor', hidden_dim=5),
    schedule=dict(type='LinearSchedule', num_steps=3, beta_start=0.1, beta_end=0.3),
)


class OddConditioner(nn.Module):
    """Gives another width than it says."""

    out_dim = 5

    def forward(self, labels):
        return torch.ones(len(labels), 4)


def test_a_conditioner_is_held_to_its_width():
    model = build(fusion=dict(type=MeanFusion), conditioner=dict(type=OddConditioner), generator=GENERATOR)
    with pytest.raises(ConfigError, match=r'model\.conditioner: OddConditioner returns .*\(4, 4\).*out_dim=5'):
        model(clips(), label=torch.zeros(4, dtype=torch.long), mode='loss')


class OddGenerator(nn.Module):
    """A generator whose samples are what a test wants."""

    def __init__(self, *, gives):
        super().__init__()
        self.scale, self.gives = nn.Parameter(torch.ones(())), gives

    def loss(self, x_0, condition):
        return dict(loss_odd=self.scale.square())

    def sample(self, condition, *, generator=None):
        return self.gives(condition)


class LaterGenerator(OddGenerator):
    """Knows its width after it was fitted."""

    def fit(self, training):
        return {}


@pytest.mark.parametrize(
    ('gives', 'words'),
    [
        (lambda condition: torch.zeros(4, 7), r'has shape \(4, 7\); features of shape \(4, 8\)'),
        (lambda condition: torch.zeros(3, 8), r'has shape \(3, 8\)'),
        (lambda condition: None, r'has a NoneType'),
    ],
)
def test_a_generator_gives_a_feature_for_each_condition(gives, words):
    parts = dict(conditioner=dict(type='ClassEmbedding'), generator=dict(type=OddGenerator, gives=gives))
    model = build(fusion=dict(type=MeanFusion), **parts)
    label = torch.zeros(4, dtype=torch.long)
    assert 'loss_synthetic' not in model(clips(), label=label, mode='loss')
    with pytest.raises(ConfigError, match=rf'model\.generator: the sample of OddGenerator {words}'):
        model(clips(), label=label, novel=torch.tensor(True), mode='loss')


def test_a_generator_is_tried_before_anything_is_trained():
    parts = dict(fusion=dict(type=MeanFusion), conditioner=dict(type='ClassEmbedding'))
    wide, right = (
        build(**parts, generator=dict(type=OddGenerator, gives=lambda c, width=width: torch.randn(len(c), width)))
        for width in (9, 8)
    )
    fitted_first = build(**parts, generator=dict(type=LaterGenerator, gives=lambda c: torch.zeros(len(c), 0)))
    with pytest.raises(ConfigError, match=r'sample of OddGenerator has shape \(2, 9\); .*\(2, 8\) are needed'):
        try_sample(wide)
    not_ready = build(**parts, generator=dict(type=OddGenerator, gives=lambda c: torch.randint(0, 0, (2, 8))))
    for model in (right, fitted_first, not_ready, build(fusion=dict(type=MeanFusion))):
        rng = torch.get_rng_state()
        try_sample(model)
        assert torch.equal(torch.get_rng_state(), rng)


@pytest.mark.parametrize(
    ('targets', 'words'),
    [
        (lambda c_o, labels: c_o, r'returns shape \(4, 8\); '),
        (lambda c_o, labels: (c_o, labels[:3]), r'returns \(shape \(4, 8\), shape \(3,\)\); '),
        (lambda c_o, labels: (c_o[:, :7], labels), r'returns \(shape \(4, 7\), '),
        (lambda c_o, labels: (c_o, labels, labels), r'returns \(shape \(4, 8\), shape \(4,\), shape \(4,\)\)'),
        (lambda c_o, labels: (c_o, labels.tolist()), r'returns \(shape \(4, 8\), a list\)'),
        (lambda c_o, labels: (c_o, labels[:, None]), r'.*shape \(4, 1\)'),
        (lambda c_o, labels: None, 'returns a NoneType'),
    ],
)
def test_a_generator_learns_features_with_a_label_each(targets, words):
    parts = dict(conditioner=dict(type='ClassEmbedding'), generator=GENERATOR)
    model = build(fusion=dict(type=MeanFusion), head=dict(type=OddHead, targets=targets), **parts)
    needed = r'.*features of shape \(N, 8\) and their labels of shape \(N,\) are needed'
    with pytest.raises(ConfigError, match=rf'model\.head: generator_targets of OddHead {words}{needed}'):
        model(clips(), label=torch.zeros(4, dtype=torch.long), mode='loss')


def test_a_pair_may_be_a_list():
    targets = [torch.zeros(4, 8), torch.zeros(4, dtype=torch.long)]
    assert all(map(torch.equal, check_targets(targets, None, 8), targets))


class OwnReading(AVClassifier):
    """Gives the head another width than its parts do."""

    def _features(self, inputs):
        c_o, context = super()._features(inputs)
        return c_o[:, :3], context


def test_scores_are_tried_as_a_model_predicts(small_avdiff, tmp_path, monkeypatch):
    cfg = small_avdiff(tmp_path, 'curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1')
    cfg.model.generator = cfg.model.conditioner = None
    monkeypatch.setitem(MODELS._module_dict, 'OwnReading', OwnReading)
    monkeypatch.setitem(HEADS._module_dict, 'OfThree', lambda in_dim, num_classes: LinearHead(3, num_classes))
    cfg.model.type, cfg.model.head = 'OwnReading', dict(type='OfThree')
    CurriculumRunner(cfg, stage=1).train()
    assert (tmp_path / 'stage1_full/last.pth').is_file()


@pytest.mark.parametrize(
    ('scores', 'words'),
    [
        (lambda scores: scores[:, 1:], r'shape \(2, 8\)'),
        (lambda scores: scores[0], r'shape \(9,\)'),
        (lambda scores: [scores], 'a list'),
    ],
)
def test_scores_of_a_head_are_one_for_each_class_before_anything_is_trained(
    small_avdiff, tmp_path, monkeypatch, scores, words
):
    real = LinearHead.scores
    monkeypatch.setattr(LinearHead, 'scores', lambda *given: scores(real(*given)))
    with pytest.raises(
        ConfigError, match=rf'model\.head: scores of LinearHead returns {words} for 2 videos and 9 classes'
    ):
        CurriculumRunner(small_avdiff(tmp_path)).train()
    assert not list(tmp_path.glob('*/*.pth'))
