"""Refuse a run whose processes do not work on the same task."""

from collections.abc import Mapping
from pathlib import Path

import mmengine.dist as dist
from mmengine.config import Config

from avzoo.utils.errors import ConfigError
from avzoo.utils.files import sha256_of


def check_same_everywhere(cfg: Config, work_dir: Path, phases: Mapping[str, object]) -> None:
    """Compare the config, the store, the work directory and the finished phases of all processes.

    The store may be in a different place on each machine, as long as its content is the same.

    Args:
        cfg: The config of the curriculum.
        work_dir: Where everything is written.
        phases: What this process read about finished phases.

    Raises:
        ConfigError: In every process, if two differ; names both and what each has.
    """
    if dist.get_world_size() == 1:
        return
    store = Path(cfg.data_root, 'store.json')
    digest = sha256_of(store) if store.is_file() else 'no store'
    settings = Config({key: value for key, value in cfg.items() if key not in ('data_root', 'work_dir')})
    facts = {
        'store': (digest, f'{store.parent.absolute()} ({digest[:12]})'),
        'work directory': (str(work_dir.absolute()),) * 2,
        'config': (settings.to_dict(), f'{cfg.method}, seed {cfg.randomness.seed}, ...'),
        'finished phases': (sorted(phases), ', '.join(sorted(phases)) or 'none'),
    }
    first, *others = dist.all_gather_object(facts)
    for rank, other in enumerate(others, 1):
        for name, (value, shown) in first.items():
            if other[name][0] != value:
                raise ConfigError(
                    f'the processes of this run differ in their {name}: process 0 has {shown}, process {rank} has '
                    f'{other[name][1]}. Start all with the same command in the same folder.'
                )
