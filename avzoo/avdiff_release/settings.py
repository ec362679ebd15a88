"""Settings in the ``args.yaml`` of a released AV-DIFF run: those that avzoo reads, and their possible values."""

import re
from collections.abc import Callable
from typing import Any

import yaml

from avzoo.utils.counts import number_of
from avzoo.utils.errors import CheckpointError, first_line

# The released setting dataset_name -> key of the data set, as in configs
DATASET_KEYS = {'VGGSound': 'vgg', 'UCF': 'ucf', 'ActivityNet': 'activitynet'}
# With these values the released code builds AV-DIFF as avzoo does.
PLAIN = dict(
    final_model=True,
    use_diffusion_model=True,
    transformer_use_embedding_net=True,
    embeddings_batch_norm=True,
    transformer_use_class_token=True,
    transformer_embedding_modality=True,
    transformer_embedding_time_embed_type='sinusoid',
    transformer_embedding_embed_augment_position=False,
    attention_type='m_to_o_stream',
    audio_only=False,
    video_only=False,
    use_diffusion_batch_norm=False,
    number_layers_diffusion=1,
    selavi=False,
)
# Keys of avzoo's config and the settings that they come from.
MODEL = {
    'encoders.audio.hidden_dim': 'embeddings_hidden_size',
    'encoders.visual.hidden_dim': 'embeddings_hidden_size',
    'encoders.audio.out_dim': 'transformer_dim',
    'encoders.visual.out_dim': 'transformer_dim',
    'encoders.audio.dropout': 'embedding_dropout',
    'encoders.visual.dropout': 'embedding_dropout',
    'embedding.embed_dim': 'transformer_embedding_dim',
    'embedding.dropout': 'transformer_embedding_dropout',
    'embedding.fourier_scale': 'transformer_embedding_fourier_scale',
    'fusion.depth': 'transformer_depth',
    'fusion.switch_after': 'layer_change_attention',
    'fusion.num_heads': 'transformer_heads',
    'fusion.head_dim': 'transformer_dim_head',
    'fusion.mlp_dim': 'transformer_mlp_dim',
    'fusion.dropout': 'transformer_dropout',
    'projector.hidden_dim': 'decoder_hidden_size',
    'projector.out_dim': 'output_dimension_transformer',
    'projector.dropout': 'decoder_dropout',
    'generator.schedule.num_steps': 'diffusion_steps',
    'generator.noise_predictor.hidden_dim': 'generator_hidden_size',
    'generator.noise_predictor.dropout': 'diffusion_dropout_value',
}
TRAINING = {
    'train_dataloader.batch_size': 'bs',
    'train_dataloader.batch_sampler.num_batches': 'n_batches',
    'optim_wrapper.optimizer.lr': 'lr',
    'randomness.seed': 'seed',
}
CURRICULUM = {'curriculum.base.max_epochs': 'epochs', 'curriculum.full.max_epochs': 'epochs_fine_tune'}

_MAX_BYTES = 1 << 16
_SHOTS = re.compile('([1-9][0-9]{0,3})-shot')

_Rule = tuple[Callable[[Any], bool], str]  # a check of the value, and what it accepts in words


def _whole(low: int, high: int) -> _Rule:
    return lambda value: type(value) is int and low <= value <= high, f'a whole number from {low} to {high}'


def _choice(*options: Any) -> _Rule:
    words = ' or '.join(
        'null' if option is None else str(option).lower() if isinstance(option, bool) else str(option)
        for option in options
    )
    return lambda value: any(type(value) is type(option) and value == option for option in options), words


_WIDTH, _COUNT, _SWITCH = _whole(1, 1 << 14), _whole(1, 1_000_000), _choice(True, False)
_SHARE: _Rule = (lambda value: type(value) in (int, float) and 0 <= value < 1, 'a number from 0 to below 1')
_RATE: _Rule = (lambda value: type(value) in (int, float) and 0 < value <= 10, 'a number above 0, at most 10')
_SCALE: _Rule = (lambda value: type(value) in (int, float) and 0 < value <= 1e6, 'a number above 0, at most 1000000')
_TEXT: _Rule = (lambda value: isinstance(value, str), 'text')

_RULES: dict[str, _Rule] = {
    **{name: _choice(value) for name, value in PLAIN.items()},
    **dict.fromkeys(
        (
            'embeddings_hidden_size',
            'transformer_dim',
            'transformer_embedding_dim',
            'transformer_heads',
            'transformer_dim_head',
            'transformer_mlp_dim',
            'decoder_hidden_size',
            'output_dimension_transformer',
            'generator_hidden_size',
        ),
        _WIDTH,
    ),
    **dict.fromkeys(
        (
            'embedding_dropout',
            'transformer_embedding_dropout',
            'transformer_dropout',
            'decoder_dropout',
            'diffusion_dropout_value',
        ),
        _SHARE,
    ),
    **dict.fromkeys(
        (
            'diffusion_steps',
            'bs',
            'n_batches',
            'epochs',
            'epochs_fine_tune',
            'batch_seqlen_train_maxlen',
            'batch_seqlen_val_maxlen',
            'batch_seqlen_test_maxlen',
        ),
        _COUNT,
    ),
    'transformer_depth': _whole(1, 1000),
    'layer_change_attention': _whole(0, 1000),
    'transformer_embedding_fourier_scale': _SCALE,
    'lr': _RATE,
    'seed': _whole(0, (1 << 32) - 1),
    'lr_scheduler': _SWITCH,
    **dict.fromkeys(('batch_seqlen_train', 'batch_seqlen_test'), _choice('max', 'fixed')),
    **dict.fromkeys(('batch_seqlen_train_trim', 'batch_seqlen_test_trim'), _choice('random', 'center')),
    'dataset_name': _choice(*DATASET_KEYS),
    'zero_shot_split': (
        lambda value: isinstance(value, str) and bool(not value or _SHOTS.fullmatch(value)),
        'text such as 5-shot',
    ),
    # An option that was not given is null, which means false to the released code.
    'retrain_all': _choice(True, False, None),
}
# An archive may hold runs of other data sets and methods: of those only the settings that identify them are checked.
_IDENTIFYING: dict[str, _Rule] = {'dataset_name': _TEXT, 'zero_shot_split': _TEXT, 'retrain_all': _RULES['retrain_all']}


def parse_settings(text: bytes, name: str) -> dict[str, Any]:
    """Read an ``args.yaml`` of lines ``name: value``; nesting, types and aliases are refused.

    Raises:
        CheckpointError: If it is anything else, or a setting that identifies the run is of the wrong kind.
    """
    if len(text) > _MAX_BYTES:
        raise CheckpointError(f'{name} is too large for settings; check the path.')
    try:
        _check_flat(text)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise CheckpointError(f'{name} is not plain YAML of lines "name: value": {first_line(error)}') from error
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f'{name} holds no settings: expected lines "name: value".')
    _check(content, _IDENTIFYING, name)
    return content


def check_settings(args: dict[str, Any], name: str) -> None:
    """Check every setting that the import reads.

    Args:
        args: The settings of a run of AV-DIFF.
        name: Location of the run, for messages.

    Raises:
        CheckpointError: If one is missing, of the wrong kind or out of range, or describes another model than AV-DIFF.
    """
    _check(args, _RULES, f'{name}: args.yaml')
    missing = sorted({*MODEL.values(), *TRAINING.values(), *CURRICULUM.values()} - args.keys())
    for mode in ('train', 'test'):
        if args.get(f'batch_seqlen_{mode}') == 'fixed':
            lengths = {f'batch_seqlen_{phase}_maxlen' for phase in {mode, 'val' if mode == 'test' else mode}}
            missing += sorted({*lengths, f'batch_seqlen_{mode}_trim'} - args.keys())
    if missing:
        raise CheckpointError(
            f'{name}: args.yaml lacks {number_of(len(missing), "setting")} of AV-DIFF, such as {missing[0]}. Use the '
            'run folder as the released code wrote it.'
        )


def shots_of(split: Any) -> int | None:
    """Return K of the name of a K-shot split."""
    found = _SHOTS.fullmatch(split) if isinstance(split, str) else None
    return int(found[1]) if found else None


def _check(args: dict[str, Any], rules: dict[str, _Rule], name: str) -> None:
    for key, (is_allowed, words) in rules.items():
        if key in args and not is_allowed(args[key]):
            # As YAML, whose quotes distinguish the text 'False' from the value.
            value = yaml.safe_dump(args[key], width=200).splitlines()[0][:60]
            raise CheckpointError(f'{name} says {key}: {value}; AV-DIFF is imported only with {key}: {words}.')


def _check_flat(text: bytes) -> None:
    """Check the events of the file before any object is built from them."""
    depth, latest = 0, ''
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.ScalarEvent) and event.tag is None:
            latest = event.value
        elif isinstance(event, yaml.MappingStartEvent) and event.tag is None and depth == 0:
            depth = 1
        elif isinstance(event, yaml.NodeEvent) and depth == 0:
            raise ValueError('it does not begin with such a line')
        elif isinstance(event, yaml.NodeEvent):
            raise ValueError(
                f'{latest[:40]!r} has a value that is not a number, text, true or false (line {_line(event)})'
            )


def _line(event: yaml.NodeEvent) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
