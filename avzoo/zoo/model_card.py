"""Model cards for the Hugging Face Hub: metadata as YAML, then Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from avzoo.protocol import TABLE_METRICS
from avzoo.utils.tables import markdown_table, two_decimals
from avzoo.zoo.index import Collection, ModelEntry

TAGS = ('audio-visual', 'few-shot-learning')
_TASK = 'video-classification'  # The Hub's name for it.
_MEANING = {
    'B': 'mean accuracy over base classes, predicted among all classes',
    'N': 'mean accuracy over novel classes, predicted among all classes',
    'HM': 'harmonic mean of B and N',
    'FSL': 'mean accuracy over novel classes, predicted among these only',
}
_BODY = """# {name}

{method} for {dataset}, {shots} {videos} per novel class, on {features} features. {parameters}

{title}

## Results

{table}

{origin}

## Use

```python
import avzoo

model = avzoo.get_model({arguments})
```
"""


def card(facts: Mapping[str, Any], body: str) -> str:
    """Return a model card.

    Args:
        facts: Its front matter, besides the library and the tags that all avzoo cards have.
        body: Its text.
    """
    head = dict(library_name='avzoo', tags=[*TAGS, *facts.get('tags', ())])
    front = yaml.safe_dump({**facts, **head}, sort_keys=False, allow_unicode=True)
    return f'---\n{front}---\n\n{body}'


def model_card(entry: ModelEntry, collection: Collection) -> str:
    """Return the card of a zoo model, with the numbers from its metafile.

    Args:
        entry: The model.
        collection: Its method.
    """
    facts: dict[str, Any] = dict(
        license=(entry.licence or 'unknown').lower(),
        pipeline_tag=_TASK,
        tags=[entry.method.lower().replace(' ', '-')],
        datasets=[entry.dataset.lower()],
        metrics=['accuracy'],
    )
    if ours := [result for result in entry.results if result.get('Metrics')]:
        facts['model-index'] = [dict(name=entry.name, results=[_result(result) for result in ours])]
    return card(facts, _body(entry, collection))


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result from the metafile as an entry of the Hub's ``model-index``."""
    values = result['Metrics']
    return dict(
        task=dict(type=_TASK, name=result.get('Task', _TASK)),
        dataset=dict(type=result['Dataset'].lower(), name=result['Dataset']),
        metrics=[
            dict(type='harmonic_mean' if key == 'HM' else 'accuracy', name=key, value=values[key])
            for key in TABLE_METRICS
            if values.get(key) is not None
        ],
    )


def _body(entry: ModelEntry, collection: Collection) -> str:
    return _BODY.format(
        name=entry.name,
        method=entry.method,
        dataset=entry.dataset,
        shots=entry.shots,
        videos='video' if entry.shots == 1 else 'videos',
        features=entry.features,
        parameters=f'{entry.parameters:,} parameters.' if entry.parameters else '',
        title=f'Paper: {collection.paper}.' if collection.paper else '',
        table=_table(entry),
        origin=_origin(entry),
        arguments=f"'{entry.name}'" + (', pretrained=True' if entry.weights or entry.released_url else ''),
    )


def _table(entry: ModelEntry) -> str:
    rows = []
    for result in entry.results:
        for key, title in (('Metrics', 'these settings, run with avzoo'), ('Paper', 'reported in the AV-DIFF paper')):
            if values := result.get(key):
                rows.append((f'{result["Dataset"]}, {title}', *(two_decimals(values.get(m)) for m in TABLE_METRICS)))
    meaning = '; '.join(f'{key}: {text}' for key, text in _MEANING.items())
    table = markdown_table(('per cent', *TABLE_METRICS), rows) if rows else 'None yet.'
    return f'{table}\n\n{meaning}.'


def _origin(entry: ModelEntry) -> str:
    """Say where the weights come from, how to verify them, and which of the results they belong to."""
    if not entry.weights:
        released = (
            f'`avzoo download {entry.name} --data-root STORE` imports the released weights: {entry.released_url}.'
        )
        return released if entry.released_url else 'No weights are published.'
    lines = ['The results are means over draws of the shots; the weights are from one draw.']
    lines += [f'Seeds: {", ".join(map(str, seeds))}.' for one in entry.results if (seeds := _seeds(one))]
    lines += [f'SHA-256 of the weights: `{entry.sha256}`.'] if entry.sha256 else []
    lines += [f'Made from weights released by the authors: {entry.released_url}.'] if entry.released_url else []
    return ' '.join(lines)


def _seeds(result: Mapping[str, Any]) -> Sequence[int]:
    return (result.get('Metrics') or {}).get('Seeds') or ()
