"""From the settings of a released AV-DIFF run to an avzoo config."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from avzoo.avdiff_release.settings import CURRICULUM, MODEL, TRAINING
from avzoo.config.as_data import parse_config_text
from avzoo.config.load import check_config
from avzoo.utils.errors import CheckpointError
from avzoo.zoo.index import zoo_root

RELEASED_SHOTS = (1, 5, 10, 20)


def zoo_config(dataset: str, shots: int) -> Config:
    """Return the zoo's own AV-DIFF config of a data set; it follows the best settings that the authors published."""
    folder = zoo_root() / 'configs' / 'avdiff'
    cfg = Config.fromfile(folder / f'avdiff_{dataset}_{shots if shots in RELEASED_SHOTS else 5}shot.py')
    cfg.num_shots = shots
    return cfg


def config_from_args(args: dict[str, Any], dataset: str, shots: int) -> Config:
    """Return the config with the hyper-parameters of one run.

    Args:
        args: The run's checked settings; empty takes the published ones.
        dataset: ``vgg``, ``ucf`` or ``activitynet``.
        shots: K.
    """
    cfg = zoo_config(dataset, shots)
    if not args:
        return cfg
    values = {f'model.{ours}': args[theirs] for ours, theirs in MODEL.items()}
    values.update({ours: args[theirs] for ours, theirs in (TRAINING | CURRICULUM).items()})
    # The released code takes a switch beyond the last layer as none: all layers are those before it.
    values['model.fusion.switch_after'] = min(args['layer_change_attention'], args['transformer_depth'])
    cfg.merge_from_dict(values)
    _set_scheduler(cfg, args.get('lr_scheduler', False))
    for phase in ('train', 'val', 'test'):
        _set_window(cfg[f'{phase}_dataloader'], args, phase)
    return cfg


def config_text(cfg: Config, title: str) -> str:
    """Return a config as the text of a file of its own, without bases.

    Raises:
        CheckpointError: If the text would not be the config again: running it then does something else.
    """
    check_config(cfg)
    text = f'"""{title}"""\n\n{cfg.pretty_text.rstrip()}\n'
    if parse_config_text(text, title) != cfg.to_dict():
        raise CheckpointError(f'{title}: its config cannot be written as plain values; nothing was written.')
    return text


def window_by_seconds(config: Mapping[str, Any], phase: str) -> bool:
    """Tell whether a phase (train, val, test) cuts audio windows by seconds, as the released code does not."""
    window = lookup(config, f'{phase}_dataloader.dataset.window')
    return bool(window) and lookup(window, 'audio_length') != 'released'


def lookup(values: Any, path: str) -> Any:
    """Return the value at a path with dots, or ``None``."""
    for key in path.split('.'):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


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
