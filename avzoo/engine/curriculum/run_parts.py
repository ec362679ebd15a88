"""Build what mmengine's runner builds besides model, data and optimizer, so that no phase fails on it late."""

import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.model import initialize
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import LogProcessor, get_priority

from avzoo.engine.hooks import FitPartsHook
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.registry import MODELS, VISUALIZERS
from avzoo.utils.errors import ConfigError

# What constructors of the stack raise for a value that they do not accept.
_REFUSALS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
    ArithmeticError,
    ImportError,
    OSError,
)


def try_run_parts(run: Config, model: AVClassifier) -> None:
    """Build the hooks, the visualizer and the log processor of a phase, and initialise its model.

    Nothing is written and no service is called: the runner itself would create folders, logs and process-wide settings.

    Args:
        run: The config of the phase.
        model: Its model, which is modified.

    Raises:
        ConfigError: Names the path of the first value that cannot be used.
    """
    _try_env(run.get('env_cfg') or {})
    with building('log_processor'):
        _try_log_processor(run.get('log_processor'))
    with building('visualizer'):
        _try_visualizer(run.get('visualizer'))
    with building('model.init_cfg'):
        _try_init(model)
    with building('model_wrapper_cfg'):
        _try_wrapper(run.get('model_wrapper_cfg'))
    for name, hook in run.default_hooks.items():
        with building(f'default_hooks.{name}'):
            _try_hook(hook, model, f'default_hooks.{name}')
    for i, hook in enumerate(run.get('custom_hooks') or ()):
        with building(f'custom_hooks.{i}'):
            _try_hook(hook, model, f'custom_hooks.{i}')
    _try_scaling(run)


@contextmanager
def building(path: str) -> Iterator[None]:
    """Report the place in the config of a value that a constructor of the stack does not accept."""
    try:
        yield
    except _REFUSALS as error:
        reason = str(error).rstrip('.') or type(error).__name__
        raise ConfigError(
            f'{path} cannot be built: {reason}. Change its type or its arguments in the config.'
        ) from error


def _unbuilt_runner() -> PhaseRunner:
    """Return a runner whose constructor was not called; its methods that build hooks and logs do not need it."""
    runner = PhaseRunner.__new__(PhaseRunner)
    runner._hooks = []
    return runner


def _try_init(model: AVClassifier) -> None:
    # `init_weights` would report each parameter in the log, or on the screen if there is no log yet.
    for module in model.modules():
        if getattr(module, 'init_cfg', None):
            initialize(module, module.init_cfg)


def _try_wrapper(cfg: Mapping | None) -> None:
    # It can be built only within the process group.
    if cfg is not None and MODEL_WRAPPERS.get(cfg['type']) is None:
        raise ValueError(f"there is no model wrapper '{cfg['type']}'")


def _try_hook(hook: Any, model: AVClassifier, path: str) -> None:
    if hook is None and path.startswith('default_hooks.'):  # Switched off.
        return
    runner = _unbuilt_runner()
    runner.register_hook(dict(hook) if isinstance(hook, Mapping) else hook)
    (built,) = runner.hooks
    get_priority(built.priority)
    if isinstance(built, EMAHook):
        MODELS.build(dict(built.ema_cfg), default_args=dict(model=model))
    if isinstance(built, FitPartsHook):
        model.check_fit(built.parts, f'{path}.parts')


def _try_log_processor(cfg: Any) -> None:
    processor = _unbuilt_runner().build_log_processor(cfg or {})
    if isinstance(processor, LogProcessor):
        for name in ('window_size', 'num_digits'):
            value = getattr(processor, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{name}={value!r}; it must be a whole number of at least 1')


def _try_visualizer(cfg: Mapping | None) -> None:
    if cfg is None or (cfg['type'] == 'Visualizer' and not any(cfg[key] for key in cfg if key != 'type')):
        return  # Nothing can fail, and its figures would take 0.05 s in each sub-stage.
    arguments = dict(save_dir='', **{key: value for key, value in cfg.items() if key != 'type'})
    # Not through the registry, which would keep the instance: a run in this process would get it, with its folder.
    kind = VISUALIZERS.get(cfg['type'])
    assert kind is not None  # The config was checked.
    kind(**arguments)


def _try_env(cfg: Mapping) -> None:
    method = (cfg.get('mp_cfg') or {}).get('mp_start_method', 'fork')
    methods = multiprocessing.get_all_start_methods()
    if method not in methods:
        raise ConfigError(f'env_cfg.mp_cfg.mp_start_method={method!r} is not available. Choose from {methods}.')
    for path, value in {
        'env_cfg.mp_cfg.opencv_num_threads': (cfg.get('mp_cfg') or {}).get('opencv_num_threads', 0),
        'env_cfg.resource_limit': cfg.get('resource_limit', 0),
    }.items():
        if not isinstance(value, int) or value < 0:
            raise ConfigError(f'{path}={value!r} is not valid. It must be a whole number of at least 0.')


def _try_scaling(run: Config) -> None:
    scaling = run.get('auto_scale_lr') or {}
    size = scaling.get('base_batch_size')
    if scaling.get('enable') and not (isinstance(size, int) and size > 0):
        raise ConfigError(
            f'auto_scale_lr.base_batch_size={size!r} is not valid. It must be a whole number of at least 1.'
        )
