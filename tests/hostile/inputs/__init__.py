"""All parts of the corpus."""

from importlib import import_module

from tests.hostile.corpus import Input, Part

_PARTS = (
    'checkpoints',
    'carried_meta',
    'zoo_weights',
    'indexes',
    'configs',
    'options',
    'stores',
    'clips',
    'arrays',
    'supports',
    'archives',
    'released',
    'work_dirs',
    'names',
    'environment',
)
_MODULES = [import_module(f'{__name__}.{name}') for name in _PARTS]
INPUTS: list[Input] = [
    one for module in _MODULES for part in vars(module).values() if isinstance(part, Part) for one in part.inputs
]
