"""A model zoo for audio-visual few-shot learning. Importing it is quick and brings in no torch."""

from importlib import import_module
from typing import Any

from avzoo.utils import compat
from avzoo.version import __version__

# mmengine must know of the package before it is asked for an `avzoo::...` config.
compat.patch_mmengine()
compat.share_cores()

# Public names and the modules they live in. A module is imported when its name is first used.
_LAZY = {
    'FeatureStore': 'avzoo.datasets.feature_store',
    'Inferencer': 'avzoo.apis.inferencer',
    'get_model': 'avzoo.apis.hub',
    'inference_model': 'avzoo.apis.hub',
    'init_model': 'avzoo.apis.hub',
    'list_models': 'avzoo.apis.hub',
    'load_any_checkpoint': 'avzoo.apis.checkpoints',
    'resolve_checkpoint': 'avzoo.apis.checkpoints',
}

__all__ = ['__version__', *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value  # the next access finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
