"""What a page is made of: sections of text, tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avzoo.evaluation.generator_check import check_line
from avzoo.evaluation.report import interval_line, paired_text, results_rows
from avzoo.protocol import METRIC_NAMES
from avzoo.report.comparison import (
    base_novel_picture,
    config_differences,
    cost_picture,
    differences_table,
    draws_picture,
    labels_of,
)
from avzoo.report.figures import Picture, Table
from avzoo.report.numbers import class_counts, confusion, hardest_videos, worst_pairs
from avzoo.report.pictures import (
    confusion_picture,
    generator_picture,
    learning_pictures,
    reliability_picture,
    seen_unseen_picture,
)
from avzoo.report.run_files import Run, flat
from avzoo.utils.printable import printable
from avzoo.utils.tables import two_decimals
from avzoo.zoo.index import paper_results


@dataclass
class Section:
    """A part of a page.

    Attributes:
        title: Its heading, unique on the page.
        text: Paragraphs.
        tables: Tables by their caption.
        pictures: Figures.
    """

    title: str
    text: list[str] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The part of the address that leads here."""
        return self.title.lower().replace(' ', '-').replace(',', '')


def sections_of_run(run: Run, model: Sequence[Picture] | None = None) -> list[Section]:
    """Return the sections of one run's page; what the run did not keep is said to be missing.

    Args:
        run: The run.
        model: The pictures that need its model and its features, see :func:`model_pictures`.
    """
    sections = [_results(run)]
    if run.predictions:
        sections += [
            Section('Base and novel classes', pictures=[seen_unseen_picture(run)]),
            _recall(run),
            _confusions(run),
            _hardest(run),
        ]
        if len(run.scales) == len(run.draws):
            sections.append(Section('Calibration of probabilities', pictures=[reliability_picture(run)]))
    else:
        sections.append(Section('Predictions', ['The run kept no predictions, so what they would show is left out.']))
    sections += [_learning(run), *_generator(run)]
    if model is None:
        text = 'Left out: where real and synthetic features lie, and where attention goes. --with-model draws them.'
        sections.append(Section('Inside the model', [text]))
    else:
        sections.append(Section('Inside the model', pictures=list(model)))
    return [*sections, _provenance(run)]


def sections_of_comparison(runs: Sequence[Run]) -> list[Section]:
    """Return the sections of a page that compares runs on the same test; differences are to the first."""
    names = labels_of(runs)
    results = Table(('run', *METRIC_NAMES, 'draws', 'generator'), [])
    for run, name in zip(runs, names, strict=True):
        mean = run.results['aggregate']
        results.rows.append((name, *(_number(mean[key]) for key in METRIC_NAMES), len(run.draws), _learned(run)))
    cost = cost_picture(runs)
    return [
        Section('Results', [_setting(runs[0])], {'Means over the draws, per cent': results}, [draws_picture(runs)]),
        Section(
            'Differences',
            [
                'Differences within a draw, mean ± 95% interval over draws; in brackets the 95% interval of a '
                'bootstrap over test videos. A run is better or worse only where neither interval holds 0.'
            ],
            {'Paired differences, points': differences_table(runs)},
        ),
        Section('Base, novel and size', pictures=[base_novel_picture(runs), *([cost] if cost else [])]),
        _configuration(runs),
        Section(
            'Runs',
            tables={
                'Where they are': Table(('run', 'folder'), [(n, r.name) for n, r in zip(names, runs, strict=True)])
            },
        ),
    ]


def _configuration(runs: Sequence[Run]) -> Section:
    if not all(run.settings for run in runs):
        return Section('Configuration', ['A run has no curriculum.json any more, which holds its settings.'])
    return Section('Configuration', tables={'Keys that differ': config_differences(runs)})


def _setting(run: Run) -> str:
    results = run.results
    shots = results['num_shots']
    text = f'{results["dataset"]}, {shots} {"shot" if shots == 1 else "shots"}, seed {results["seed"]}.'
    if run.feature_set:
        text += f' Features: {run.feature_set}.'
    return printable(text)


def _results(run: Run) -> Section:
    table = Table(('method / draw', *METRIC_NAMES), [])
    for row in results_rows(run.results):
        table.rows.append((printable(row['name']), *(_number(row.get(key)) for key in METRIC_NAMES)))
    paper = paper_results(run.config_name)
    if paper:
        table.rows.append(('the paper', *(_number(paper.get(key)) for key in METRIC_NAMES)))
    gamma = run.results.get('gamma')
    said = f'Calibration gamma {gamma:.4g}: {run.results.get("gamma_source", "")}.' if gamma is not None else ''
    text = [_setting(run), said, interval_line(run.results['aggregate']), paired_text(run.results.get('paired'))]
    return Section('Results', [line for line in text if line], {'Accuracies, per cent': table})


def _learning(run: Run) -> Section:
    histories = {name: meta['history'] for name, meta in run.checkpoints.items() if meta.get('history')}
    if not histories:
        return Section('Learning', ['The checkpoints of the run are gone, and with them what training logged.'])
    table = Table(('phase', 'epochs', 'chosen', 'last loss', *METRIC_NAMES), [])
    for name, history in histories.items():
        decided = run.phases.get(name, {})
        metrics = decided.get('metrics') or {}
        loss = history[-1].get('loss')
        numbers = [_number(metrics.get(key)) for key in METRIC_NAMES]
        table.rows.append((name, len(history), decided.get('best_epoch', '-'), _number(loss, 4), *numbers))
    text = 'B to AUSUC: validation at the chosen epoch. A phase without validation takes its epochs from stage 1.'
    return Section('Learning', [text], {'Phases': table}, learning_pictures(run))


def _recall(run: Run) -> Section:
    first, counts = run.predictions[0], class_counts(run.predictions)
    recalls: Mapping[str, float] = run.results.get('per_class_recall') or {}
    table = Table(('class', 'kind', 'test videos', 'recall'), [])
    for name, base, count in zip(first['classes'], first['base_mask'], counts, strict=True):
        if count:
            table.rows.append(
                (printable(name), 'base' if base else 'novel', round(float(count), 1), _number(recalls.get(str(name))))
            )
    return Section('Recall by class', ['Mean over the draws, after calibration.'], {'Recall, per cent': table})


def _confusions(run: Run) -> Section:
    classes = [printable(name) for name in run.predictions[0]['classes']]
    pairs = worst_pairs(confusion(run.predictions))
    rows: list[tuple[object, ...]] = [
        (classes[true], classes[predicted], count, round(share, 1)) for true, predicted, count, share in pairs
    ]
    table = Table(('true class', 'taken for', 'videos, all draws', 'per cent of the class'), rows)
    return Section('Confusions', [], {'Most frequent confusions': table}, [confusion_picture(run)])


def _hardest(run: Run) -> Section:
    classes = run.predictions[0]['classes']
    rows: list[tuple[object, ...]] = [
        (
            printable(video['video_id']),
            printable(classes[video['label']]),
            printable(classes[video['predicted']]),
            f'{video["wrong"]} of {video["tests"]}',
            float(f'{video["margin"]:.3g}'),
        )
        for video in hardest_videos(run.predictions)
    ]
    table = Table(('video', 'class', 'taken for', 'wrong in draws', 'score too low by'), rows)
    return Section('Worst clips', ['Look at these first: some may be labelled wrongly.'], {'Worst clips': table})


def _generator(run: Run) -> list[Section]:
    checks = {name: phase['generator_check'] for name, phase in run.phases.items() if 'generator_check' in phase}
    checks |= {f'draw {r["draw"]}': r['generator_check'] for r in run.results['draws'] if 'generator_check' in r}
    if not checks:
        return []
    keys = list(dict.fromkeys(k for check in checks.values() for k, v in check.items() if isinstance(v, float)))
    rows: list[tuple[object, ...]] = [
        (name, 'yes' if check['learned'] else 'no', *(_number(check.get(key), 4) for key in keys))
        for name, check in checks.items()
    ]
    table = Table(('phase', 'learned', *(key.replace('_', ' ') for key in keys)), rows)
    lines = [f'{name}: {check_line(check)}' for name, check in checks.items()]
    picture = generator_picture(checks)
    tables = {'Generated against real features': table}
    return [Section('Has the generator learned', lines, tables, [picture] if picture else [])]


def _provenance(run: Run) -> Section:
    facts = {
        'folder': run.name,
        'method': run.results['method'],
        'dataset': run.results['dataset'],
        'choices of validation': ', '.join(str(one.get('chosen', one)) for one in run.results.get('choices') or []),
    }
    facts |= flat(run.provenance)
    for name, meta in run.checkpoints.items():
        facts[f'{name}: epoch'] = meta['epoch']
    for meta in list(run.checkpoints.values())[-1:]:
        facts |= {'avzoo': meta.get('avzoo_version'), 'values in the checkpoint': f'{meta["num_parameters"]:,}'}
        facts |= {f'features, {key}': value for key, value in (meta.get('feature_set') or {}).items()}
    rows: list[tuple[object, ...]] = [
        (key, printable(value)) for key, value in facts.items() if value not in (None, '')
    ]
    return Section('Where it comes from', tables={'Facts': Table(('fact', 'value'), rows)})


def _learned(run: Run) -> str:
    checks = [row['generator_check'] for row in run.results['draws'] if 'generator_check' in row]
    if not checks:
        return 'none'
    return 'learned' if all(check['learned'] for check in checks) else 'not learned'


def _number(value: Any, digits: int = 2) -> object:
    """Round a number for a table; what is unknown becomes a dash."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return two_decimals(None)
    return round(float(value), digits)
