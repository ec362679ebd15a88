"""Let ``mmengine.hub`` find the zoo's configs and weights, also where there is no ``.mim`` folder.

mmengine reads ``PACKAGE/.mim/model-index.yml``, which an editable install does not have, builds a model from its config
alone, though the data decides its widths, and reads weights with a loader that checks no hash and may run code. So a
few of its helpers answer for avzoo, and only for avzoo, out of this module.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config, config, utils
from mmengine.runner.checkpoint import CheckpointLoader

from avzoo.checkpoints.training import load_weights
from avzoo.utils import compat
from avzoo.utils.cache import cache_home
from avzoo.utils.errors import AvzooError
from avzoo.utils.files import atomic_write_text
from avzoo.zoo.benchmarks import find_benchmark
from avzoo.zoo.build import build_model, config_of, data_info_of
from avzoo.zoo.index import ModelEntry, find_model, read_index, zoo_root
from avzoo.zoo.weights import load_any_checkpoint

SCHEME = 'avzoo://'


def patch_hub() -> None:
    """Teach mmengine's lookups about avzoo. May run more than once."""
    compat.patch_mmengine()
    metainfo = _for_avzoo(utils._get_cfg_metainfo, _metainfo)
    base_path = _for_avzoo(utils._get_external_cfg_base_path, _config_path)
    for module in (utils, config, sys.modules.get('mmengine.hub.hub')):
        if module is not None:
            for original, replacement in (('_get_cfg_metainfo', metainfo), ('_get_external_cfg_base_path', base_path)):
                if hasattr(module, original):
                    setattr(module, original, replacement)


def _for_avzoo(original: Callable[[str, str], Any], answer: Callable[[str], Any]) -> Callable[[str, str], Any]:
    """Return a function that asks ``answer`` about avzoo and ``original`` about every other package."""
    if getattr(original, 'answers_for_avzoo', False):
        return original

    def lookup(package_path: str, name: str) -> Any:
        return answer(name) if Path(package_path).name == 'avzoo' else original(package_path, name)

    lookup.answers_for_avzoo = True
    return lookup


def _config_path(name: str) -> str:
    """Return the path of ``METHOD/NAME.py`` or of a base config."""
    path = zoo_root() / 'configs' / name
    if not path.is_file():
        raise FileNotFoundError(f'avzoo has no config {name}; there is none at {path}.')
    return str(path)


def _metainfo(name: str) -> dict[str, Any]:
    """Return what the hub wants to know of the config ``METHOD/NAME.py``: a config ready to build, and its weights.

    Raises:
        ValueError: If the index has no such config; mmengine then looks for a base config.
    """
    for entry in read_index().values():
        if f'{entry.config.parent.name}/{entry.config.name}' == name:
            _register_scheme()
            found = dict(Name=entry.name, Config=str(_write_config(entry)))
            return found | (dict(Weights=SCHEME + entry.name) if entry.weights else {})
    raise ValueError(f'The index of avzoo has no config {name}.')


def _write_config(entry: ModelEntry) -> Path:
    """Write the config with what the data decides filled in, and return its path.

    JSON, since mmengine runs a ``.py`` file: names of modalities come from stores and checkpoints, and
    ``Config.pretty_text`` does not escape them.
    """
    text = json.dumps(_complete_config(entry).to_dict(), indent=2)
    # In the text of any config mmengine replaces {{ ... }}, by an environment variable for one. Inside JSON two braces
    # stand side by side only in a string.
    text = text.replace('{{', '{\\u007b')
    return atomic_write_text(cache_home() / 'configs' / f'{entry.name}.json', text)


def _complete_config(entry: ModelEntry) -> Config:
    """Return the config with the widths and classes of its data, where they are known.

    They are those of the benchmark; of other data those of the published weights, else of the store at hand. Where
    nothing tells, they are left out: whoever builds the model gives ``data_info``.
    """
    cfg = config_of(entry.config)
    benchmark = find_benchmark(entry.dataset)
    if entry.weights and benchmark is not None:
        cfg.model.data_info = benchmark.data_info
        return cfg
    with contextlib.suppress(AvzooError):  # No weights, or none within reach: the hub will say so if it wants them.
        cfg.model.data_info = (
            load_any_checkpoint(entry.name)['meta']['data_info'] if entry.weights else (data_info_of(cfg))
        )
    return cfg


def _register_scheme() -> None:
    """Register ``avzoo://NAME`` with mmengine's checkpoint loader."""
    CheckpointLoader.register_scheme(SCHEME, _load_fitting, force=True)


def _load_fitting(filename: str, map_location: Any = None, logger: Any = None) -> dict[str, Any]:
    """Read the weights of ``avzoo://NAME``.

    Raises:
        CheckpointError: If they do not fit the model that the hub builds: mmengine would only warn and leave the parts
            that do not fit as they were drawn.
    """
    name = filename.removeprefix(SCHEME)
    checkpoint = load_any_checkpoint(name)
    cfg = _complete_config(find_model(name))
    load_weights(build_model(cfg, cfg.model.data_info), checkpoint['state_dict'], name)
    return checkpoint
