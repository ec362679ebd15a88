"""Where the configs and the index of the zoo lie: in the repository, or inside an installed package."""

from pathlib import Path

from avzoo.utils.errors import ConfigError


def zoo_root() -> Path:
    """Return the folder that holds ``configs``: the repository first, else ``avzoo/.mim`` of an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent, package / '.mim'):
        if (folder / 'configs' / '_base_').is_dir():
            return folder
    raise ConfigError(f'Neither {package.parent} nor {package / ".mim"} holds configs. Install avzoo again.')
