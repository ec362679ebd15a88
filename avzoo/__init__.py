"""A model zoo for audio-visual few-shot learning.

Importing it is quick and has no side effects: public names are looked up when they are first used.
"""

from importlib import import_module
from typing import Any

from avzoo.utils.cache import find_cache_without_home
from avzoo.version import __version__

# Public names and the modules they live in. A module is imported when its name is first used.
_LAZY = {
    'FewShotClassifier': 'avzoo.apis.few_shot',
    'FeatureStore': 'avzoo.datasets.feature_store',
    'Inferencer': 'avzoo.apis.inferencer',
    'adapt': 'avzoo.apis.adapt',
    'get_model': 'avzoo.apis.hub',
    'inference_model': 'avzoo.apis.inferencer',
    'init_model': 'avzoo.apis.inferencer',
    'list_models': 'avzoo.zoo.listing',
    'load_any_checkpoint': 'avzoo.zoo.weights',
    'register_all_modules': 'avzoo.apis.register',
    'resolve_checkpoint': 'avzoo.zoo.weights',
}

__all__ = ['__version__', *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    find_cache_without_home()  # Before any part of avzoo imports mmengine.
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value  # the next access finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
