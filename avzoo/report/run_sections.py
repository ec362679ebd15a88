"""The sections of the page for one run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from avzoo.evaluation.generator_check import check_line
from avzoo.evaluation.report import interval_line, paired_text, results_rows
from avzoo.protocol import METRIC_NAMES
from avzoo.report.figures import Table
from avzoo.report.numbers import class_counts, confusion, hardest_videos, tested_columns, worst_pairs
from avzoo.report.pictures import (
    confusion_picture,
    generator_picture,
    learning_pictures,
    reliability_picture,
    seen_unseen_picture,
)
from avzoo.report.run_files import Run
from avzoo.report.run_settings import flat
from avzoo.report.section import Section, rounded, rounded_seconds
from avzoo.utils.printable import printable
from avzoo.zoo.index import paper_results

_COPIES = (
    'Does it copy the shots? Nearest is shot: per cent of the generated features that are nearer to a shot than to any '
    'held-out feature. Shot distance ratio: the median distance to the nearest shot over that to the nearest held-out '
    'feature, near 0 for copies. The value next to each is that of real features, which copy nothing.'
)


def sections_of_run(run: Run, model: Sequence[Section] = ()) -> list[Section]:
    """Return the sections of one run's page, which report what the run did not keep.

    Args:
        run: The run.
        model: The sections that need its model and its features, see :func:`model_section`.
    """
    text = 'Left out: real and synthetic features, and attention. --with-model draws them.'
    inside = model or [Section('Inside the model', [text])]
    return [_results(run), *_tests(run), _learning(run), *_generator(run), *inside, _provenance(run)]


def _tests(run: Run) -> list[Section]:
    """Return the sections based on the predictions of the tests."""
    if not run.predictions:
        text = 'Not every draw of the run has its predictions.npz, so the sections based on them are left out.'
        return [Section('Predictions', [text])]
    calibration = Section('Calibration of probabilities')
    if run.scales:
        calibration.pictures.append(reliability_picture(run))
    else:
        calibration.text.append(
            'Left out: a draw has no readable checkpoint, which would have the scale of its scores.'
        )
    return [
        Section('Base and novel classes', pictures=[seen_unseen_picture(run)]),
        _recall(run),
        _confusions(run),
        _hardest(run),
        calibration,
    ]


def _results(run: Run) -> Section:
    table = Table(('method / draw', *METRIC_NAMES), [])
    for row in results_rows(run.results):
        table.rows.append((printable(row['name']), *(rounded(row.get(key)) for key in METRIC_NAMES)))
    paper = paper_results(run.config_name)
    if paper:
        table.rows.append(('the paper', *(rounded(paper.get(key)) for key in METRIC_NAMES)))
    gamma = run.results.get('gamma')
    said = f'Calibration gamma {gamma:.4g}: {run.results.get("gamma_source", "")}.' if gamma is not None else ''
    setting = f'{run.setting} Seed {run.results.get("seed", "unknown")}.'
    text = [setting, said, interval_line(run.results['aggregate']), _paired(run)]
    return Section('Results', [line for line in text if line], {'Accuracies, per cent': table})


def _paired(run: Run) -> str:
    text = paired_text(run.results.get('paired'))
    return f'{printable(run.results["method"])} {text}' if text else ''


def _learning(run: Run) -> Section:
    damaged = [printable(text) for text in run.damaged]
    if not run.histories:
        text = 'The run has neither checkpoints nor history.jsonl, which hold the training log.'
        return Section('Learning', [text, *damaged])
    table = Table(('phase', 'epochs', 'chosen', 'last loss', *METRIC_NAMES, 'seconds', 'peak MB'), [])
    for name, history in run.histories.items():
        decided = run.phases.get(name, {})
        metrics = decided.get('metrics') or {}
        numbers = [rounded(metrics.get(key)) for key in METRIC_NAMES]
        seconds = [entry['seconds'] for entry in history if 'seconds' in entry]
        memory = max((entry['memory_mb'] for entry in history if 'memory_mb' in entry), default=None)
        spent = rounded_seconds(sum(seconds) if len(seconds) == len(history) else None), rounded(memory, 0)
        best, loss = decided.get('best_epoch', '-'), rounded(history[-1].get('loss'), 4)
        table.rows.append((name, len(history), best, loss, *numbers, *spent))
    text = 'B to AUSUC: validation at the chosen epoch. A phase without validation gets its epochs from stage 1.'
    return Section('Learning', [text, *damaged], {'Phases': table}, learning_pictures(run))


def _recall(run: Run) -> Section:
    first, counts = run.predictions[0], class_counts(run.predictions)
    recalls: Mapping[str, float] = run.results.get('per_class_recall') or {}
    table = Table(('class', 'row', 'kind', 'test videos', 'recall'), [])
    for row, column in enumerate(tested_columns(run.predictions)):
        name, kind = first['classes'][column], 'base' if first['base_mask'][column] else 'novel'
        count = rounded(counts[column], 0 if counts[column].is_integer() else 1)
        table.rows.append((printable(name), row, kind, count, rounded(recalls.get(str(name)))))
    text = ['Mean over the draws, after calibration. The row is the one in the confusion matrix.']
    if untested := int((counts == 0).sum()):
        text.append(f'Classes without test videos, which do not affect any number on this page: {untested}.')
    return Section('Recall by class', text, {'Recall, per cent': table})


def _confusions(run: Run) -> Section:
    classes = [printable(name) for name in run.predictions[0]['classes']]
    pairs = worst_pairs(confusion(run.predictions))
    rows: list[tuple[object, ...]] = [
        (classes[true], classes[predicted], count, round(share, 2)) for true, predicted, count, share in pairs
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
    return Section('Worst clips', ['Check these first: some may be labelled wrongly.'], {'Worst clips': table})


def _generator(run: Run) -> list[Section]:
    found = {name: phase.get('generator_check') for name, phase in run.phases.items()}
    found |= {f'draw {row["draw"]}': row.get('generator_check') for row in run.results['draws']}
    checks = {name: _with_nan(check) for name, check in found.items() if check}
    if not checks:
        return []
    keys = list(dict.fromkeys(k for check in checks.values() for k, v in check.items() if isinstance(v, float)))
    rows: list[tuple[object, ...]] = [
        (name, 'yes' if check['learned'] else 'no', *(rounded(check.get(key), 4) for key in keys))
        for name, check in checks.items()
    ]
    table = Table(('phase', 'learned', *(key.replace('_', ' ') for key in keys)), rows)
    lines = [f'{name}: {check_line(check)}' for name, check in checks.items()]
    if 'nearest_is_shot' in keys:
        lines.append(_COPIES)
    picture = generator_picture(checks)
    tables = {'Generated against real features': table}
    return [Section('Has the generator learned', lines, tables, [picture] if picture else [])]


def _with_nan(check: Mapping[str, Any]) -> dict[str, Any]:
    """Return a check with NaN in place of null in the file."""
    return {key: math.nan if value is None else value for key, value in check.items()}


def _provenance(run: Run) -> Section:
    facts = {
        'folder': run.name,
        'method': run.results['method'],
        'dataset': run.results['dataset'],
        'choices of validation': ', '.join(str(one.get('chosen', one)) for one in run.results.get('choices') or []),
    }
    facts |= flat(run.provenance)
    for name, meta in run.checkpoints.items():
        facts[f'{name}: epoch'] = meta.get('epoch')
    for meta in list(run.checkpoints.values())[-1:]:
        facts |= {'avzoo of the checkpoints': meta.get('avzoo_version')}
        facts |= {f'features, {key}': value for key, value in (meta.get('feature_set') or {}).items()}
    rows: list[tuple[object, ...]] = [
        (key, printable(value)) for key, value in facts.items() if value not in (None, '')
    ]
    return Section('Where it comes from', tables={'Facts': Table(('fact', 'value'), rows)})
