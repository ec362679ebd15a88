"""Let ``mmengine.hub`` find the zoo's configs and weights, also in an editable install.

Two private functions of ``mmengine.config.utils`` (0.10.7) are replaced. Both take the path of a package and a name;
for packages other than avzoo the original is still used.

``_get_cfg_metainfo`` reads ``.mim/model-index.yml`` in the package, which an editable install does not have, and
returns the metafile's entry for the config ``METHOD/NAME.py``. ``hub.get_config`` reads the entry's ``Config`` and
returns its ``Weights`` as ``cfg.model_path``; ``hub.get_model`` builds the model from this config alone, though the
data determines its widths. For avzoo the entry names a config with these widths filled in, and ``avzoo://NAME`` as
weights. (``_get_external_cfg_path`` calls it too, for a base ``avzoo::METHOD/NAME.py`` in ``Config.fromfile``, but with
the name without ``.py``, which has no entry, so that the next function is called.)

``_get_external_cfg_base_path`` returns the path of a config without an entry, in ``.mim/configs``. For avzoo it is
looked up in the zoo's folder.

``hub`` imports both by name and ``mmengine.config.config`` the second, so they are replaced there too. The weights are
loaded through a public extension point, ``CheckpointLoader.register_scheme``: mmengine's own loaders do not check the
hash and may run code in the file.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config, config, utils

from avzoo.checkpoints.trained_config import check_trained_config
from avzoo.utils import compat
from avzoo.utils.cache import cache_home, temporary_folder
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.files import atomic_write_text
from avzoo.utils.paths import stays_inside
from avzoo.zoo.benchmarks import find_benchmark
from avzoo.zoo.build import build_trained, config_of, data_info_of
from avzoo.zoo.fetch import DownloadError
from avzoo.zoo.index import ModelEntry, find_model, read_index, zoo_root
from avzoo.zoo.weights import load_any_checkpoint

SCHEME = 'avzoo://'


def patch_hub() -> None:
    """Let mmengine's lookups find avzoo. May be called more than once."""
    compat.patch_mmengine()
    replacements = {
        '_get_cfg_metainfo': _Lookup.replacing(utils._get_cfg_metainfo, _metainfo),
        '_get_external_cfg_base_path': _Lookup.replacing(utils._get_external_cfg_base_path, _config_path),
    }
    for module in filter(None, (utils, config, sys.modules.get('mmengine.hub.hub'))):
        for name, replacement in replacements.items():
            if hasattr(module, name):
                setattr(module, name, replacement)


class _Lookup:
    """A lookup that calls ``answer`` for avzoo, and ``original`` for every other package."""

    def __init__(self, original: Callable[[str, str], Any], answer: Callable[[str], Any]) -> None:
        self.original = original
        self.answer = answer

    @classmethod
    def replacing(cls, original: Callable[[str, str], Any], answer: Callable[[str], Any]) -> '_Lookup':
        return original if isinstance(original, cls) else cls(original, answer)

    def __call__(self, package_path: str, name: str) -> Any:
        return self.answer(name) if Path(package_path).name == 'avzoo' else self.original(package_path, name)


def _config_path(name: str) -> str:
    """Return the path of ``METHOD/NAME.py`` or of a base config."""
    path = zoo_root() / 'configs' / name
    if not stays_inside(name) or not path.is_file():
        raise FileNotFoundError(f'avzoo has no config {name}: there is no file {path}.')
    return str(path)


def _metainfo(name: str) -> dict[str, Any]:
    """Return the entry for the config ``METHOD/NAME.py``: a complete config and its weights.

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
    """Write the config with the data-dependent settings filled in, and return its path.

    It is JSON because mmengine runs a ``.py`` file: names of modalities come from stores and checkpoints, and
    ``Config.pretty_text`` does not escape them.
    """
    text = json.dumps(_complete_config(entry).to_dict(), indent=2)
    # mmengine replaces {{ ... }} in the text of any config, e.g. with an environment variable. In JSON two adjacent
    # braces occur only inside a string.
    text = text.replace('{{', '{\\u007b')
    try:
        return atomic_write_text(cache_home() / 'configs' / f'{entry.name}.json', text)
    except OSError:  # The cache may be shared and read-only.
        return atomic_write_text(temporary_folder() / 'configs' / f'{entry.name}.json', text)


def _complete_config(entry: ModelEntry) -> Config:
    """Return the config with the widths and classes of its data, if known.

    They are those of the benchmark; for other data those of the zoo weights, else of the store at ``data_root``. If
    there is none of these, they are left out, and ``get_model`` needs ``data_info``.
    """
    cfg = config_of(entry.config)
    benchmark = find_benchmark(entry.dataset)
    if entry.weights and benchmark is not None:
        cfg.model.data_info = benchmark.data_info
        return cfg
    with contextlib.suppress(ConfigError, DataError, DownloadError):  # If missing, loading the weights raises it.
        cfg.model.data_info = (
            load_any_checkpoint(entry.name)['meta']['data_info'] if entry.weights else data_info_of(cfg)
        )
    return cfg


def _register_scheme() -> None:
    """Register ``avzoo://NAME`` with mmengine's checkpoint loader."""
    from mmengine.runner.checkpoint import CheckpointLoader  # Takes seconds, needed only for the hub.

    CheckpointLoader.register_scheme(SCHEME, load_from_avzoo, force=True)


def load_from_avzoo(filename: str, map_location: Any = None, logger: Any = None) -> dict[str, Any]:
    """Read the weights of ``avzoo://NAME``.

    Raises:
        CheckpointError: If they do not fit the model that the hub builds: mmengine would only warn, and parts that do
            not fit would keep their random weights.
    """
    name = filename.removeprefix(SCHEME)
    checkpoint = load_any_checkpoint(name)
    cfg = _complete_config(find_model(name))
    check_trained_config(cfg, checkpoint['meta'], name)
    build_trained(cfg, cfg.model.data_info, checkpoint['state_dict'], name)
    return checkpoint
