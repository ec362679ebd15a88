"""Build an avzoo config from the settings of a released AV-DIFF run."""

import ast
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

from avzoo.avdiff_release.settings import CURRICULUM, MODEL, TRAINING
from avzoo.config.load import check_config
from avzoo.protocol import SHOTS
from avzoo.utils.errors import CheckpointError
from avzoo.zoo.index import zoo_root


def zoo_config(dataset: str, shots: int) -> Config:
    """Return the zoo's own AV-DIFF config of a data set; it follows the authors' best settings."""
    folder = zoo_root() / 'configs' / 'avdiff'
    cfg = Config.fromfile(folder / f'avdiff_{dataset}_{shots if shots in SHOTS else 5}shot.py')
    cfg.num_shots = shots
    return cfg


def config_from_args(args: dict[str, Any], dataset: str, shots: int) -> Config:
    """Return the config with the hyper-parameters of one run.

    Args:
        args: The run's checked settings; if empty, the zoo's config is taken unchanged.
        dataset: ``vgg``, ``ucf`` or ``activitynet``.
        shots: K.
    """
    cfg = zoo_config(dataset, shots)
    if not args:
        return cfg
    values = {f'model.{ours}': args[theirs] for ours, theirs in MODEL.items()}
    values.update({ours: args[theirs] for ours, theirs in (TRAINING | CURRICULUM).items()})
    # In the released code a switch beyond the last layer means no switch: all layers are of the first kind.
    values['model.fusion.switch_after'] = min(args['layer_change_attention'], args['transformer_depth'])
    cfg.merge_from_dict(values)
    _set_scheduler(cfg, args.get('lr_scheduler', False))
    for phase in ('train', 'val', 'test'):
        _set_window(cfg[f'{phase}_dataloader'], args, phase)
    return cfg


def config_text(cfg: Config, title: str) -> str:
    """Return a config as the text of a file without bases.

    Raises:
        CheckpointError: If the text, read back, would be another config.
    """
    check_config(cfg)
    text = f'"""{title}"""\n\n{cfg.pretty_text.rstrip()}\n'
    try:
        found = _read_back(text)
    except (ValueError, TypeError, SyntaxError) as error:
        raise CheckpointError(
            f'{title}: its config holds more than plain values ({error}); nothing was written.'
        ) from error
    if found != cfg.to_dict():
        raise CheckpointError(f'{title}: its config cannot be written as plain values; nothing was written.')
    return text


def window_by_seconds(config: Mapping[str, Any], phase: str) -> bool:
    """Tell whether a phase (train, val, test) cuts audio windows by seconds, unlike the released code."""
    window = lookup(config, f'{phase}_dataloader.dataset.window')
    return bool(window) and not window.get('long_only') and lookup(window, 'audio_length') != 'released'


def lookup(values: Any, path: str) -> Any:
    """Return the value at a path with dots, or ``None``."""
    for key in path.split('.'):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _set_scheduler(cfg: Config, plateau: bool) -> None:
    cfg.curriculum.full.carry_optimizer = (
        not plateau
    )  # The released code creates a new Adam only with the scheduler on.
    if not plateau:
        cfg.param_scheduler = None
    elif cfg.param_scheduler is None:
        cfg.param_scheduler = dict(type='ReduceOnPlateauLR', rule='greater', factor=0.1, patience=3)


def _set_window(loader: ConfigDict, args: dict[str, Any], phase: str) -> None:
    """Set the window of a loader; in mode ``max`` the released code ignores the length."""
    mode = 'batch_seqlen_train' if phase == 'train' else 'batch_seqlen_test'
    if args.get(mode, 'max') == 'max':
        loader.dataset.pop('window', None)
        return
    keep = {k: v for k, v in (loader.dataset.get('window') or {}).items() if k not in ('steps', 'position')}
    loader.dataset.window = dict(steps=args[f'batch_seqlen_{phase}_maxlen'], position=args[f'{mode}_trim'], **keep)


def _read_back(text: str) -> dict[str, Any]:
    """Read assignments of constants, lists, tuples, dicts and ``dict(...)``, as mmengine writes them, without running.

    Raises:
        ValueError, TypeError, SyntaxError: If there is anything else in the text.
    """
    values = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # Its docstring.
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            raise ValueError(f'line {statement.lineno} is not an assignment')
        values[statement.targets[0].id] = _value(statement.value)
    return values


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {_key(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_key(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)


def _key(key: ast.expr | str | None) -> Any:
    if key is None:
        raise ValueError('it unpacks something with **')
    return key if isinstance(key, str) else _value(key)
