"""How every registered part is tested: small arguments, and for each argument another value that must change something.

`test_part_contracts.py` fails for a registered part, or an argument of one, that is missing here. What is registered
without being a module of a model (data sets, samplers, hooks, runners) has tests of its own.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avzoo.models.data_preprocessors import AVPreprocessor

BATCH, CLASSES, WIDTH, WORDS = 6, 5, 12, 7
MODALITIES = ('audio', 'visual')
SECONDS = {'audio': 0.96, 'visual': 0.64}
# What the data or the neighbouring parts decide; handed to each part that takes an argument of the name.
FACTS = dict(
    feature_dims=dict(audio=WIDTH, visual=WIDTH),
    seconds_per_step=SECONDS,
    num_classes=CLASSES,
    embedding_dim=WORDS,
    modalities=MODALITIES,
    dims=dict(audio=WIDTH, visual=WIDTH),
    dim=WIDTH,
    in_dim=WIDTH,
    num_readouts=2,
    cond_dim=WORDS,
    num_bins=4,
    preprocessor=AVPreprocessor(SECONDS),
)


@dataclass(frozen=True)
class Case:
    """How one part is tested.

    Attributes:
        args: Arguments beside the facts.
        others: For each argument of the constructor another value than that of ``args``, the facts or the default.
        readouts: Whether it takes several readouts (B, R, D) rather than one (B, D); heads and projectors only.
        beside: For an argument that needs company to matter: arguments that stand beside it, in both runs.
        idle: Arguments without effect in this role, and why.
        num_steps: Steps of every sequence, for a fusion that takes no others.
    """

    args: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    readouts: bool = False
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    idle: dict[str, str] = field(default_factory=dict)
    num_steps: int | None = None


_ATTENTION = dict(num_heads=2, head_dim=4, mlp_dim=8)
_OTHER_ATTENTION = dict(num_heads=3, head_dim=5, mlp_dim=9, dropout=0.4)
_OTHER_DIM = dict(dim=WIDTH + 1)
_OTHER_MODALITIES = dict(modalities=('audio',))
_OTHER_CLASSES = dict(in_dim=WIDTH + 1, num_classes=CLASSES + 1)
_MLP = dict(in_dim=WIDTH + 1, hidden_dim=9, out_dim=11, dropout=0.4, last_bn_momentum=0.9)
_RESIDUAL = dict(in_dim=WIDTH + 1, hidden_dim=9)
_RESIDUAL_IDLE = dict(dropout='at first the last layer is zero; test_residual_mlp.py')
_SMALL_MLP = dict(hidden_dim=8, out_dim=10)
_DISTANCE = dict(type='EmbeddingDistanceHead', hidden_dim=8)
_LOGITS = dict(type='LinearHead', rank_by='logits')
_SCHEDULE = dict(type='LinearSchedule', num_steps=4)
_PREDICTOR = dict(type='MLPNoisePredictor', hidden_dim=8)
_ENCODER = dict(type='MLP', hidden_dim=8, out_dim=WIDTH)
_DDPM = dict(type='DDPM', schedule=_SCHEDULE, noise_predictor=_PREDICTOR)
_DATA = dict(feature_dims=FACTS['feature_dims'], seconds_per_step=SECONDS, num_classes=CLASSES, embedding_dim=WORDS)

CASES: dict[str, dict[str, Case]] = {
    'encoder': {
        'MLP': Case(_SMALL_MLP, dict(**_MLP, padding_in_stats=False)),
        'Identity': Case(others=dict(in_dim=WIDTH + 1)),
        'ResidualMLP': Case(dict(hidden_dim=8), _RESIDUAL, idle=_RESIDUAL_IDLE),
    },
    'embedding': {
        'TimeModalityEmbedding': Case(
            dict(embed_dim=8),
            dict(
                **_OTHER_DIM,
                **_OTHER_MODALITIES,
                embed_dim=6,
                fourier_scale=3.0,
                use_time=False,
                use_modality=False,
                dropout=0.4,
            ),
        ),
    },
    'fusion': {
        'MaskedTransformer': Case(
            dict(depth=3, switch_after=1, **_ATTENTION),
            dict(
                **_OTHER_DIM,
                depth=4,
                pattern='cross',
                switch_after=2,
                **_OTHER_ATTENTION,
                shared_norm=False,
                num_summary_tokens=2,
                summary_std=0.3,
            ),
            beside=dict(pattern=dict(switch_after=0)),
        ),
        'GatedModalityFusion': Case(others=dict(**_OTHER_DIM, **_OTHER_MODALITIES, hidden_dim=5, dropout=0.4)),
        'LatentCrossAttention': Case(
            dict(depth=3, num_latents=3, **_ATTENTION),
            dict(**_OTHER_DIM, depth=4, num_latents=4, tie=False, **_OTHER_ATTENTION, latent_std=0.3),
        ),
        'HierarchicalLatents': Case(
            dict(num_latents=(2, 2, 3), **_ATTENTION),
            dict(
                **_OTHER_DIM,
                **_OTHER_MODALITIES,
                groups=(4, 4, 1),
                num_latents=(2, 3, 3),
                num_layers=(1, 2, 2),
                **_OTHER_ATTENTION,
                activation='squared_relu',
                latent_std=0.3,
            ),
        ),
        'BottleneckFusion': Case(
            dict(depth=3, fusion_layer=1, num_bottlenecks=2, **_ATTENTION),
            dict(
                **_OTHER_DIM,
                **_OTHER_MODALITIES,
                depth=4,
                fusion_layer=2,
                num_bottlenecks=3,
                readout='gap',
                **_OTHER_ATTENTION,
                shared_norm=False,
                token_std=0.3,
            ),
        ),
        'GaussianTemporalPool': Case(
            others=dict(**_OTHER_DIM, **_OTHER_MODALITIES, num_gaussians=3, fixed=True, late=True)
        ),
        'PairAttention': Case(_ATTENTION, dict(**_OTHER_DIM, **_OTHER_MODALITIES, **_OTHER_ATTENTION)),
        'TimeConcatFusion': Case(
            others=dict(dims=dict(audio=WIDTH, visual=WIDTH + 1), num_bins=5), num_steps=FACTS['num_bins']
        ),
        'ConcatFusion': Case(others=dict(dims=dict(audio=WIDTH, visual=WIDTH + 1))),
        'SegmentConcat': Case(
            dict(num_segments=4),
            dict(
                dims=dict(audio=WIDTH, visual=WIDTH + 1),
                num_segments=5,
                leading='audio',
                seconds_per_step=dict(audio=0.3, visual=0.64),
            ),
        ),
    },
    'projector': {
        'MLP': Case(_SMALL_MLP, _MLP, idle=dict(padding_in_stats='a projector sees no padded steps')),
        'ResidualMLP': Case(dict(hidden_dim=8), _RESIDUAL, idle=_RESIDUAL_IDLE),
        'JointWhitening': Case(
            others=dict(in_dim=WIDTH + 1, within_shrinkage=0.2, between_shape=(0.8, 0.1, 0.1), max_dim=WIDTH - 4)
        ),
        'ReadoutMLPs': Case(_SMALL_MLP, dict(**_MLP, num_readouts=3), readouts=True),
    },
    'head': {
        'LinearHead': Case(
            others=dict(**_OTHER_CLASSES, readout='mean_probability', rank_by='logits', loss_weight=2.0),
            readouts=True,
        ),
        'LogisticHead': Case(
            others=dict(
                **_OTHER_CLASSES,
                inverse_penalty=1.0,
                power=0.5,
                num_dims=5,
                max_steps=2,
                max_videos=20,
                synthetic_per_class=4,
                synthetic_share=0.9,
            ),
            beside=dict(synthetic_share=dict(synthetic_per_class=4)),
        ),
        'GaussianHead': Case(others=_OTHER_CLASSES),
        'EnsembleHead': Case(
            dict(heads=[_LOGITS, dict(type='LogisticHead')]),
            dict(heads=[_LOGITS, dict(type='LogisticHead', power=0.5)], sharpness=1.0, balance_groups=False),
            idle=dict(facts='those of the heads within, which are tested by themselves'),
        ),
        'EmbeddingDistanceHead': Case(
            dict(hidden_dim=8),
            dict(
                **_OTHER_CLASSES,
                embedding_dim=WORDS + 1,
                hidden_dim=9,
                dropout=0.4,
                loss_weight=2.0,
                reg_weight=2.0,
                rec_weight=2.0,
            ),
        ),
        'TripletAuxHead': Case(
            others=dict(
                **_OTHER_CLASSES,
                dims=dict(audio=WIDTH, visual=WIDTH + 1),
                embedding_dim=WORDS + 1,
                dropout=0.4,
                margin=2.0,
                loss_weight=2.0,
                aux_weight=2.0,
            ),
            readouts=True,
            idle=dict(num_readouts='any other number is refused'),
        ),
        'ProjectedHead': Case(
            dict(projector=dict(type='MLP', **_SMALL_MLP), head=_DISTANCE),
            dict(projector=dict(type='MLP', hidden_dim=9, out_dim=10), head=dict(_DISTANCE, loss_weight=2.0)),
            idle=dict(facts='those of the parts within, which are tested by themselves'),
        ),
    },
    'conditioner': {
        'ClassEmbedding': Case(
            others=dict(
                num_classes=CLASSES + 1,
                embedding_dim=WORDS + 1,
                order='released',
                class_list=Path(__file__).with_name('class_names.txt'),
            ),
            beside=dict(class_list=dict(order='released')),
        ),
        'Prototype': Case(
            others=dict(
                num_classes=CLASSES + 1,
                feature_dims=dict(audio=WIDTH),
                preprocessor=AVPreprocessor(SECONDS, scale=dict(audio=5.0)),
            )
        ),
    },
    'generator': {
        'DDPM': Case(
            dict(schedule=_SCHEDULE, noise_predictor=_PREDICTOR),
            dict(
                **_OTHER_DIM,
                cond_dim=WORDS + 1,
                schedule=dict(_SCHEDULE, num_steps=5),
                noise_predictor=dict(_PREDICTOR, hidden_dim=9),
                noise_at_last_step=False,
                variance='posterior',
                loss_weight=2.0,
            ),
        ),
        'FeatureDiffusion': Case(
            dict(schedule=_SCHEDULE, noise_predictor=_PREDICTOR, sample_steps=4, steps=3, batch_size=4),
            dict(
                **_OTHER_DIM,
                cond_dim=WORDS + 1,
                schedule=dict(_SCHEDULE, num_steps=5),
                noise_predictor=dict(_PREDICTOR, hidden_dim=9),
                prediction='flow',
                sampler='ddpm',
                sample_steps=3,
                guidance_weight=2.0,
                condition_dropout=0.5,
                gaussian_prior=True,
                classes='all',
                steps=2,
                batch_size=5,
                lr=1e-2,
            ),
            beside=dict(guidance_weight=dict(condition_dropout=0.1)),
        ),
        'TextGaussian': Case(
            others=dict(**_OTHER_DIM, cond_dim=WORDS + 1, num_classes=CLASSES + 1, text_ridge=5.0, text=False)
        ),
        'WGANGP': Case(
            dict(noise_dim=3, generator_hidden=8, critic_hidden=8, n_critic=2),
            dict(
                **_OTHER_DIM,
                cond_dim=WORDS + 1,
                noise_dim=4,
                generator_hidden=9,
                critic_hidden=9,
                condition_width=4,
                output='linear',
                n_critic=3,
                gp_weight=1.0,
                cls_weight=1.0,
                lr=1e-3,
                betas=(0.9, 0.99),
                init_std=0.02,
            ),
            idle=dict(cosine_weight='refused here, where a condition is not as wide as the features'),
        ),
    },
    'noise predictor': {
        'EmbeddedPredictor': Case(
            dict(hidden_dim=8, time_dim=4),
            dict(
                **_OTHER_DIM,
                cond_dim=WORDS + 1,
                hidden_dim=9,
                num_layers=3,
                time_dim=6,
                conditioning='film',
                dropout=0.4,
            ),
        ),
        'MLPNoisePredictor': Case(
            dict(hidden_dim=8), dict(**_OTHER_DIM, cond_dim=WORDS + 1, hidden_dim=9, num_layers=2, dropout=0.4)
        ),
    },
    'noise schedule': {
        'CosineSchedule': Case(others=dict(num_steps=5, offset=0.1)),
        'StraightPath': Case(others=dict(num_steps=5)),
        'LinearSchedule': Case(others=dict(num_steps=5, beta_start=1e-3, beta_end=0.1, zero_terminal_snr=True)),
    },
    'model': {
        'AVPreprocessor': Case(
            others=dict(
                seconds_per_step=dict(audio=0.5, visual=0.64),
                scale=dict(audio=255.0),
                norm=dict(visual='l2_time'),
                gain=dict(visual=3.0),
                pool_time=True,
                time_bins=2,
            ),
            idle=dict(feature_dims='sizes of the buffers of z_score; other sizes than those of the data are an error'),
        ),
        'AVClassifier': Case(
            dict(
                data_info=_DATA,
                data_preprocessor=dict(type='AVPreprocessor'),
                encoders=dict(audio=_ENCODER, visual=_ENCODER),
                embedding=dict(type='TimeModalityEmbedding'),
                fusion=dict(type='MaskedTransformer', depth=1, **_ATTENTION),
                projector=dict(type='MLP', **_SMALL_MLP),
                head=dict(type='LinearHead'),
                conditioner=dict(type='ClassEmbedding'),
                generator=_DDPM,
            ),
            dict(
                data_info=dict(_DATA, seconds_per_step=dict(SECONDS, audio=0.5)),
                data_preprocessor=dict(type='AVPreprocessor', scale=dict(audio=5.0)),
                encoders=dict(audio=_ENCODER, visual=dict(_ENCODER, hidden_dim=9)),
                embedding=None,
                fusion=dict(type='MaskedTransformer', depth=2, **_ATTENTION),
                projector=None,
                head=_DISTANCE,
                conditioner=dict(type='Prototype'),
                generator=dict(_DDPM, variance='posterior'),
                synthetic_weight=2.0,
                synthetic_grad=False,
                detach_features=True,
                frozen=('encoders',),
                frozen_mode='eval',
                gamma=0.5,
                scale=2.0,
                init_cfg=dict(type='Normal', layer='Linear', std=0.2),
            ),
            beside=dict(frozen_mode=dict(frozen=('encoders',)), scale=dict(head=_LOGITS)),
        ),
    },
}
