"""The registries through which configs name the parts of a method.

Every registry is a child of mmengine's registry of the same kind, so configs may also name mmengine's and PyTorch's
own classes. Each one knows where its parts live and imports them on first use.
"""

from collections.abc import Callable
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import DefaultScope, Registry, build_from_cfg

from avzoo.utils import compat
from avzoo.utils.errors import ConfigError, nearest

compat.apply()  # Every module that builds or defines a part imports this one first.


class PartRegistry(Registry):
    """A registry that never imports a module for a plain name, and suggests the nearest match for an unknown one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._imported_by_name: dict[str, type] = {}

    def names(self) -> list[str]:
        """Return the sorted names of the parts registered here, without mmengine's."""
        self.import_from_location()
        return sorted(self._module_dict)

    def find(self, name: str) -> type | None:
        """Return the part registered under ``name`` here or in mmengine, without importing a module of that name.

        Names of mmengine's form ``package.Part`` are found once :meth:`get` has imported them, as for a config file.
        """
        registry: Registry | None = self
        while registry is not None:
            registry.import_from_location()
            if name in registry.module_dict:
                return registry.module_dict[name]
            registry = registry.parent
        return self._imported_by_name.get(name)

    def get(self, key: str) -> type | None:
        """Return the part of a name, or ``None``; for ``package.Part`` it imports the package, as mmengine does.

        mmengine would also import a module of the current folder that has the plain name of a part.

        Raises:
            ConfigError: If a package is named whose import fails, or whose entry of that name is not a class.
        """
        found = self.find(key)
        if found is None and '.' in key:
            try:
                found = super().get(key)
            except Exception as error:
                raise ConfigError(f"'{key}' cannot be imported: {error.__context__ or error}.") from error
            if found is not None and not callable(found):
                raise ConfigError(f"'{key}' is not a part but a value: {found!r}. Name a class.")
            if found is not None:
                self._imported_by_name[key] = found
        return found

    def unknown(self, name: str, path: str = '') -> ConfigError:
        """Return the error for a name that is not registered; ``path`` is the section whose ``type`` it is."""
        names, parent = self.names(), self.parent
        inherited = sorted(parent.module_dict) if parent is not None else []
        where = f'{path}.type={name!r}' if path else repr(name)
        return ConfigError(
            f'{where} is not a registered {self.name}.{nearest(name, names + inherited)} '
            f'Registered: {", ".join(names or inherited) or "none"}.'
        )

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        """Build the part that ``cfg['type']`` names.

        Raises:
            ConfigError: If no part of that name exists here, in mmengine or in PyTorch.
        """
        name = cfg.get('type') if hasattr(cfg, 'get') else None
        if isinstance(name, str) and self.get(name) is None:
            raise self.unknown(name)
        return super().build(cfg, *args, **kwargs)


def _registry(
    name: str, location: str, parent: Registry | None = None, build_func: Callable | None = None
) -> PartRegistry:
    return PartRegistry(name, build_func=build_func, parent=parent, scope='avzoo', locations=[location])


ENCODERS = _registry('encoder', 'avzoo.models.encoders')
EMBEDDINGS = _registry('embedding', 'avzoo.models.embeddings')
FUSIONS = _registry('fusion', 'avzoo.models.fusions')
PROJECTORS = _registry('projector', 'avzoo.models.projectors')
HEADS = _registry('head', 'avzoo.models.heads')
CONDITIONERS = _registry('conditioner', 'avzoo.models.conditioners')
GENERATORS = _registry('generator', 'avzoo.models.generators')
NOISE_PREDICTORS = _registry('noise predictor', 'avzoo.models.generators')
NOISE_SCHEDULES = _registry('noise schedule', 'avzoo.models.generators')

# mmengine's own function, which also takes a list, imports its runner.
MODELS = _registry('model', 'avzoo.models', mmengine_registry.MODELS, build_from_cfg)
DATASETS = _registry('dataset', 'avzoo.datasets', mmengine_registry.DATASETS)
DATA_SAMPLERS = _registry('sampler', 'avzoo.datasets', mmengine_registry.DATA_SAMPLERS)
METRICS = _registry('metric', 'avzoo.evaluation', mmengine_registry.METRICS)
HOOKS = _registry('hook', 'avzoo.engine', mmengine_registry.HOOKS)
LOOPS = _registry('loop', 'avzoo.engine', mmengine_registry.LOOPS)
RUNNERS = _registry('runner', 'avzoo.engine', mmengine_registry.RUNNERS)
OPTIM_WRAPPERS = _registry('optimizer wrapper', 'avzoo.engine', mmengine_registry.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = _registry(
    'optimizer wrapper constructor', 'avzoo.engine', mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS
)
OPTIMIZERS = _registry('optimizer', 'avzoo.engine', mmengine_registry.OPTIMIZERS)
PARAM_SCHEDULERS = _registry('parameter scheduler', 'avzoo.engine', mmengine_registry.PARAM_SCHEDULERS)
VISUALIZERS = _registry('visualizer', 'avzoo.engine', mmengine_registry.VISUALIZERS)
VISBACKENDS = _registry('visualization backend', 'avzoo.engine', mmengine_registry.VISBACKENDS)
WEIGHT_INITIALIZERS = _registry('weight initializer', 'avzoo.models', mmengine_registry.WEIGHT_INITIALIZERS)
EXTRACTORS = _registry('extractor', 'avzoo.extraction.extractors')
FUNCTIONS = _registry('function', 'avzoo.engine', mmengine_registry.FUNCTIONS)

ALL_REGISTRIES: tuple[PartRegistry, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, PartRegistry)
)


def import_parts(init_default_scope: bool = True) -> None:
    """Import every part of avzoo, so that mmengine finds it by name too.

    Args:
        init_default_scope: Also make ``avzoo`` the scope in which mmengine looks names up, if it has none yet.
    """
    for registry in ALL_REGISTRIES:
        registry.import_from_location()
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('avzoo', scope_name='avzoo')
