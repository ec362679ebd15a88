"""Read the zoo's index: ``model-index.yml`` and the metafiles that it lists."""

import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from avzoo.config.types import check_types
from avzoo.protocol import TABLE_METRICS
from avzoo.utils.errors import AvzooError, ConfigError, first_line, nearest, shortened
from avzoo.utils.paths import stays_inside
from avzoo.utils.printable import quoted
from avzoo.utils.regular_files import MAX_FACTS, read_text

_NAME = re.compile(r'\w[\w.+-]{0,199}')  # It becomes a file name.
_NAME_RULE = 'use letters, digits, underscores, dots, plus and minus signs, a letter or a digit first'
_SHA256 = re.compile('[0-9a-f]{64}')


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
        parameters: Number of weights, or ``None`` if not counted.
        flops: Multiply-adds of one prediction on a clip of ten seconds, or ``None``.
        results: The entries ``Results`` of the metafile; ``Paper`` and ``Metrics`` hold values.
        weights: Locations of the zoo weights, URLs or files, in the order in which to try them; empty if there are
            none.
        sha256: Checksum of the zoo weights.
        size: Their size in bytes.
        licence: Their licence.
        released_url: Address of the authors' released models that include this one, if any: the zoo weights were made
            from them; if there are no zoo weights, tools/download.py imports them on this machine.
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

    @property
    def paper(self) -> str:
        """Title of its paper in Markdown, linked if the address is known; empty if it has none."""
        paper = self.meta.get('Paper') or {}
        return f'[{paper["Title"]}]({paper["URL"]})' if paper.get('URL') else paper.get('Title', '')


def zoo_root() -> Path:
    """Return the folder that holds ``model-index.yml`` and ``configs/``.

    That is the root of the repository, or ``.mim`` inside an installed package.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent, package / '.mim'):
        if (folder / 'model-index.yml').is_file() and (folder / 'configs').is_dir():
            return folder
    raise ConfigError(f'The model index is neither next to {package} nor in {package / ".mim"}. Install avzoo again.')


def read_index(root: str | os.PathLike[str] | None = None) -> dict[str, ModelEntry]:
    """Return all models of the index by name.

    Args:
        root: Folder of ``model-index.yml``; the zoo's own by default.
    """
    return {entry.name: entry for collection in read_collections(root) for entry in collection.models}


def read_collections(root: str | os.PathLike[str] | None = None) -> tuple[Collection, ...]:
    """Return the methods of the index, in order."""
    return _read_collections(Path(root) if root else zoo_root())


def find_model(name: str) -> ModelEntry:
    """Return the entry of a model.

    Raises:
        ConfigError: If the index has no such model; suggests the nearest.
    """
    index = read_index()
    if name not in index:
        raise ConfigError(f'The zoo has no model {quoted(name)}.{nearest(name, index)} `avzoo list` shows all names.')
    return index[name]


def paper_results(name: str) -> dict[str, float]:
    """Return what the paper reports for a model of the index, by metric; empty if it reports nothing."""
    entry = read_index().get(name)
    for result in entry.results if entry else ():
        if 'Paper' in result:
            return {key: result['Paper'][key] for key in TABLE_METRICS if key in result['Paper']}
    return {}


def check_model_name(name: str) -> None:
    """Refuse a model name that cannot be a file name.

    Raises:
        ConfigError: If the name is refused.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f'{name[:200]!r} cannot be the name of a model: {_NAME_RULE}.')


@lru_cache(maxsize=4)
def _read_collections(root: Path) -> tuple[Collection, ...]:
    collections: list[Collection] = []
    seen: dict[str, Path] = {}
    index = root / 'model-index.yml'
    for name in _items(_load(index), 'Import', str, index):
        path = root / _inside(name, index)
        meta = _load(path)
        all_models = _items(meta, 'Models', dict, path)
        for head in _items(meta, 'Collections', dict, path):
            if not isinstance(head.get('Name'), str):
                raise ConfigError(f'{path}: a collection has no Name.')
            models = tuple(_entry(root, path, m) for m in all_models if m.get('In Collection') == head['Name'])
            collections.append(Collection(head['Name'], path.parent, head, models))
            for model in models:
                if model.name in seen:
                    raise ConfigError(f"{path}: the model '{model.name}' is also in {seen[model.name]}; rename one.")
                seen[model.name] = path
    return tuple(collections)


def _items(content: dict[str, Any], key: str, kind: type, path: Path) -> list[Any]:
    """Return a list from a metafile, all of whose items have one type."""
    items = content.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
        raise ConfigError(f'{path}: {key} must be a list whose items are all of type {kind.__name__}.')
    return items


def _inside(where: str, path: Path) -> str:
    """Return a path relative to the folder of the index; it must stay within it."""
    if not stays_inside(where):
        raise ConfigError(f'{path}: {where!r} is outside the folder of the index. Use a path within it.')
    return where


def _entry(root: Path, path: Path, model: dict[str, Any]) -> ModelEntry:
    try:
        meta, results = model['Metadata'], tuple(model.get('Results') or ())
        if not _NAME.fullmatch(model['Name']):
            raise ValueError(_NAME_RULE)
        if not _SHA256.fullmatch(model.get('SHA256') or '0' * 64) or type(model.get('Size') or 0) is not int:
            raise ValueError('SHA256 must be 64 hex digits, Size a number of bytes')
        first = [model['Weights']] if model.get('Weights') else []
        entry = ModelEntry(
            name=model['Name'],
            config=root / _inside(model['Config'], path),
            method=model['In Collection'],
            dataset=results[0]['Dataset'],
            shots=meta['Shots'],
            features=meta['Features'],
            parameters=meta.get('Parameters'),
            flops=meta.get('FLOPs'),
            results=results,
            weights=tuple(_location(root, where, path) for where in [*first, *(model.get('Mirrors') or ())]),
            sha256=model.get('SHA256'),
            size=model.get('Size'),
            licence=model.get('License'),
            released_url=(model.get('Converted From') or {}).get('Weights'),
        )
        check_types(vars(entry), ModelEntry, '')
        return entry
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, ConfigError) as error:
        raise ConfigError(
            f'{path}: the entry {str(model.get("Name"))[:200]!r} is incomplete '
            f'({type(error).__name__}: {shortened(error)}). '
            'Complete it; configs/avdiff/metafile.yml is an example.'
        ) from error


def _location(root: Path, where: str, path: Path) -> str:
    """Return a web URL unchanged; return the path of a file within the index's folder."""
    return where if where.startswith(('http://', 'https://')) else str(root / _inside(where, path))


def _parse(text: str) -> Any:
    """Read YAML with libyaml, ten times as fast, unless the text might nest deeply enough to overflow its stack."""
    is_shallow = max(map(len, text.split('\n'))) + text.count('[') + text.count('{') < 2000
    fast = getattr(yaml, 'CSafeLoader', None)  # Not in every build of PyYAML.
    return yaml.load(text, Loader=fast if fast is not None and is_shallow else yaml.SafeLoader)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = _parse(read_text(path, at_most=MAX_FACTS))
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        line = f'line {mark.line + 1}: ' if mark else ''
        reason = getattr(error, 'problem', None) or first_line(error)
        raise ConfigError(f'{path} is not valid YAML: {line}{reason}. Restore it.') from error
    except (OSError, ValueError, RecursionError, AvzooError) as error:
        raise ConfigError(f'{path} cannot be read: {error}') from error
    if not isinstance(content, dict):
        raise ConfigError(f'{path} is not a mapping. See configs/avdiff/metafile.yml for the layout.')
    return content
