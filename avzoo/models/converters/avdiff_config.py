"""From the settings of a released AV-DIFF run to an avzoo config."""

from typing import Any

from mmengine.config import Config

from avzoo.apis.model_index import zoo_root
from avzoo.utils.config import check_config
from avzoo.utils.errors import CheckpointError

# Settings with which the released model is AV-DIFF as avzoo builds it.
_PLAIN = dict(
    transformer_use_embedding_net=True, embeddings_batch_norm=True, transformer_use_class_token=True,
    transformer_embedding_modality=True, transformer_embedding_time_embed_type='sinusoid',
    transformer_embedding_embed_augment_position=False, attention_type='m_to_o_stream', audio_only=False,
    video_only=False, use_diffusion_batch_norm=False, number_layers_diffusion=1, selavi=False)
# Where each number of the model stands in both.
_MODEL = {
    'encoders.audio.hidden_dim': 'embeddings_hidden_size', 'encoders.visual.hidden_dim': 'embeddings_hidden_size',
    'encoders.audio.out_dim': 'transformer_dim', 'encoders.visual.out_dim': 'transformer_dim',
    'encoders.audio.dropout': 'embedding_dropout', 'encoders.visual.dropout': 'embedding_dropout',
    'embedding.embed_dim': 'transformer_embedding_dim', 'embedding.dropout': 'transformer_embedding_dropout',
    'embedding.fourier_scale': 'transformer_embedding_fourier_scale',
    'fusion.depth': 'transformer_depth', 'fusion.switch_after': 'layer_change_attention',
    'fusion.num_heads': 'transformer_heads', 'fusion.head_dim': 'transformer_dim_head',
    'fusion.mlp_dim': 'transformer_mlp_dim', 'fusion.dropout': 'transformer_dropout',
    'projector.hidden_dim': 'decoder_hidden_size', 'projector.out_dim': 'output_dimension_transformer',
    'projector.dropout': 'decoder_dropout',
    'generator.schedule.num_steps': 'diffusion_steps',
    'generator.noise_predictor.hidden_dim': 'generator_hidden_size',
    'generator.noise_predictor.dropout': 'diffusion_dropout_value',
}
_TRAINING = {
    'train_dataloader.batch_size': 'bs', 'train_dataloader.batch_sampler.num_batches': 'n_batches',
    'curriculum.base.max_epochs': 'epochs', 'curriculum.full.max_epochs': 'epochs_fine_tune',
    'optim_wrapper.optimizer.lr': 'lr', 'randomness.seed': 'seed',
}


def published_config(dataset: str, shots: int) -> Config:
    """Return the zoo's own AV-DIFF config of a data set; it follows the best settings that the authors published."""
    folder = zoo_root() / 'configs' / 'avdiff'
    path = folder / f'avdiff_{dataset}_{shots}shot.py'
    cfg = Config.fromfile(path if path.is_file() else folder / f'avdiff_{dataset}_5shot.py')
    cfg.num_shots = shots
    return cfg


def config_from_args(args: dict[str, Any], dataset: str, shots: int, source: str) -> Config:
    """Return the config with the hyper-parameters of one run.

    Args:
        args: The run's ``args.yaml``; empty takes the published settings.
        dataset: ``vgg``, ``ucf`` or ``activitynet``.
        shots: K.
        source: Where the run lies, for messages.

    Raises:
        CheckpointError: If the settings are incomplete, or describe another model than AV-DIFF.
    """
    cfg = published_config(dataset, shots)
    if not args:
        return cfg
    for key, wanted in _PLAIN.items():
        if args.get(key, wanted) != wanted:
            raise CheckpointError(f'{source}: args.yaml says {key}: {args[key]}; only AV-DIFF with {key}: {wanted} is '
                                  'converted.')
    missing = sorted({*_MODEL.values(), *_TRAINING.values()} - args.keys())
    if missing:
        raise CheckpointError(f'{source}: args.yaml lacks {len(missing)} settings of AV-DIFF, such as {missing[0]}. '
                              'Take the run folder as the released code wrote it.')
    values = {f'model.{ours}': args[theirs] for ours, theirs in _MODEL.items()}
    values.update({ours: args[theirs] for ours, theirs in _TRAINING.items()})
    cfg.merge_from_dict(values)
    _set_scheduler(cfg, bool(args.get('lr_scheduler')))
    for loader, phase in (('train', 'train'), ('val', 'val'), ('test', 'test')):
        _set_window(cfg[f'{loader}_dataloader'], args, phase)
    return cfg


def config_text(cfg: Config, title: str) -> str:
    """Return a config as the text of a file of its own, without bases."""
    check_config(cfg)
    return f'"""{title}"""\n\n{cfg.pretty_text.rstrip()}\n'


def _set_scheduler(cfg: Config, plateau: bool) -> None:
    cfg.curriculum.full.carry_optimizer = not plateau  # The released code makes Adam anew only where it is on.
    if not plateau:
        cfg.param_scheduler = None
    elif cfg.param_scheduler is None:
        cfg.param_scheduler = dict(type='ReduceOnPlateauLR', rule='greater', factor=0.1, patience=3)


def _set_window(loader: dict, args: dict[str, Any], phase: str) -> None:
    """Set the window of a loader; in the mode `max` the released code ignores the length."""
    mode = 'batch_seqlen_train' if phase == 'train' else 'batch_seqlen_test'
    if args.get(mode, 'max') == 'max':
        loader.dataset.pop('window', None)
        return
    keep = {k: v for k, v in (loader.dataset.get('window') or {}).items() if k not in ('steps', 'position')}
    loader.dataset.window = dict(steps=args[f'batch_seqlen_{phase}_maxlen'], position=args[f'{mode}_trim'], **keep)
