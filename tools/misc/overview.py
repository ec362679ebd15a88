"""Write the lists in the README: methods, data sets, tools and parts, from the index, the registries and the files."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from avzoo import registry
from avzoo.utils.tables import Markdown, markdown_table
from avzoo.zoo.benchmarks import BENCHMARKS
from avzoo.zoo.index import ModelEntry, read_collections

KINDS = (
    registry.ENCODERS,
    registry.EMBEDDINGS,
    registry.FUSIONS,
    registry.PROJECTORS,
    registry.HEADS,
    registry.CONDITIONERS,
    registry.GENERATORS,
)


def overview(root: Path) -> str:
    """Return two Markdown tables: the contents of the zoo, and what each part does.

    Args:
        root: Root of the repository.
    """
    zoo = markdown_table(('', ''), map(_as_markdown, _zoo_rows(root)), align_right=False)
    parts = markdown_table(('part', 'name', 'what it does'), map(_as_markdown, _part_rows()), align_right=False)
    return f'{zoo}\n\n{parts}'


def _as_markdown(row: Iterable[str]) -> list[Markdown]:
    return [Markdown(cell) for cell in row]


def _zoo_rows(root: Path) -> Iterator[tuple[str, str]]:
    collections = read_collections(root)
    yield 'Methods', ', '.join(f'[{c.name}]({c.meta["README"]})' for c in collections)
    for collection in collections:
        if variants := dict.fromkeys(filter(None, map(_variant, collection.models))):
            yield f'Variants of {collection.name}', _code(variants)
    yield 'Data sets', _data_sets()
    yield 'Shots', ', '.join(map(str, sorted({m.shots for c in collections for m in c.models})))
    for folder in ('', 'dataset_converters', 'model_converters', 'analysis_tools'):
        if tools := sorted(path for path in (root / 'tools' / folder).glob('*') if path.suffix in ('.py', '.sh')):
            yield f'`tools/{folder}`', _code(tool.name for tool in tools)


def _variant(model: ModelEntry) -> str:
    """Return the part of a name that distinguishes a variant from its method, e.g. ``-cross``."""
    return ''.join(re.findall(r'-[a-z]+', model.name))


def _data_sets() -> str:
    fetched = ', '.join(b.title for b in BENCHMARKS.values() if b.urls)
    generated = ', '.join(b.title for b in BENCHMARKS.values() if not b.urls)
    return f"{fetched} (the authors' features), {generated} (generated locally), custom (your own features)"


def _part_rows() -> Iterator[tuple[str, str, str]]:
    for kind in KINDS:
        for name in kind.names():
            part = kind.get(name)
            if part.__module__.startswith('avzoo.'):
                yield kind.name, f'`{name}`', summary(part.__doc__)


def summary(docstring: str) -> str:
    """Return the first line of a docstring as Markdown, without the period."""
    line = ' '.join(docstring.strip().split('\n\n')[0].split())
    return re.sub(r':class:`([^`]+)`|``([^`]+)``', lambda found: f'`{found[1] or found[2]}`', line).removesuffix('.')


def _code(names: Iterable[str]) -> str:
    return ', '.join(f'`{name}`' for name in names)
