"""Building a data set, which may be of the user's own type."""

import inspect
from typing import Any

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.registry import DATASETS
from avzoo.utils.errors import ConfigError

# What a run asks of a data set.
_NEEDED = (
    '__len__',
    '__getitems__',
    'store',
    'splits',
    'videos',
    'labels',
    'class_ids',
    'base_mask',
    'metainfo',
    'data_info',
)
_CURE = 'Derive it from GFSLDataset, and override what differs.'


def build_dataset(cfg: dict[str, Any]) -> GFSLDataset:
    """Build the data set of a loader.

    Args:
        cfg: Its config: ``type`` and the arguments that the curriculum fills in.

    Raises:
        ConfigError: If a user's own type does not accept these arguments, or lacks what a run needs.
    """
    kind = DATASETS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    if not isinstance(kind, type) or issubclass(kind, GFSLDataset):
        return DATASETS.build(cfg)
    arguments = {name: value for name, value in cfg.items() if name != 'type'}
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        takes = ', '.join(arguments)
        raise ConfigError(f'dataset: {kind.__name__} must accept ({takes}): {error}. {_CURE}') from None
    dataset = DATASETS.build(cfg)
    # The type is asked first: a property may take long.
    if lacking := [name for name in _NEEDED if not hasattr(kind, name) and not hasattr(dataset, name)]:
        raise ConfigError(f'dataset: {kind.__name__} has no {", ".join(lacking)}. {_CURE}')
    return dataset
