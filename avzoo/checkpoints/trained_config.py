"""Compare a config with the one that a checkpoint was trained with."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mmengine.config import Config

from avzoo.checkpoints.meta import carried_config
from avzoo.config.choices import choices_of, describe, with_alternatives
from avzoo.config.differences import first_difference
from avzoo.config.parts import find_classes, find_registered_class, refuse_unregistered
from avzoo.utils.errors import CheckpointError, ConfigError, shortened

_Find: TypeAlias = Callable[[str, str], type]  # The class of a type at a path.
# The parts that affect scores. Generator and conditioner are used in training only; their shapes are compared anyway.
_PARTS = ('encoders', 'embedding', 'fusion', 'projector', 'head')
# Settings that do not affect a trained model's scores, and widths that may be stated or left to the data.
_FREE = {
    'dropout',
    'last_bn_momentum',
    'padding_in_stats',
    'fourier_scale',
    'summary_std',
    'init_cfg',
    'loss_weight',
    'aux_weight',
    'reg_weight',
    'rec_weight',
    'margin',
    'in_dim',
    'dim',
    'dims',
    'num_classes',
    'embedding_dim',
    'feature_dims',
    'seconds_per_step',
    'modalities',
    'num_readouts',
}


def as_trained(cfg: Config, meta: Mapping[str, Any], source: str) -> Config:
    """Return a config with the settings that validation chose for a checkpoint (``curriculum.choices``).

    Args:
        cfg: The config of a curriculum.
        meta: The checkpoint's ``meta``.
        source: Where it comes from, for the error.

    Raises:
        CheckpointError: If the config does not offer what was chosen, or would compute other scores.
    """
    offered = choices_of(cfg) if cfg.get('curriculum') else []
    chosen = meta.get('choices') or []
    for alternative in chosen:
        if not any(alternative == json.loads(json.dumps(one)) for choice in offered for one in choice):
            raise CheckpointError(
                f'{source} was trained with {describe(alternative)}, which curriculum.choices does not offer. Use the '
                'config that it was trained with.'
            )
    cfg = with_alternatives(cfg, chosen)
    check_trained_config(cfg, meta, source)
    return cfg


def check_trained_config(cfg: Mapping[str, Any], meta: Mapping[str, Any], source: str) -> None:
    """Refuse a checkpoint for which this config would compute other scores.

    Names and shapes of weights do not show this: the attention patterns of AV-DIFF's ablations, say, have no weights.

    Args:
        cfg: The config of a curriculum, your own or read from your own file: its parts may be imported.
        meta: The checkpoint's ``meta``; without the config of a model it is accepted.
        source: Where it comes from, for the error.

    Raises:
        CheckpointError: Names the first setting that differs, or says why the carried config cannot be compared.
        ConfigError: If a part of ``cfg`` is unknown.
    """
    trained = carried_config(meta, source)
    if 'model' not in trained:
        return
    wanted = _deciding(cfg, lambda name, path: find_classes(name, path)[0])
    try:
        refuse_unregistered({key: trained.get(key) for key in ('model', 'data_preprocessor')}, '')
        found = first_difference(_deciding(trained, find_registered_class), wanted)
    except (KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(
            f'{source} holds a config that cannot be compared ({shortened(error)}). Use the config that it was '
            'trained with, which imports your own parts.'
        ) from error
    if found:
        raise CheckpointError(
            f'{source} was trained with another config: {shortened(found)}. Use the config it was trained with: '
            'config.py of its work directory, or the same --cfg-options.'
        )


def _deciding(cfg: Mapping[str, Any], find: _Find) -> dict[str, Any]:
    model = cfg['model']
    parts = {name: _spelled_out(model.get(name), f'model.{name}', find) for name in _PARTS}
    preparation = cfg.get('data_preprocessor') or model.get('data_preprocessor')
    whole = dict(model=parts, data_preprocessor=_spelled_out(preparation, 'data_preprocessor', find))
    return json.loads(json.dumps(whole, default=repr))  # A default may be any object.


def _spelled_out(node: Any, path: str, find: _Find) -> Any:
    """Return a section with its part's defaults filled in, without settings that do not affect scores."""
    if not isinstance(node, Mapping):
        return node
    values = dict(node)
    if isinstance(node.get('type'), str):
        parameters = inspect.signature(find(node['type'], path)).parameters.values()
        values = {p.name: p.default for p in parameters if p.default is not p.empty} | values
    return {
        key: _spelled_out(value, f'{path}.{key}', find)
        for key, value in values.items()
        if key not in _FREE and not key.startswith('_')
    }
