"""What the declarations of sections and parts cannot say about the values of a config."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from mmengine.config import Config

from avzoo.config.choices import choices_of, reported, with_alternatives
from avzoo.config.keys import check_keys
from avzoo.config.settings import LOADERS
from avzoo.utils.errors import ConfigError

_MAX_WINDOW = 100_000  # 17 hours of the benchmarks' features; a clip then takes 2 GB.
_MOST_LAYERS = 1000  # They are built one by one, so a number of more digits by mistake fills the memory.


def check_values(cfg: Config, *, of_runs: bool = True) -> None:
    """Check what depends on several values or on the machine.

    Args:
        cfg: The config.
        of_runs: As for :func:`check_keys`, here of the alternatives of ``curriculum.choices``.

    Raises:
        ConfigError: For the first impossible value; names its config path and the fix.
    """
    _check_layers(cfg.model, 'model')
    _check_curriculum(cfg, of_runs)
    for name in LOADERS:
        _check_loader(cfg[name], name)
    if cfg.optim_wrapper.get('optimizer') is None:
        raise ConfigError("'optim_wrapper' has no 'optimizer'. It needs: type, optimizer.")
    interval = ((cfg.get('default_hooks') or {}).get('logger') or {}).get('interval', 10)
    if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
        raise ConfigError(f'default_hooks.logger.interval={interval!r} is not possible. It must be at least 1.')
    _check_backends(cfg.get('visualizer') or {})


def _check_layers(section: Mapping, path: str) -> None:
    for key, value in section.items():
        if key in ('depth', 'num_layers') and isinstance(value, int) and value > _MOST_LAYERS:
            raise ConfigError(f'{path}.{key}={value} is not possible. It must be at most {_MOST_LAYERS:,}.')
        if isinstance(value, Mapping):
            _check_layers(value, f'{path}.{key}')


def _check_loader(loader: Mapping, name: str) -> None:
    if loader.get('persistent_workers') and not loader.get('num_workers'):
        raise ConfigError(f'{name}.persistent_workers=True needs num_workers of at least 1; set that too.')
    device = loader['dataset'].get('device')
    for key, off, why in (
        ('num_workers', 0, 'are made in the main process'),
        ('pin_memory', False, 'lie there already'),
    ):
        if device is not None and loader.get(key):
            raise ConfigError(
                f'{name}.{key}={loader[key]} is not possible with {name}.dataset.device, whose batches {why}. Set '
                f'{key}={off}, or leave device out.'
            )
    if device is None and not loader['dataset'].get('resident', True):
        raise ConfigError(f'{name}.dataset.resident=False needs {name}.dataset.device, e.g. cuda; set that too.')
    window = loader['dataset'].get('window') or {}
    if window.get('steps', 0) > _MAX_WINDOW:
        raise ConfigError(
            f'{name}.dataset.window.steps={window["steps"]} is not possible. It must be at most {_MAX_WINDOW:,}: '
            'shorter videos are padded to it.'
        )


def _check_curriculum(cfg: Config, of_runs: bool) -> None:
    for name in ('base', 'full'):
        if not cfg.curriculum[name]['max_epochs'] and not cfg.curriculum[name].get('fit'):
            raise ConfigError(
                f'curriculum.{name}.max_epochs=0 is not possible. It must be at least 1, or curriculum.{name}.fit must '
                'name the parts that are fitted instead.'
            )
    if choices_of(cfg) and not cfg.curriculum.validate:
        raise ConfigError(
            'curriculum.choices are made on the validation set, but curriculum.validate=False. Set choices=[], and the '
            'settings themselves.'
        )
    for i, alternatives in enumerate(choices_of(cfg)):
        for j, alternative in enumerate(alternatives):
            with reported(i, j):
                changed = {path.partition('.')[0] for path in alternative}
                check_keys(with_alternatives(cfg, [alternative]), of_runs=of_runs, only=changed)
    if cfg.curriculum.get('average_epochs'):
        _refuse_second_average(cfg.get('custom_hooks') or ())


def _refuse_second_average(hooks: Sequence) -> None:
    for i, hook in enumerate(hooks):
        if isinstance(hook, Mapping) and hook.get('type') in ('EMAHook', 'AverageHook'):
            raise ConfigError(
                f"custom_hooks.{i}.type='{hook['type']}' averages the weights, and so does curriculum.average_epochs. "
                'Leave the hook out, or set curriculum.average_epochs=0.'
            )


# What the visualization backends of mmengine import when the first run begins.
_PACKAGES = {
    'TensorboardVisBackend': 'tensorboard',
    'WandbVisBackend': 'wandb',
    'MLflowVisBackend': 'mlflow',
    'ClearMLVisBackend': 'clearml',
    'NeptuneVisBackend': 'neptune',
    'DVCLiveVisBackend': 'dvclive',
    'AimVisBackend': 'aim',
}


def _check_backends(visualizer: Mapping) -> None:
    for i, backend in enumerate(visualizer.get('vis_backends') or ()):
        name = backend.get('type') if isinstance(backend, Mapping) else type(backend).__name__
        package = _PACKAGES.get(str(name))
        if package is not None and find_spec(package) is None:
            raise ConfigError(
                f"visualizer.vis_backends.{i}.type='{name}' needs the package {package}, which is not installed; "
                f'pip install {package}.'
            )
