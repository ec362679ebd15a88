"""Helpers that are independent of models, data and configs. Importing this package does not import torch."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    # mmengine's hub looks for `PACKAGE.utils.register_all_modules`. The function itself is in a higher layer.
    if name != 'register_all_modules':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return import_module('avzoo.apis.register').register_all_modules
