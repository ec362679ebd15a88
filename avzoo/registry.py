"""The registries through which configs name the parts of a method.

Every registry is a child of mmengine's registry of the same kind, so configs may also name mmengine's and PyTorch's
own classes. Each one knows where its parts live and imports them when it is first asked.
"""

from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import DefaultScope, Registry

from avzoo.utils import compat
from avzoo.utils.errors import ConfigError, nearest

compat.apply()  # Every module that builds or defines a part comes by here.


class PartRegistry(Registry):
    """A registry that answers an unknown name with what it has and the nearest match."""

    def names(self) -> list[str]:
        """Return the sorted names of the parts that avzoo itself has registered here."""
        self.import_from_location()
        return sorted(self._module_dict)

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        """Build the part that ``cfg['type']`` names.

        Raises:
            ConfigError: If no part of that name exists here, in mmengine or in PyTorch.
        """
        kind = cfg.get('type') if hasattr(cfg, 'get') else None
        if isinstance(kind, str) and self.get(kind) is None:
            names = self.names()
            raise ConfigError(
                f"There is no {self.name} named '{kind}'.{nearest(kind, names)} "
                f'Registered: {", ".join(names) or "none"}.'
            )
        return super().build(cfg, *args, **kwargs)


def _registry(name: str, location: str, parent: Registry | None = None) -> PartRegistry:
    return PartRegistry(name, parent=parent, scope='avzoo', locations=[location])


ENCODERS = _registry('encoder', 'avzoo.models.encoders')
EMBEDDINGS = _registry('embedding', 'avzoo.models.embeddings')
FUSIONS = _registry('fusion', 'avzoo.models.fusions')
PROJECTORS = _registry('projector', 'avzoo.models.projectors')
HEADS = _registry('head', 'avzoo.models.heads')
CONDITIONERS = _registry('conditioner', 'avzoo.models.conditioners')
GENERATORS = _registry('generator', 'avzoo.models.generators')
NOISE_PREDICTORS = _registry('noise predictor', 'avzoo.models.generators')
NOISE_SCHEDULES = _registry('noise schedule', 'avzoo.models.generators')

MODELS = _registry('model', 'avzoo.models', mmengine_registry.MODELS)
DATASETS = _registry('dataset', 'avzoo.datasets', mmengine_registry.DATASETS)
DATA_SAMPLERS = _registry('sampler', 'avzoo.datasets', mmengine_registry.DATA_SAMPLERS)
METRICS = _registry('metric', 'avzoo.evaluation', mmengine_registry.METRICS)
HOOKS = _registry('hook', 'avzoo.engine', mmengine_registry.HOOKS)
RUNNERS = _registry('runner', 'avzoo.engine', mmengine_registry.RUNNERS)
OPTIM_WRAPPERS = _registry('optimizer wrapper', 'avzoo.engine', mmengine_registry.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = _registry(
    'optimizer wrapper constructor', 'avzoo.engine', mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS
)
OPTIMIZERS = _registry('optimizer', 'avzoo.engine', mmengine_registry.OPTIMIZERS)
PARAM_SCHEDULERS = _registry('parameter scheduler', 'avzoo.engine', mmengine_registry.PARAM_SCHEDULERS)


def import_parts(init_default_scope: bool = True) -> None:
    """Import every part of avzoo, so that mmengine finds it by name too.

    Args:
        init_default_scope: Also make ``avzoo`` the scope in which mmengine looks names up, if it has none yet.
    """
    for registry in [value for value in globals().values() if isinstance(value, PartRegistry)]:
        registry.import_from_location()
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('avzoo', scope_name='avzoo')
