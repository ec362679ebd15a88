"""Runs that are damaged, unfinished or do not belong together."""

import errno
import json
import math

import numpy as np
import pytest

from avzoo.evaluation.predictions import write_arrays
from avzoo.report.leaderboard import leaderboard
from avzoo.report.pictures import learning_pictures, seen_unseen_picture
from avzoo.report.report import write_report
from avzoo.report.run_files import read_run
from avzoo.report.run_sections import sections_of_run
from avzoo.utils.errors import CheckpointError, ConfigError, DataError
from tests.report.conftest import BASE, run_tool_file, write_run

CHANGES = [
    dict(dataset='other'),
    dict(num_shots=1),
    dict(provenance=dict(store=dict(features={'audio': 'other'}))),
    dict(provenance=dict(store=dict(sha256='other'))),
]


@pytest.mark.parametrize('change', CHANGES)
def test_runs_that_were_tested_otherwise_are_not_compared(tmp_path, change):
    named = dict(store=dict(features={'audio': 'clap'}, sha256='same'))
    first = write_run(tmp_path / 'own', provenance=named)
    other = write_run(tmp_path / 'other', **{'provenance': named} | change)
    with pytest.raises(DataError, match='were tested differently'):
        write_report([first, other], tmp_path / 'x.html')
    assert not (tmp_path / 'x.html').exists()


def test_runs_on_two_stores_are_told_what_belongs_to_a_store(tmp_path):
    runs = [write_run(tmp_path / name, provenance=dict(store=dict(sha256=name))) for name in ('one', 'two')]
    with pytest.raises(DataError, match=r"'one' and 'two'; class vectors"):
        write_report(runs, tmp_path / 'x.html')


def test_a_run_named_twice_is_refused(run_dir, tmp_path):
    with pytest.raises(DataError, match='twice'):
        write_report([run_dir, run_dir / 'results.json'], tmp_path / 'x.html')


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match=r'results\.json'):
        read_run(tmp_path)


def test_a_folder_of_runs_is_refused_with_how_to_name_them(run_dir):
    with pytest.raises(DataError, match=rf'give those, e\.g\. {run_dir.parent}/\*'):
        read_run(run_dir.parent)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(draws=[]), 'draws'),
        (dict(draws=[5]), r'draws'),
        (dict(draws=[dict(draw=0, B='x')]), r'draws\[0\]'),
        (dict(aggregate=None), 'aggregate'),
        (dict(method=3), 'method'),
        (dict(paired=dict(against='x', draws=dict(HM=3))), 'paired'),
        (dict(references=dict(x=dict(aggregate={}))), 'references'),
        (dict(per_class_recall=['a']), 'per_class_recall'),
        (dict(gamma='low'), 'gamma'),
        (dict(gamma=math.inf), 'gamma'),
        (dict(method=''), 'method'),
        (dict(per_class_recall=dict(rain=1e9)), 'per_class_recall'),
        (dict(paired=dict(against='x', draws={})), r'paired\.against'),
        (dict(paired=dict(against='logistic_regression', draws=dict(HM=dict(mean=1)))), 'ci95'),
        (
            dict(paired=dict(against='logistic_regression', draws={}, bootstrap=dict(HM=dict(mean=1)))),
            r'bootstrap\.HM',
        ),
    ],
)
def test_results_of_another_kind_are_refused_by_the_name_of_the_entry(tmp_path, change, named):
    folder = write_run(tmp_path / 'odd')
    path = folder / 'results.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=named):
        read_run(folder)


@pytest.mark.parametrize(
    'change',
    [
        dict(references=None, paired=None),
        dict(provenance=dict(store=dict(class_vectors=[1]))),
        dict(provenance=dict(store=dict(class_vectors=5))),
    ],
)
def test_what_may_be_missing_may_be_null_or_of_another_kind(tmp_path, change):
    run = read_run(write_run(tmp_path / 'odd', **change))
    assert sections_of_run(run) and leaderboard([run])


@pytest.mark.parametrize('content', [b'', b'[]', b'{', b'\xff', b'null', b'"text"'])
def test_a_damaged_file_of_results_is_refused(run_dir, content):
    (run_dir / 'results.json').write_bytes(content)
    with pytest.raises(DataError, match=r'results\.json'):
        read_run(run_dir)


@pytest.mark.parametrize('value', [math.inf, 1e308, -5, 10**30, True, '9', None])
@pytest.mark.parametrize('place', ['aggregate', 'draws', 'references'])
def test_accuracies_lie_between_0_and_100(run_dir, place, value):
    def change(results):
        row = results[place]
        row = row[1] if place == 'draws' else row['logistic_regression']['aggregate'] if place == 'references' else row
        row['HM'] = value

    edit(run_dir, change)
    with pytest.raises(DataError, match='HM'):
        read_run(run_dir)


def test_means_follow_from_the_draws(run_dir):
    edit(run_dir, lambda results: results['draws'].pop())
    with pytest.raises(DataError, match=r'aggregate\.B=.* does not match'):
        read_run(run_dir)


def test_no_draw_comes_twice(run_dir):
    edit(run_dir, lambda results: results['draws'][1].update(draw=0))
    with pytest.raises(DataError, match=r'draws are \[0, 0, 2\]'):
        read_run(run_dir)


def test_a_generator_that_diverged_is_shown_without_its_distances(run_dir):
    nothing = dict(mean_distance=None, loss_true=None, learned=False)
    edit(run_dir, lambda results: results['draws'][0]['generator_check'].update(nothing))
    section = next(s for s in sections_of_run(read_run(run_dir)) if s.title == 'Has the generator learned')
    (table,) = section.tables.values()
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row['learned'], row['mean distance'], row['shot mean distance']) == ('no', '-', 2.0)


@pytest.mark.parametrize(
    'change',
    [
        lambda one: dict(scores=np.full((40, 4), np.inf)),
        lambda one: dict(scores=one['scores'][:, 0]),
        lambda one: dict(label=one['label'] + 9),
        lambda one: dict(video_id=one['video_id'][:5]),
        lambda one: dict(video_id=np.repeat(one['video_id'][:1], 40)),
        lambda one: dict(classes=one['classes'][:2]),
        lambda one: dict(gamma=np.array(np.nan)),
        lambda one: dict(gamma=np.zeros(3)),
        lambda one: dict(scores=one['scores'][:0], label=one['label'][:0], video_id=one['video_id'][:0]),
    ],
)
def test_predictions_that_are_damaged_are_refused_by_their_file(run_dir, change):
    rewrite(run_dir, 1, change)
    with pytest.raises(DataError, match=r'draw1/predictions\.npz holds no test predictions'):
        sections_of_run(read_run(run_dir))


@pytest.mark.parametrize(
    'change', [lambda one: dict(gamma=np.float64(9.0)), lambda one: dict(label=(one['label'] + 1) % 4)]
)
def test_predictions_of_another_test_than_the_results_are_refused(run_dir, change):
    rewrite(run_dir, 1, change)
    with pytest.raises(DataError, match=r'draw1/predictions\.npz is not from the test'):
        sections_of_run(read_run(run_dir))


def test_draws_of_other_classes_are_refused(run_dir):
    rewrite(run_dir, 1, lambda one: dict(base_mask=~BASE))
    with pytest.raises(DataError, match=r'draw1/predictions\.npz and .* differ in classes or base classes'):
        sections_of_run(read_run(run_dir))


@pytest.mark.parametrize('suffix', ['.html', '.csv', '.tex', '.md'])
@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (lambda one: dict(video_id=np.char.add(one['video_id'], 'x')), 'videos of draw 0'),
        (lambda one: dict(classes=np.char.add(one['classes'], 'x')), 'classes'),
    ],
)
def test_runs_on_other_test_videos_are_not_compared(run_dir, tmp_path, suffix, change, named):
    other = write_run(tmp_path / 'other')
    for draw in range(3):
        rewrite(other, draw, change)
    with pytest.raises(DataError, match=f'were tested differently.*{named}'):
        write_report([run_dir, other], tmp_path / f'x{suffix}')


def test_an_unfinished_run_is_told_how_to_finish(run_dir, tmp_path):
    (run_dir / 'results.json').unlink()
    with pytest.raises(DataError, match='--resume to finish it'):
        read_run(run_dir)
    with pytest.raises(DataError, match='--work-dir'):
        read_run(tmp_path / 'nothing')


def test_a_damaged_file_of_a_run_is_told_what_helps(run_dir):
    for path, text in ((run_dir / 'curriculum.json', '{"phases": '), (run_dir / 'curriculum.json', '{"phases": 3}')):
        path.write_text(text)
        with pytest.raises(
            DataError, match=r'curriculum\.json.*move it away: the results are shown without it'
        ) as found:
            read_run(run_dir)
        assert '--resume' not in str(found.value)
    damage(run_dir / 'results.json')
    with pytest.raises(DataError, match=r'results\.json cannot be read .*--resume to write it'):
        read_run(run_dir)
    (run_dir / 'curriculum.json').unlink()
    with pytest.raises(DataError, match=r'results\.json cannot be read .*\)\. Restore it'):
        read_run(run_dir)


@pytest.mark.parametrize(('key', 'value'), [('metrics', dict(HM='x')), ('generator_check', 3), ('best_epoch', 'x')])
def test_a_damaged_decision_of_a_phase_is_refused_by_file_and_phase(run_dir, key, value):
    path = run_dir / 'curriculum.json'
    state = json.loads(path.read_text())
    state['phases']['stage1_base'][key] = value
    path.write_text(json.dumps(state))
    with pytest.raises(DataError, match=rf'curriculum\.json: phases\.stage1_base\.{key}'):
        read_run(run_dir)


def test_numbers_that_cannot_be_drawn_are_left_out_of_the_curves(run_dir):
    (run_dir / 'stage1_base/last.pth').unlink()
    losses = (1.0, 'high', 1e308, None, 2.0)
    lines = [dict(kind='epoch', phase='stage1_base', epoch=e, step=e, loss=loss) for e, loss in enumerate(losses, 1)]
    (run_dir / 'stage1_base/history.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    picture = learning_pictures(read_run(run_dir))[0]
    assert [row[2] for row in picture.data.rows] == [1.0, None, None, None, 2.0]
    assert picture.svg()


def test_any_name_of_a_method_is_shown(tmp_path):
    names = [r'cost $\x$ of $5', '_hidden', '{{7*7}}', '<b>&"\'', 'a\nb\x1b[31m', '日本語']
    runs = [write_run(tmp_path / f'odd{i}', method=name) for i, name in enumerate(names)]
    text = write_report(runs, tmp_path / 'x.html').read_text()
    assert '<b>' not in text and '49' not in text.split('<main>')[0]
    assert '\x1b' not in text
    for run in runs:
        legend = seen_unseen_picture(read_run(run)).figure.axes[0].get_legend().get_texts()
        assert len(legend) == 2


def edit(folder, change):
    path = folder / 'results.json'
    results = json.loads(path.read_text())
    change(results)
    path.write_text(json.dumps(results))


def rewrite(folder, draw, change):
    path = folder / f'stage2_full_draw{draw}/predictions.npz'
    with np.load(path) as file:
        arrays = dict(file)
    write_arrays(path, arrays | change(arrays))


def damage(path):
    path.write_bytes(path.read_bytes()[:-30])


def test_a_damaged_checkpoint_costs_the_page_only_what_it_alone_holds(run_dir, tmp_path):
    damage(run_dir / 'stage2_full_draw1/last.pth')
    sections = {section.title: section for section in sections_of_run(read_run(run_dir))}
    assert any('stage2_full_draw1/last.pth' in text for text in sections['Learning'].text)
    assert not sections['Calibration of probabilities'].pictures
    assert [row[0] for row in sections['Learning'].tables['Phases'].rows] == [
        'stage1_base',
        'stage2_full_draw0',
        'stage2_full_draw2',
    ]


def test_curves_of_a_run_without_a_draws_checkpoint_leave_out_reliability(run_dir, tmp_path):
    (run_dir / 'stage2_full_draw1/last.pth').unlink()
    assert run_tool_file('analysis_tools/curves.py', run_dir, '-o', tmp_path / 'curves') == 0
    names = {path.stem for path in (tmp_path / 'curves').iterdir()}
    assert 'seen_unseen' in names and 'reliability' not in names


def test_a_checkpoint_that_the_machine_cannot_read_is_not_called_damaged(run_dir, monkeypatch):
    def no_handles(path):
        raise CheckpointError('cannot be opened') from OSError(errno.EMFILE, 'too many')

    monkeypatch.setattr('avzoo.report.run_files.load_checkpoint', no_handles)
    with pytest.raises(CheckpointError):
        sections_of_run(read_run(run_dir))


@pytest.mark.parametrize('suffix', ['.html', '.csv', '.tex', '.md'])
@pytest.mark.parametrize('name', ['results.json', 'curriculum.json', 'stage2_full_draw1/predictions.npz'])
def test_a_damaged_run_is_left_out_of_a_comparison_and_named(tmp_path, suffix, name, capsys):
    runs = [write_run(tmp_path / method, method=method) for method in ('First', 'Second', 'Third')]
    damage(runs[1] / name)
    out = tmp_path / f'page{suffix}'
    assert run_tool_file('report.py', *runs, '-o', out) == 3
    assert f'Second/{name}' in capsys.readouterr().err
    text = out.read_text()
    assert 'First' in text and 'Third' in text
    if suffix == '.html':
        assert 'Runs that are left out' in text and f'Second/{name}' in text
    with pytest.raises(DataError, match=name):
        write_report(runs, out)


def test_where_all_runs_are_damaged_there_is_no_page(tmp_path):
    runs = [write_run(tmp_path / method, method=method) for method in ('First', 'Second')]
    for run in runs:
        damage(run / 'results.json')
    with pytest.raises(DataError, match='First'):
        write_report(runs, tmp_path / 'x.html', on_bad=lambda error: None)
    assert not (tmp_path / 'x.html').exists()


def test_a_place_that_cannot_be_written_is_refused_before_runs_are_read(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match=r'file/x\.html cannot be written'):
        write_report([tmp_path / 'nothing'], tmp_path / 'file' / 'x.html')
