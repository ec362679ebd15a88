import csv
import json

import pytest

from avzoo.evaluation.functional import half_width_95
from avzoo.protocol import METRIC_NAMES
from avzoo.report.exports import as_csv, as_latex, as_markdown
from avzoo.report.leaderboard import find_runs, leaderboard, leaderboard_markdown
from avzoo.report.run_files import read_run
from avzoo.utils.errors import DataError
from tests.report.conftest import run_tool_file, write_run


def rows_of(section):
    (table,) = section.tables.values()
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


def test_seeds_of_one_method_are_one_row_and_the_best_stands_first(tmp_path):
    for seed in (42, 48):
        write_run(tmp_path / f'seed{seed}', seed=seed)
    write_run(tmp_path / 'better', method='AV-Gauss', skill=5.0)
    (section,) = leaderboard(find_runs([tmp_path]))
    first, second = rows_of(section)
    assert (first['method'], second['method']) == ('AV-Gauss', 'AV-DIFF')
    assert (second['seeds'], second['runs'], second['draws']) == ('42, 48', 2, 6)
    results = read_run(tmp_path / 'seed42').results
    assert [second[m] for m in METRIC_NAMES] == [round(results['aggregate'][m], 2) for m in METRIC_NAMES]
    draws = [row['HM'] for row in results['draws']]
    assert second['HM ±'] == round(half_width_95(draws), 2)  # More seeds are no more draws.


def test_the_interval_is_over_the_draws_each_averaged_over_its_seeds(tmp_path):
    for seed, values in ((42, (50.0, 60.0, 64.0)), (43, (54.0, 62.0, 70.0))):
        folder = write_run(tmp_path / f'seed{seed}', seed=seed)
        results = json.loads((folder / 'results.json').read_text())
        for row, value in zip(results['draws'], values, strict=True):
            row['HM'] = value
        (folder / 'results.json').write_text(json.dumps(results))
    (row,) = rows_of(*leaderboard(find_runs([tmp_path])))
    assert row['HM ±'] == round(half_width_95([52.0, 61.0, 67.0]), 2)


def test_settings_tell_variants_of_a_method_apart(tmp_path):
    write_run(tmp_path / 'shallow', depth=1)
    write_run(tmp_path / 'deep', depth=4)
    (section,) = leaderboard(find_runs([tmp_path]))
    assert {row['method'] for row in rows_of(section)} == {'AV-DIFF (model.depth=1)', 'AV-DIFF (model.depth=4)'}


def names_below(folder):
    (section,) = leaderboard(find_runs([folder]))
    return {row['method'] for row in rows_of(section)}


def set_settings(folder, **settings):
    (folder / 'curriculum.json').write_text(json.dumps(dict(settings=settings)))


def test_a_name_has_the_settings_that_make_it_the_only_one_and_says_where_it_leaves_some_out(tmp_path):
    for place, (five, long) in enumerate([(1, 'a'), (1, 'b'), (2, 'a')]):
        settings = dict(a=place > 0, b=0, c=place > 0, d=place > 0, e=place > 0, f=five, g=f'{"x" * 50}{long}')
        set_settings(write_run(tmp_path / f'run{place}'), **settings, aa=dict(a='y' * place * 50))
    flags = 'a={0}, c={0}, d={0}'.format
    assert names_below(tmp_path) == {
        f'AV-DIFF ({flags(False)}, f=1, ...)',
        f'AV-DIFF ({flags(True)}, f=1, ...)',
        f'AV-DIFF ({flags(True)}, f=2, ...)',
    }


def test_rows_that_no_setting_tells_apart_are_called_by_their_folder(tmp_path):
    for name in ('one', 'two'):
        (write_run(tmp_path / name) / 'curriculum.json').unlink()
    assert names_below(tmp_path) == {'AV-DIFF (one)', 'AV-DIFF (two)'}
    for name, end in (('one', 'a'), ('two', 'b')):  # Alike as far as they are shown.
        set_settings(tmp_path / name, model='x' * 50 + end)
    assert names_below(tmp_path) == {'AV-DIFF (one)', 'AV-DIFF (two)'}


def test_a_name_has_what_validation_chose_which_makes_no_rows_of_its_own(tmp_path):
    for seed in (1, 2):
        choices = [dict(chosen={'model.depth': seed + 4}, scores=[])]
        write_run(tmp_path / f'seed{seed}', seed=seed, choices=choices)
    write_run(tmp_path / 'other', depth=3)
    assert names_below(tmp_path) == {'AV-DIFF (model.depth=5 / 6)', 'AV-DIFF (model.depth=3)'}


@pytest.mark.parametrize(
    'change',
    [
        dict(num_shots=1),
        dict(dataset='other'),
        dict(provenance=dict(store=dict(features=dict(audio='clap', visual='clip')))),
        dict(provenance=dict(store=dict(sha256='f' * 64))),
    ],
)
def test_runs_on_other_shots_data_or_features_never_share_a_table(tmp_path, change):
    write_run(tmp_path / 'one')
    write_run(tmp_path / 'two', **change)
    sections = leaderboard(find_runs([tmp_path]))
    assert len(sections) == 2
    assert len({section.title for section in sections}) == 2


def test_tables_of_any_number_of_stores_have_titles_of_their_own(tmp_path):
    for i, features in enumerate([dict(audio='clap'), None] * 3):
        store = dict(features=features, sha256=f'{i}' * 64) if i < 4 else dict(features=features)
        write_run(tmp_path / f'run{i}', provenance=dict(store=store))
    assert len({section.title for section in leaderboard(find_runs([tmp_path]))}) == 6


def test_tables_and_rows_are_whole_in_whatever_order_runs_are_found(tmp_path):
    for place in range(3):
        write_run(tmp_path / f'{place}few', num_shots=1, seed=place, depth=2 + place % 2)
        write_run(tmp_path / f'{place}more', seed=place)
    few, more = leaderboard(find_runs([tmp_path]))
    assert (few.title, more.title) == ('tiny, 1 shot', 'tiny, 5 shots')
    assert {row['seeds'] for row in rows_of(few)} == {'0, 2', '1'} and rows_of(more)[0]['seeds'] == '0, 1, 2'


def test_settings_in_another_order_are_the_same_and_a_run_without_them_stands_beside(tmp_path):
    for name in ('one', 'two', 'none'):
        write_run(tmp_path / name)
    set_settings(tmp_path / 'one', a=1, b=2)
    set_settings(tmp_path / 'two', b=2, a=1)
    (tmp_path / 'none/curriculum.json').unlink()
    (section,) = leaderboard(find_runs([tmp_path]))
    assert sorted(row['runs'] for row in rows_of(section)) == [1, 2]


def test_a_title_has_what_tells_tables_apart_and_the_text_says_the_rest(tmp_path):
    stores = [dict(sha256='a' * 64), dict(sha256='b' * 64), dict(features=dict(audio='clap'))]
    for place, store in enumerate(stores):
        write_run(tmp_path / str(place), provenance=dict(store=store))
    said = [(section.title, *section.text) for section in leaderboard(find_runs([tmp_path]))]
    unnamed = 'Features: not named by the store.'
    assert said == [
        ('tiny, 5 shots', 'Features: audio clap.'),
        ('tiny, 5 shots, store aaaaaaaaaaaa', unnamed, 'Store: SHA-256 aaaaaaaaaaaa.'),
        ('tiny, 5 shots, store bbbbbbbbbbbb', unnamed, 'Store: SHA-256 bbbbbbbbbbbb.'),
    ]


def test_a_title_names_the_features_where_they_are_what_differs(tmp_path):
    for name in ('clap', 'clip'):
        write_run(tmp_path / name, provenance=dict(store=dict(features=dict(audio=name))))
    sections = leaderboard(find_runs([tmp_path]))
    assert [section.title for section in sections] == ['tiny, 5 shots', 'tiny, 5 shots, audio clip']


@pytest.mark.parametrize('names', [['w2v\n', 'clip'], {'w2v\n': dict(sha256='0'), 'clip': {}}])
def test_a_row_says_how_classes_were_described_and_has_a_dash_for_what_an_older_version_left_out(tmp_path, names):
    described = dict(store=dict(class_vectors=names))
    write_run(tmp_path / 'new', method='New\x1b', provenance=described, gamma_source='a\x1b', skill=5.0)
    old = write_run(tmp_path / 'old') / 'results.json'
    kept = {key: value for key, value in json.loads(old.read_text()).items() if key not in ('seed', 'gamma_source')}
    old.write_text(json.dumps(kept))
    (section,) = leaderboard(find_runs([tmp_path]))
    assert [(row['method'], row['class vectors'], row['gamma'], row['seeds']) for row in rows_of(section)] == [
        (r'New\x1b', r'w2v\n, clip', r'a\x1b', '0'),
        ('AV-DIFF', '-', '-', '0'),
    ]


def test_a_gamma_that_was_searched_on_the_test_set_is_said(tmp_path):
    write_run(tmp_path / 'one', gamma_source='searched on the test set')
    page = leaderboard_markdown(leaderboard(find_runs([tmp_path])))
    assert 'searched on the test set' in page
    assert '## tiny, 5 shots' in page


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(DataError, match=r'results\.json'):
        find_runs([tmp_path])


def test_rows_for_a_spreadsheet_are_unrounded(run_dir):
    run = read_run(run_dir)
    (row,) = csv.DictReader(as_csv([run]).splitlines())
    assert float(row['HM']) == run.results['aggregate']['HM']
    assert float(row['HM_ci95']) == pytest.approx(half_width_95([one['HM'] for one in run.results['draws']]))
    assert (row['run'], row['shots'], row['draws']) == ('AV-DIFF', '5', '3')


def test_rows_for_latex_escape_names(tmp_path):
    run = read_run(write_run(tmp_path / 'odd', method='A_B & 50%'))
    line = as_latex([run]).splitlines()[1]
    assert line.startswith(r'A\_B \& 50\% & ')
    assert line.count(' & ') == 5
    assert line.endswith(r'\\')


def test_names_do_not_act_in_a_spreadsheet_or_after_a_row_of_latex(tmp_path):
    runs = [read_run(write_run(tmp_path / f'r{i}', method=m)) for i, m in enumerate(['=1+1', '[9]*', '-2\n-'])]
    assert [row['run'] for row in csv.DictReader(as_csv(runs).splitlines())] == ["'=1+1", '[9]*', r"'-2\n-"]
    assert as_latex(runs).splitlines()[2].startswith('{[}9{]}{*} & ')
    assert as_latex(runs).count('\n') == 4


def test_rows_for_markdown_have_intervals(run_dir):
    assert as_markdown([read_run(run_dir)]).count('±') == 6


def test_a_damaged_run_is_left_out_and_named(tmp_path, capsys):
    write_run(tmp_path / 'good', method='Good')
    (write_run(tmp_path / 'bad', method='Bad') / 'results.json').write_text('{')
    page = tmp_path / 'page.md'
    assert run_tool_file('leaderboard.py', tmp_path, '-o', page) == 3
    assert 'bad/results.json' in capsys.readouterr().err
    assert 'Good' in page.read_text() and 'Bad' not in page.read_text()
    with pytest.raises(DataError, match='bad'):
        find_runs([tmp_path])
    with pytest.raises(DataError, match='bad'):
        find_runs([tmp_path / 'bad'], on_bad=lambda error: None)
