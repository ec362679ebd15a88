"""Read the zoo's index: ``model-index.yml`` and the metafiles that it names."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from avzoo.utils.errors import ConfigError, nearest


@dataclass(frozen=True)
class ModelEntry:
    """One model of the zoo, as its metafile describes it.

    Attributes:
        name: Name of the model: the stem of its config.
        config: The config file.
        method: Name of the collection, e.g. ``AV-DIFF``.
        dataset: E.g. ``UCF-FSL``.
        shots: Videos per novel class.
        features: Feature set, e.g. ``VGGish + C3D``.
        parameters: Number of weights, or ``None`` where it was not counted.
        flops: Multiply-adds of one prediction on a clip of ten seconds, or ``None``.
        results: The entries ``Results`` of the metafile; ``Paper`` and ``Metrics`` hold values.
        weights: Locations of the zoo weights, URLs or files, in the order in which they are tried; empty if there are
            none.
        sha256: Checksum of the zoo weights.
        size: Their size in bytes.
        licence: Their licence.
        released_url: Address of the authors' released models that hold this one, if any: the zoo weights were made of
            them, or, where there are none, tools/download.py imports them on this machine.
    """

    name: str
    config: Path
    method: str
    dataset: str
    shots: int
    features: str
    parameters: int | None = None
    flops: int | None = None
    results: tuple[dict[str, Any], ...] = ()
    weights: tuple[str, ...] = ()
    sha256: str | None = None
    size: int | None = None
    licence: str | None = None
    released_url: str | None = None


@dataclass(frozen=True)
class Collection:
    """One folder of configs: a method.

    Attributes:
        name: Name of the method.
        folder: The folder.
        meta: Its entry in the metafile.
        models: Its models, in the metafile's order.
    """

    name: str
    folder: Path
    meta: dict[str, Any]
    models: tuple[ModelEntry, ...] = field(default=())


def zoo_root() -> Path:
    """Return the folder that holds ``model-index.yml`` and ``configs/``.

    That is the root of the repository, or ``.mim`` inside an installed package.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent, package / '.mim'):
        if (folder / 'model-index.yml').is_file() and (folder / 'configs').is_dir():
            return folder
    raise ConfigError(f'The model index is neither beside {package} nor in {package / ".mim"}; install avzoo again.')


def read_index(root: Path | None = None) -> dict[str, ModelEntry]:
    """Return all models of the index by name.

    Args:
        root: Folder of ``model-index.yml``; the zoo's own by default.
    """
    return {entry.name: entry for collection in read_collections(root) for entry in collection.models}


def read_collections(root: Path | None = None) -> tuple[Collection, ...]:
    """Return the methods of the index, in its order."""
    return _read_collections(Path(root) if root else zoo_root())


def find_model(name: str) -> ModelEntry:
    """Return the entry of a model.

    Raises:
        ConfigError: If the index has no such model; names the nearest.
    """
    index = read_index()
    if name not in index:
        raise ConfigError(f"The zoo has no model '{name}'.{nearest(name, index)} avzoo.list_models() shows all names.")
    return index[name]


@lru_cache(maxsize=4)
def _read_collections(root: Path) -> tuple[Collection, ...]:
    imports = _load(root / 'model-index.yml').get('Import') or []
    collections: list[Collection] = []
    seen: dict[str, Path] = {}
    for name in imports:
        path = root / name
        meta = _load(path)
        for head in meta.get('Collections') or []:
            models = tuple(
                _entry(root, path, model)
                for model in meta.get('Models') or []
                if model.get('In Collection') == head['Name']
            )
            collections.append(Collection(head['Name'], path.parent, head, models))
            for model in models:
                if model.name in seen:
                    raise ConfigError(f"{path}: the model '{model.name}' is also in {seen[model.name]}; rename one.")
                seen[model.name] = path
    return tuple(collections)


def _entry(root: Path, path: Path, model: dict[str, Any]) -> ModelEntry:
    try:
        meta, results = model['Metadata'], tuple(model.get('Results') or ())
        first = [model['Weights']] if model.get('Weights') else []
        return ModelEntry(
            name=model['Name'],
            config=root / model['Config'],
            method=model['In Collection'],
            dataset=results[0]['Dataset'],
            shots=int(meta['Shots']),
            features=meta['Features'],
            parameters=meta.get('Parameters'),
            flops=meta.get('FLOPs'),
            results=results,
            weights=tuple(_location(root, where) for where in [*first, *(model.get('Mirrors') or ())]),
            sha256=model.get('SHA256'),
            size=model.get('Size'),
            licence=model.get('License'),
            released_url=(model.get('Converted From') or {}).get('Weights'),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: the entry '{model.get('Name')}' is incomplete ({type(error).__name__}: {error})."
        ) from error


def _location(root: Path, where: str) -> str:
    """Return a URL unchanged, and a path relative to the index's folder."""
    return where if '://' in where else str(root / where)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f'{path} cannot be read: {error}') from error
    if not isinstance(content, dict):
        raise ConfigError(f'{path} is not a mapping; see configs/avdiff/metafile.yml for the layout.')
    return content
