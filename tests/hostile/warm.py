"""Import and read once what every input needs, before processes are forked."""

from importlib import import_module

import torch

from avzoo.zoo.index import read_index
from tests.hostile.corpus import load_tool

_TOOLS = (
    'train',
    'test',
    'predict',
    'adapt',
    'download',
    'analysis_tools/get_flops',
    'dataset_converters/features',
    'dataset_converters/official',
    'dataset_converters/splits',
    'model_converters/avdiff_official',
    'model_converters/publish_model',
)
_MODULES = (
    'avzoo.apis.adapt',
    'avzoo.speed.flops',
    'avzoo.apis.inferencer',
    'avzoo.avdiff_release',
    'avzoo.avdiff_release.downloads',
    'avzoo.engine.curriculum.preflight',
    'avzoo.engine.curriculum.references',
    'avzoo.engine.curriculum.runner',
    'avzoo.importers.arrays',
    'avzoo.importers.report',
    'avzoo.reproduction',
    'avzoo.zoo.publish',
    'avzoo.zoo.unzip',
    'torch._dynamo',  # The first optimizer of a process imports it, in half a second.
)


def warm_up() -> None:
    """Import the package and its tools, and read the index of the zoo."""
    torch.set_num_threads(1)
    for name in _MODULES:
        import_module(name)
    import_module('avzoo.apis.register').register_all_modules()
    for name in _TOOLS:
        load_tool(name)
    read_index()
