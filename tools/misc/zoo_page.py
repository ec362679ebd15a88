"""Write the zoo's pages from its metafiles: the page with all models, and the tables in the READMEs."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from avzoo.protocol import TABLE_METRICS
from avzoo.utils.errors import ConfigError
from avzoo.utils.tables import Markdown, markdown_table, two_decimals
from avzoo.zoo.benchmarks import BENCHMARKS, RELEASED_MODELS
from avzoo.zoo.index import Collection, ModelEntry, read_collections
from front_page import first_run
from overview import overview

BEGIN, END = '<!-- made by tools/misc/make_model_zoo.py -->', '<!-- end of what is made -->'
_HEAD = (
    'config',
    'data set',
    'shots',
    'parameters, M',
    'multiply-adds, M',
    'paper: B / N / HM / FSL, table',
    'ours: B / N / HM / FSL',
    'checkpoint',
)
_PAGE = """# Model zoo

{begin}

Names, numbers and files of all models, from `model-index.yml` and the metafiles. Results are in per cent. *parameters*
counts all parts; *multiply-adds* is for one prediction on ten seconds. *paper* is what the AV-DIFF paper reports, with
the number of its table. *ours* is the mean over the draws, with HM computed from mean B and mean N; with several seeds,
each number is the mean over them. Intervals (95%, over draws or seeds) are those of HM. An empty cell is a number that
the paper's tables do not give, or a config that was not run. A *checkpoint* is from one draw; for weights in the
repository, `weights/NAME.results.json` has its numbers.

*to import* marks weights released by others: `tools/download.py NAME --data-root STORE` fetches and imports them, if
the archive holds the model. [Use a trained model](inference.md) shows how to list models and load them by name.

{methods}

## Released by the authors of AV-DIFF

They publish no checksums, so the first download cannot be verified; its SHA-256 is recorded in the cache, and later
downloads must match it. No licence is stated for the models.

{released}

{end}
"""


def zoo_files(root: Path) -> dict[Path, str]:
    """Return the content of each generated file: ``docs/model_zoo.md``, the READMEs, and the first page of the site
    if there is one.

    Args:
        root: Root of the repository.
    """
    collections = read_collections(root)
    files = {root / 'docs' / 'model_zoo.md': _page(collections, root)}
    files[root / 'README.md'] = _with_block(root / 'README.md', overview(root))
    if (front := root / 'docs/index.md').is_file():
        files[front] = _with_block(front, first_run(root))
    for folder in dict.fromkeys(collection.folder for collection in collections):
        models = [m for c in collections if c.folder == folder for m in c.models]
        readme = folder / 'README.md'
        page = os.path.relpath(root / 'docs' / 'model_zoo.md', folder)
        legend = f'Per cent; [the model zoo]({page}) explains the columns.'
        files[readme] = _with_block(readme, f'{legend}\n\n{table(models, folder)}')
    return files


def table(models: Sequence[ModelEntry], origin: Path) -> str:
    """Return models as a Markdown table, with links relative to the folder ``origin``."""
    return markdown_table(_HEAD, [_row(model, origin) for model in models], align_right=False)


def _page(collections: Sequence[Collection], root: Path) -> str:
    parts = []
    for collection in collections:
        paper = f'{collection.paper}. ' if collection.paper else ''
        readme = os.path.relpath(root / collection.meta['README'], root / 'docs')
        parts.append(
            f'## {collection.name}\n\n{paper}[How it is implemented here]({readme}).\n\n'
            + table(collection.models, root / 'docs')
        )
    released = [('models', RELEASED_MODELS[0], '`tools/download.py avdiff_ucf_5shot --data-root data/ucf_fsl`')]
    released += [
        (f'features of {b.title}', b.urls[0], f'`tools/download.py --dataset {b.key}`')
        for b in BENCHMARKS.values()
        if b.urls
    ]
    rows = [(what, Markdown(f'`{url}`'), Markdown(how)) for what, url, how in released]
    table_of_released = markdown_table(('what', 'address', 'fetched and imported by'), rows, align_right=False)
    return _PAGE.format(begin=BEGIN, end=END, methods='\n\n'.join(parts), released=table_of_released)


def _with_block(path: Path, content: str) -> str:
    """Return a file's text with the part between the two marks replaced."""
    text = path.read_text(encoding='utf-8')
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f'{path} has no place for its table. Add the two lines {BEGIN} and {END}.')
    return f'{before}{begin}\n\n{content}\n\n{end}{after}'


def _row(model: ModelEntry, origin: Path) -> tuple[str, ...]:
    result = model.results[0]
    config = os.path.relpath(model.config, origin)
    return (
        Markdown(f'[{model.name}]({config})'),
        model.dataset,
        str(model.shots),
        _millions(model.parameters),
        _millions(model.flops),
        _paper(result.get('Paper')),
        _ours(result.get('Metrics')),
        Markdown(_checkpoint(model, origin)),
    )


def _paper(values: dict | None) -> str:
    return f'{_numbers(values)}, Table {values["Table"]}' if values else ''


def _numbers(values: dict) -> str:
    return ' / '.join(two_decimals(values.get(key)) for key in TABLE_METRICS)


def _ours(values: dict | None) -> str:
    if not values:
        return ''
    text = _numbers(values)
    if values.get('CI95') is not None:
        text += f' (± {values["CI95"]:.2f})'
    seeds = values.get('Seeds')
    return text + (f', seed{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}' if seeds else '')


def _millions(value: int | None) -> str:
    return '' if value is None else f'{value / 1e6:.2f}'


def _checkpoint(model: ModelEntry, origin: Path) -> str:
    if not model.weights:
        return _to_import(model)
    place = model.weights[0]
    link = place if '://' in place else os.path.relpath(place, origin)
    size = f'{model.size / 1e6:.1f} MB' if model.size else 'file'
    text = f'[{size}]({link})' + (f', `{model.sha256[:12]}`' if model.sha256 else '')
    return text + (f', imported from {model.released_url}' if model.released_url else '')


def _to_import(model: ModelEntry) -> str:
    if model.released_url is None:
        return ''
    return (
        f'to import: [{PurePosixPath(model.released_url).name}]({model.released_url}), '
        f'licence {model.licence or "not stated"}, no checksum published'
    )
