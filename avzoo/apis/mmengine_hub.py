"""Let ``mmengine.hub`` find the zoo's configs and weights, also where there is no ``.mim`` folder.

mmengine reads ``PACKAGE/.mim/model-index.yml``, which an editable install does not have, builds a model from its config
alone, though the data decides its widths, and reads weights with a loader that checks no hash and may run code. So a
few of its helpers answer for avzoo, and only for avzoo, out of this module.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from avzoo.apis.model_index import read_index, zoo_root
from avzoo.utils.errors import AvzooError

SCHEME = 'avzoo://'


def patch_hub() -> None:
    """Teach mmengine's lookups about avzoo. May run more than once; imports no torch."""
    import sys

    from mmengine.config import config, utils

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
            found = dict(Name=entry.name, Config=str(_complete_config(entry.name)))
            return found | (dict(Weights=SCHEME + entry.name) if entry.weights else {})
    raise ValueError(f'The index of avzoo has no config {name}.')


def _complete_config(name: str) -> Path:
    """Write the config with what the data decides filled in, and return its path."""
    from avzoo.apis.build import config_of, data_info_of
    from avzoo.apis.checkpoints import load_any_checkpoint
    from avzoo.apis.home import cache_home
    from avzoo.utils.files import atomic_write_text

    cfg = config_of(name)
    try:
        cfg.model.data_info = load_any_checkpoint(name)['meta']['data_info']
    except AvzooError:  # No weights, or none within reach: the hub will say so if it wants them.
        cfg.model.data_info = data_info_of(cfg)
    return atomic_write_text(cache_home() / 'configs' / f'{name}.py', cfg.pretty_text)


def _register_scheme() -> None:
    """Register ``avzoo://NAME`` with mmengine's checkpoint loader."""
    from mmengine.runner.checkpoint import CheckpointLoader

    from avzoo.apis.checkpoints import load_any_checkpoint

    def load(filename: str, map_location: Any = None, logger: Any = None) -> dict:
        return load_any_checkpoint(filename.removeprefix(SCHEME))

    CheckpointLoader.register_scheme(SCHEME, load, force=True)
