"""What a config gets wrong about a part is said when the model is built, in one line that names the cure."""

import pytest

from avzoo.registry import MODELS
from avzoo.utils.errors import ConfigError

DATA = dict(
    feature_dims=dict(audio=4, visual=6), seconds_per_step=dict(audio=0.96, visual=0.64), num_classes=3, embedding_dim=5
)
MLP = dict(type='MLP', hidden_dim=8, out_dim=8)


def build(**changes):
    parts = dict(
        data_preprocessor=dict(type='AVPreprocessor'),
        encoders=dict(audio=MLP, visual=MLP),
        fusion=dict(type='MaskedTransformer', depth=1),
        head=dict(type='LinearHead'),
    )
    return MODELS.build(dict(parts | changes, type='AVClassifier', data_info=DATA))


@pytest.mark.parametrize('fusion', ['MaskedTransformer', 'PairAttention', 'GaussianTemporalPool'])
def test_encoders_of_several_widths_are_refused_by_a_fusion_that_needs_one(fusion):
    with pytest.raises(
        ConfigError,
        match=r'model\.fusion: the encoders have the widths audio 4, visual 8, but '
        rf'{fusion} needs one dim for all; set model\.encoders\.\*\.out_dim alike',
    ):
        build(encoders=dict(audio=dict(type='Identity'), visual=MLP), fusion=dict(type=fusion))


def test_encoders_of_several_widths_suit_a_fusion_that_takes_each():
    assert (
        build(encoders=dict(audio=dict(type='Identity'), visual=MLP), fusion=dict(type='ConcatFusion')).fusion.out_dim
        == 12
    )


@pytest.mark.parametrize('part', ['data_preprocessor', 'fusion', 'head'])
@pytest.mark.parametrize('cfg', [None, {}, 'none'])
def test_a_part_that_cannot_be_left_out_is_asked_for(part, cfg):
    with pytest.raises(ConfigError, match=f"model.{part}={cfg!r} has no 'type'; name one of: "):
        build(**{part: cfg})


@pytest.mark.parametrize('part', ['embedding', 'projector', 'generator'])
def test_an_empty_optional_part_is_refused(part):
    with pytest.raises(ConfigError, match=f"model.{part}={{}} has no 'type'"):
        build(**{part: {}}, conditioner=dict(type='ClassEmbedding') if part == 'generator' else None)


def test_an_encoder_of_none_tells_how_to_leave_a_modality_out():
    with pytest.raises(ConfigError, match=r"model\.encoders\.visual=None, .*'_delete_': True, 'audio'"):
        build(encoders=dict(audio=MLP, visual=None))


@pytest.mark.parametrize('encoders', [None, {}])
def test_a_model_without_encoders_is_refused(encoders):
    with pytest.raises(ConfigError, match=r'model\.encoders is empty; .* audio, visual'):
        build(encoders=encoders)


@pytest.mark.parametrize(
    'fusion',
    [
        dict(type='MaskedTransformer', num_summary_tokens=-1),  # RuntimeError of torch
        dict(type='GaussianTemporalPool', num_gaussians=0),  # ZeroDivisionError
        dict(type='MaskedTransformer', depth='two'),  # TypeError
    ],
)
def test_whatever_a_constructor_fails_at_names_the_part(fusion):
    with pytest.raises(ConfigError, match=r'model\.fusion: '):
        build(fusion=fusion)


def test_a_value_that_contradicts_the_data_is_refused():
    with pytest.raises(ConfigError, match=r'model\.fusion\.dim=9, .* say 8; remove model\.fusion\.dim'):
        build(fusion=dict(type='MaskedTransformer', depth=1, dim=9))


def test_a_head_behind_a_projector_gets_every_fact():
    head = dict(type='ProjectedHead', projector=MLP, head=dict(type='TripletAuxHead'))
    model = build(fusion=dict(type='PairAttention', num_heads=2, head_dim=4), head=head)
    assert {m: layers[0].out_features for m, layers in model.head.head.rec.items()} == dict(audio=8, visual=8)
    assert model.head.head.classes.out_dim == 5
