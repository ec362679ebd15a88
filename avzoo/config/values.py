"""Which values the settings outside of registered parts may have."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config

from avzoo.utils.errors import ConfigError, nearest

_KINDS = {
    **dict.fromkeys(
        (
            'model',
            'data_preprocessor',
            'curriculum',
            'train_dataloader',
            'val_dataloader',
            'test_dataloader',
            'val_evaluator',
            'optim_wrapper',
            'randomness',
            'default_hooks',
            'env_cfg',
            'auto_scale_lr',
            'visualizer',
        ),
        (Mapping, 'a section (a dict)'),
    ),
    'param_scheduler': (Mapping | list | tuple, 'a section (a dict), or a list'),
    'custom_hooks': (list | tuple, 'a list'),
    **dict.fromkeys(('data_root', 'work_dir'), (str, "the text of a path; a name of digits is written './123'")),
    **dict.fromkeys(('method', 'runner_type'), (str, 'a text')),
}
_METRICS = ('B0', 'B', 'N', 'HM', 'FSL', 'AUSUC')
REFERENCES = ('nearest_class_mean', 'logistic_regression')  # those of avzoo.evaluation.linear_references


def check_values(cfg: Config) -> None:
    """Check kinds of sections, and the values of the curriculum, the loaders and the shots.

    Raises:
        ConfigError: For the first impossible value; names its config path and the cure.
    """
    for key, (kind, words) in _KINDS.items():
        if cfg.get(key) is not None and not isinstance(cfg[key], kind):
            raise ConfigError(f'{key}={cfg[key]!r} is of the wrong kind: it must be {words}.')
    _positive('num_shots', cfg.num_shots)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _check_loader(cfg[name], name)
    _check_curriculum(cfg.curriculum)
    _check_run(cfg)
    _check_backends(cfg.get('visualizer') or {})


def _check_loader(loader: Mapping, path: str) -> None:
    _require(loader, path, ('batch_size', 'dataset', 'sampler', 'batch_sampler'))
    _positive(f'{path}.batch_size', loader['batch_size'])
    workers = loader.get('num_workers', 0)
    _check(f'{path}.num_workers', workers, lambda v: _is_int(v) and v >= 0, 'a whole number of at least 0')
    if loader.get('persistent_workers') and not workers:
        raise ConfigError(f'{path}.persistent_workers=True needs num_workers of at least 1; set that too.')


def _check_curriculum(curriculum: Mapping) -> None:
    _require(
        curriculum, 'curriculum', ('base', 'full', 'num_draws', 'validate', 'gamma_epoch', 'zero_gamma', 'references')
    )
    for name in ('base', 'full'):
        path, substage = f'curriculum.{name}', curriculum[name]
        if not isinstance(substage, Mapping):
            raise ConfigError(f'{path}={substage!r} is of the wrong kind: it must be a section (a dict).')
        _require(substage, path, ('max_epochs', 'monitor'))
        _positive(f'{path}.max_epochs', substage['max_epochs'])
        _choice(f'{path}.monitor', substage['monitor'], _METRICS)
        _choice(f'{path}.frozen_mode', substage.get('frozen_mode', 'train'), ('train', 'eval'))
        _check(f'{path}.freeze', substage.get('freeze', ()), _is_names, "a list of parts, e.g. ('encoders', 'fusion')")
        _check(f'{path}.carry_optimizer', substage.get('carry_optimizer', False), _is_bool, 'True or False')
    _positive('curriculum.num_draws', curriculum['num_draws'])
    _check('curriculum.validate', curriculum['validate'], _is_bool, 'True or False')
    _choice('curriculum.gamma_epoch', curriculum['gamma_epoch'], ('best', 'last'))
    _choice('curriculum.zero_gamma', curriculum['zero_gamma'], ('keep', 'search_test'))
    _choice('curriculum.lr_drops', curriculum.get('lr_drops', 'scheduler'), ('scheduler', 'counter'))
    references = curriculum['references']
    _check('curriculum.references', references, _is_names, f'a list of: {", ".join(REFERENCES)}; () for none')
    for name in references:
        _choice('curriculum.references', name, REFERENCES)


def _check_run(cfg: Config) -> None:
    seed = cfg.randomness.get('seed')
    _check(
        'randomness.seed',
        seed,
        lambda v: _is_int(v) and 0 <= v < 2**32,
        'a whole number from 0 to 4294967295: a run without one cannot be repeated or resumed',
    )
    _choice('log_level', cfg.get('log_level', 'INFO'), ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'))
    logger = (cfg.get('default_hooks') or {}).get('logger') or {}
    _positive('default_hooks.logger.interval', logger.get('interval', 10))
    _require(cfg.optim_wrapper, 'optim_wrapper', ('type', 'optimizer'))
    for name, value in (cfg.optim_wrapper.get('clip_grad') or {}).items():
        if name in ('max_norm', 'clip_value'):
            _check(f'optim_wrapper.clip_grad.{name}', value, lambda v: _is_number(v) and v > 0, 'a number above 0')


def _check_backends(visualizer: Mapping) -> None:
    for i, backend in enumerate(visualizer.get('vis_backends') or ()):
        name = backend.get('type') if isinstance(backend, Mapping) else type(backend).__name__
        if name == 'TensorboardVisBackend' and find_spec('tensorboard') is None:
            raise ConfigError(
                f"visualizer.vis_backends.{i}.type='TensorboardVisBackend' needs the package "
                'tensorboard, which is not installed; pip install tensorboard.'
            )


def _require(section: Mapping, path: str, keys: tuple[str, ...]) -> None:
    for key in keys:
        if section.get(key) is None:
            raise ConfigError(f"'{path}' has no '{key}'. It needs: {', '.join(keys)}.")


def _positive(path: str, value: Any) -> None:
    _check(path, value, lambda v: _is_int(v) and v >= 1, 'a whole number of at least 1')


def _choice(path: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f'{path}={value!r} is not possible.{nearest(value, choices)} Choose one of: {", ".join(choices)}.'
        )


def _check(path: str, value: Any, fits: Callable[[Any], bool], words: str) -> None:
    if not fits(value):
        raise ConfigError(f'{path}={value!r} is not possible; it must be {words}.')


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
